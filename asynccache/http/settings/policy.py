"""What kind of cache this is, and where its owner has told it to depart from the standard.

Decides no caching: `rfc9111` asks it. Everything that is not the RFC's own default is said by a user, in so many words.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

Ignorable: TypeAlias = Literal[
    "no-store", "no-cache", "private", "must-revalidate", "vary", "set-cookie", "authorization", "request-directives"
]
"""What a rule may say is not to be looked at: response directives and fields that forbid or narrow reuse;
`request-directives`: all that a request's `Cache-Control` and `Pragma` say."""

_IGNORABLE: Final[frozenset[str]] = frozenset(get_args(Ignorable))


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How one response is judged. All times are seconds.

    Attributes:
        shared: whether different users are served from it (RFC 9111, 1): then nothing private is stored.
        methods: whose responses may be stored; POST is keyed by its body too.
        heuristic_fraction: of the time since `Last-Modified` for which a response without explicit freshness counts as
            fresh (RFC 9111, 4.2.2); 0 for never.
        heuristic_limit: the longest such time.
        ttl: how long every response that may be stored is fresh, whatever its fields say; None: they decide.
        default_ttl: how long one is fresh that says nothing about it; None: the RFC's heuristics decide.
        stale_while_revalidate: for responses that do not say it themselves.
        stale_if_error: likewise.
        ignore: what is not looked at.
        identity: request fields, in lower case, that tell users apart: unless it is `public`, a response that was asked
            for with some of them is reused only for requests in which these are the same. What was asked for without
            any of them is for everybody.
    """

    shared: bool = False
    methods: frozenset[str] = frozenset({"GET", "HEAD"})
    heuristic_fraction: float = 0.1
    heuristic_limit: float = 86_400.0
    ttl: float | None = None
    default_ttl: float | None = None
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    ignore: frozenset[str] = field(default=frozenset())
    identity: tuple[str, ...] = ("authorization", "cookie")

    def identity_in(self, names: tuple[str, ...]) -> bool:
        """Whether users are told apart by one of these request fields."""
        return any(name in self.identity for name in names)

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if unknown := self.ignore - _IGNORABLE:
            raise ValueError(f"ignore cannot hold {sorted(unknown)!r}: there are {sorted(_IGNORABLE)}")
        for name in ("ttl", "default_ttl", "stale_while_revalidate", "stale_if_error", "heuristic_limit"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must be 0 or more seconds, not {value!r}")
        if not 0 <= self.heuristic_fraction <= 1:
            raise ValueError(f"heuristic_fraction must be from 0 to 1, not {self.heuristic_fraction!r}")
