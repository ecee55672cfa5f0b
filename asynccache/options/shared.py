"""The options about the tier that processes share, read and refused where the user wrote them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from asynccache.core.expiry import Seconds, seconds
from asynccache.serializers.codecs import Codec, codec_for
from asynccache.serializers.envelope import Sealer
from asynccache.stores.contract import Store

Coalesce: TypeAlias = Literal["process", "fleet"]
"""Who shares one load: the callers of one process, or those of all processes that share the store."""

CodecName: TypeAlias = Literal["json", "msgpack", "bytes", "pickle"]

Compress: TypeAlias = Literal["zlib", "zstd"]

WriteMode: TypeAlias = Literal["through", "behind"]
"""Whether a load's value is in the store before its callers have it, or soon after."""

Secret: TypeAlias = bytes | Mapping[int, bytes] | Mapping[str, bytes]
"""What values are signed with; several by id, the first for new values."""

NAMESPACE: Final = "cache"

LEASE_TTL: Final = 10.0
"""Seconds of the lease on a load of the whole fleet: it is renewed while the load runs."""


@dataclass(kw_only=True, slots=True)
class SharedOptions:
    """The options of a cache about its store, as users write them; once made, they are checked.

    Attributes:
        local_seconds: `local_ttl` in seconds; None as long as a value lasts.
        lease_seconds: `lease_ttl` in seconds.
        sealer: what `secret` and `compress` mean.

    Raises:
        TypeError, ValueError: an option that cannot be meant, or one that needs a store where there is none.
        ImportError: a codec or a compression needs a package that is missing.
    """

    store: str | Store | None = None
    namespace: str | None = None
    local_ttl: Seconds | None = None
    coalesce: Coalesce | None = None
    lease_ttl: Seconds | None = None
    secret: Secret | None = None
    codec: CodecName | None = None
    type: Any = None
    compress: Compress | None = None
    write: WriteMode | None = None
    local_seconds: float | None = field(init=False, default=None)
    lease_seconds: float = field(init=False, default=LEASE_TTL)
    sealer: Sealer = field(init=False)
    _codecs: dict[Any, Codec] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read what was given."""
        self._codecs = {}
        if self.store is None:
            self._refuse_all()
            return
        if isinstance(self.store, type) or not isinstance(self.store, str | Store):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f'the first argument of Cache is a store or its URL, as in Cache("redis://localhost/0"), not a '
                f"{type(self.store).__name__}"
            )
        _check_choice("coalesce", self.coalesce, ("process", "fleet"))
        _check_choice("write", self.write, ("through", "behind"))
        self.local_seconds = seconds("local_ttl", self.local_ttl)
        self.lease_seconds = seconds("lease_ttl", LEASE_TTL if self.lease_ttl is None else self.lease_ttl) or 0.0
        if self.lease_seconds <= 0:
            raise ValueError(
                "lease_ttl must be more than 0 seconds, and not endless: it is how long a dead process is waited for"
            )
        self.sealer = Sealer(secret=self.secret, compress=self.compress)
        self.codec_of(None)

    @property
    def is_shared(self) -> bool:
        """Whether there is a store at all."""
        return self.store is not None

    def codec_of(self, value_type: Any) -> Codec:
        """Give what writes values of a type; None for those of the cache's own.

        Raises:
            TypeError: it cannot write such values; the message says what to write instead.
        """
        wanted = self.type if value_type is None else value_type
        wanted = Any if wanted is None else wanted
        try:
            known = self._codecs.get(wanted)
        except TypeError:  # a type that cannot be in a dict
            return self._new_codec(wanted)
        if known is None:
            known = self._codecs[wanted] = self._new_codec(wanted)
        return known

    def _new_codec(self, wanted: Any) -> Codec:
        return codec_for(self.codec or "json", wanted, signed=self.secret is not None)

    def _refuse_all(self) -> None:
        """Refuse what has no meaning without a store."""
        for option in SHARED_OPTIONS - {"store"}:
            if getattr(self, option) is not None:
                raise ValueError(
                    f'{option} is about a store that processes share: write Cache("redis://...", {option}=...), or '
                    "leave it out"
                )


SHARED_OPTIONS: Final = frozenset(
    {"store", "namespace", "local_ttl", "coalesce", "lease_ttl", "secret", "codec", "type", "compress", "write"}
)


def _check_choice(option: str, value: object, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise ValueError(f"{option} must be {' or '.join(map(repr, choices))}, not {value!r}")
