"""A request that has to go to the origin, and what can come of it.

Decides nothing: `forwarding` does what is to be done, `collapsing` who shares it.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from asynccache.http import rfc9111
from asynccache.http.answering.exchange import Arrival, Origin
from asynccache.http.answering.spool import Spool
from asynccache.http.kept.response_store import Variants
from asynccache.http.kept.stored import StoredResponse
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.message import Headers, Pairs, Request

CONDITIONS: Final = ("if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range")


@dataclass(slots=True, eq=False)
class Errand:
    """One request that has to go to the origin.

    Attributes:
        request: what is asked.
        key: its cache key.
        policy: how what comes is judged.
        origin: the way there.
        found: what was kept when it began.
        tags: what the response is to be purged by, besides what comes with it.
        group: of requests that have their way to the origin in common.
        kept: what of that answers the request, but may not be used as it is; and its terms.
        old_will_do: whether what is kept is served if the origin fails, whatever else it says of that.
        may_be_kept: whether what comes may be stored; not if somebody else stores the same just now.
        leads: whether it is the one that was sent, for all that ask the same.
        is_gone: whether the caller has gone, and takes nothing any more.
        landing: what came of it, if it leads.
    """

    request: Request
    key: str
    policy: Policy
    origin: Origin
    found: Variants
    tags: tuple[str, ...] = ()
    group: object = None
    kept: tuple[StoredResponse, rfc9111.Terms] | None = None
    may_be_kept: bool = True
    old_will_do: bool = False
    leads: bool = False
    is_gone: bool = False
    landing: "Landing | None" = None

    @property
    def is_conditional(self) -> bool:
        """Whether the caller's own request has conditions."""
        return any(name in self.request.headers for name in CONDITIONS)


@dataclass(slots=True, eq=False)
class Passed:
    """A response for the leader only.

    Attributes:
        leader: whose errand it was.
        arrival: what has come.
        refusal: why it is not stored.
    """

    leader: Errand
    arrival: Arrival
    refusal: str


@dataclass(slots=True, eq=False)
class Kept:
    """A response that was kept, and is served.

    Attributes:
        leader: whose errand it was.
        stored: the response, with the fields that the origin has confirmed it by.
        terms: of that.
        status: what the origin said; None if it could not be asked.
        is_old: whether it is served because the origin failed.
        cookies: lines of `Set-Cookie` that came with the confirmation: for the leader, and not kept.
    """

    leader: Errand
    stored: StoredResponse
    terms: rfc9111.Terms
    status: int | None
    is_old: bool
    cookies: Pairs = ()


@dataclass(slots=True, eq=False)
class Coming:
    """A response that is on its way, to whoever asks for it and into the store.

    Attributes:
        leader: whose errand it was.
        stored: what will be kept, but for the body.
        terms: of that.
        arrival: what has come.
        spool: its body.
    """

    leader: Errand
    stored: StoredResponse
    terms: rfc9111.Terms
    arrival: Arrival
    spool: Spool


Landing: TypeAlias = Passed | Kept | Coming
"""What came of an errand."""


def selects(headers: Headers, stored: StoredResponse) -> bool:
    """Tell whether a request selects a response, as far as the fields go that it varies by (RFC 9111, 4.1)."""
    return rfc9111.selecting(stored.vary, headers) == stored.selecting
