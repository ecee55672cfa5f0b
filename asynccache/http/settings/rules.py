"""Where an owner knows better than the fields: rules for some URLs, each said in so many words.

Decides which rule a URL falls under, what policy that means, and which parts of a URL are not looked at.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from asynccache.http.settings.patterns import url_pattern
from asynccache.http.settings.policy import Ignorable, Policy
from asynccache.http.settings.reading import read_flag, read_fraction, read_headers, read_methods, read_time, read_words
from asynccache.http.syntax.uris import decoded

_READERS: Final = {
    "cache": read_flag,
    "ttl": read_time,
    "default_ttl": read_time,
    "stale_while_revalidate": read_time,
    "stale_if_error": read_time,
    "heuristic_fraction": read_fraction,
    "methods": read_methods,
    "identity": read_headers,
    "ignore": read_words,
    "ignore_query": read_words,
}
_AMBIGUOUS: Final = re.compile("%2F|%25")
_CHANGES: Final = tuple(name for name in _READERS if name not in {"cache", "ignore", "ignore_query"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Terms:
    """What a rule says. None: as the cache does it everywhere else."""

    cache: bool = True
    ttl: float | timedelta | None = None
    default_ttl: float | timedelta | None = None
    stale_while_revalidate: float | timedelta | None = None
    stale_if_error: float | timedelta | None = None
    heuristic_fraction: float | None = None
    ignore: Iterable[Ignorable] = ()
    ignore_query: Iterable[str] = ()
    methods: Iterable[str] | None = None
    identity: Iterable[str] | None = None


@dataclass(frozen=True, slots=True)
class Rule(_Terms):
    """How responses of some URLs are treated, whatever they say themselves. Times are seconds, or `timedelta`s.

    The first rule that a URL falls under counts.

    Args:
        url: `https://api.example.com/items/*`: the whole URL up to the query. Without `https://`, any scheme. `*`
            stands for any characters, in a path also for "/", but a host stays one: `https://*.example.com/*` covers
            nothing of other hosts. `*/img/*` covers "/img/" anywhere in the path of any host, `*` everything. A port is
            part of the host; without one, the scheme's own is meant.
        cache: False: nothing of these URLs is stored or reused.
        ttl: how long each response is fresh, whatever its fields say. They still may forbid storing: see `ignore`.
        default_ttl: how long one is fresh that does not say it.
        stale_while_revalidate: for how long an old response is served while a new one is fetched, where the response
            does not say it.
        stale_if_error: for how long an old response is served if the origin fails, where the response does not say it.
        heuristic_fraction: of the time since `Last-Modified`; 0: without explicit freshness each use is validated.
        ignore: what in responses (or requests) is not looked at: "no-store", "no-cache", "private",
            "must-revalidate", "vary", "set-cookie", "authorization", "request-directives".
        ignore_query: names of parameters that make no difference; a `*` at the end of one stands for any characters.
        methods: whose responses are stored; with "POST", its body is part of the key.
        identity: request fields that tell users apart; () if all that is fetched is for everybody.

    Raises:
        TypeError, ValueError: an option, or the url, cannot be meant; the message says what to write instead.

    Example:
        Rule("https://api.example.com/*", ttl=60, ignore={"no-store"}, ignore_query={"utm_*"})
    """

    url: str = field(kw_only=False)
    _pattern: re.Pattern[str] = field(init=False, repr=False)
    _decoded: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse nonsense where it is written."""
        object.__setattr__(self, "_pattern", url_pattern(self.url))
        object.__setattr__(self, "_decoded", url_pattern(self.url, is_decoded=True))
        for name, read in _READERS.items():
            value = getattr(self, name)
            if value is not None or name == "cache":
                object.__setattr__(self, name, read(name, value))
        self.policy(Policy())

    def covers(self, uri: str) -> bool:
        """Whether a URL, without its query, falls under this rule."""
        return self._pattern.fullmatch(uri) is not None

    def covers_decoded(self, uri: str) -> bool:
        """Whether a URL falls under this rule whose path is as `uris.decoded` gives it."""
        return self._decoded.fullmatch(uri) is not None

    def policy(self, base: Policy) -> Policy:
        """Give the policy for its URLs, made of that of all the others."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in _CHANGES if getattr(self, name) is not None}
        return replace(base, ignore=base.ignore | frozenset(self.ignore), **changes)


@dataclass(frozen=True, slots=True, eq=False)
class Ruling:
    """What holds for one URL.

    Attributes:
        policy: how its responses are judged.
        is_cached: whether they are cached at all.
        ignored_query: what names of parameters are left out of the key; None: none.
    """

    policy: Policy
    is_cached: bool = True
    ignored_query: re.Pattern[str] | None = None

    def key(self, uri: str) -> str:
        """Give a URI without the parameters that make no difference."""
        if self.ignored_query is None:
            return uri
        path, mark, query = uri.partition("?")
        kept = [pair for pair in query.split("&") if not self.ignored_query.fullmatch(pair.partition("=")[0])]
        return f"{path}{mark}{'&'.join(kept)}" if kept and mark else path


class Rules:
    """Which rule a URL falls under.

    Args:
        policy: for URLs that fall under none.
        rules: the first that covers a URL counts.
    """

    def __init__(self, policy: Policy, rules: Iterable[Rule] = ()) -> None:
        self._otherwise = Ruling(policy)
        self._unclear = Ruling(policy, is_cached=False)
        self._rulings = [(rule, _ruling(rule, policy)) for rule in rules]

    @property
    def cache_bodies(self) -> bool:
        """Whether some responses are kept under more than their URI: the body of the request."""
        rulings = (self._otherwise, *(ruling for _, ruling in self._rulings))
        return any(not ruling.policy.methods <= {"GET", "HEAD"} for ruling in rulings)

    def of(self, uri: str) -> Ruling:
        """Tell what holds for a URI.

        A router in front of handlers looks at decoded paths, so a server's rules do: no escape leads around one. Of
        `%2F` and `%25`, some routers make a slash and a per cent sign, and others do not. Where a rule would hold for
        one of them only, nothing is kept.
        """
        if not self._rulings:
            return self._otherwise
        place = uri.partition("?")[0]
        if not self._otherwise.policy.shared or "%" not in place:
            return self._first(Rule.covers, place)
        ruling = self._first(Rule.covers_decoded, decoded(place))
        if _AMBIGUOUS.search(place) and self._first(Rule.covers, place) is not ruling:
            return self._unclear
        return ruling

    def _first(self, covers: Callable[[Rule, str], bool], place: str) -> Ruling:
        for rule, ruling in self._rulings:
            if covers(rule, place):
                return ruling
        return self._otherwise


def _ruling(rule: Rule, policy: Policy) -> Ruling:
    names = [re.escape(name.removesuffix("*")) + (".*" if name.endswith("*") else "") for name in rule.ignore_query]
    return Ruling(rule.policy(policy), rule.cache, re.compile("|".join(names), re.DOTALL) if names else None)
