"""Asking the origin, once for all who ask the same, and keeping what it says.

Decides what becomes of each response that comes: handed on untouched, stored while it is read, taken as a confirmation
of what is kept, or put aside for an old response that may be served instead. It runs in a flight: a task of its own
that no caller's cancellation reaches.
"""

from dataclasses import replace
from typing import Final

from asynccache.http import rfc9111
from asynccache.http.answering.combining import Beginning, joined
from asynccache.http.answering.errands import CONDITIONS, Coming, Errand, Kept, Landing, Passed, selects
from asynccache.http.answering.exchange import Arrival, Lines
from asynccache.http.answering.outages import Outages
from asynccache.http.answering.spool import Spool
from asynccache.http.answering.tasks import OwnedTasks
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.kept.stored import StoredResponse
from asynccache.http.syntax.fields import delta_seconds
from asynccache.http.syntax.message import Request, Response, WallClock, single
from asynccache.http.syntax.message import joined as joined_lines

_NO_LINES: Final[Lines] = ()
_FAILED: Final = frozenset({500, 502, 503, 504})
"""When an old response may be served instead (RFC 5861, 4)."""


class Forwarding:
    """Asks the origin.

    Args:
        store: keeps what comes.
        clock: tells the wall time.
        tasks: see bodies to their end.
        outages: told when an old response is served.
    """

    def __init__(self, store: ResponseStore, clock: WallClock, tasks: OwnedTasks, outages: Outages) -> None:
        self._outages = outages
        self._store = store
        self._clock = clock
        self._tasks = tasks

    async def go(self, errand: Errand) -> Landing:
        """Ask the origin, and do with the answer what the RFC says."""
        beginning = self._beginning(errand)
        lines = self._validation(errand) if beginning is None else beginning.lines
        try:
            arrival = await errand.origin.fetch(lines, without=CONDITIONS if lines else ())
            if beginning is not None and arrival.response.status in {206, 416}:
                arrival = beginning.completed_by(arrival) or await self._again(errand, arrival)
        except Exception as error:
            old = self._old(errand, None)
            if old is None:
                raise
            self._outages.tell(type(error).__name__, error, is_own=errand.policy.shared)
            return old
        if arrival.response.status < 500:
            self._outages.over()
        return await self.take(errand, arrival, is_validation=bool(lines))

    async def take(self, errand: Errand, arrival: Arrival, *, is_validation: bool = False) -> Landing:
        """Do with an answer what the RFC says.

        Args:
            errand: what was asked.
            arrival: what has come.
            is_validation: whether it was asked whether what is kept is still right.
        """
        try:
            return await self._take(errand, arrival, is_validation=is_validation)
        except BaseException:
            arrival.discard()
            raise

    async def _again(self, errand: Errand, arrival: Arrival) -> Arrival:
        """Ask for the whole, as what has come is of no use."""
        arrival.discard()
        return await errand.origin.fetch(_NO_LINES, without=CONDITIONS)

    def _beginning(self, errand: Errand) -> Beginning | None:
        """Find what is kept of a representation of which all is asked for."""
        headers = errand.request.headers
        if errand.kept is not None or errand.request.method != "GET" or "range" in headers or errand.is_conditional:
            return None
        return Beginning.among(errand.found, headers, self._store)

    def _validation(self, errand: Errand) -> Lines:
        """Say what makes a request conditional on what is kept (RFC 9111, 4.3.1)."""
        if errand.request.method != "GET" or "range" in errand.request.headers:
            return _NO_LINES
        if errand.kept is None and errand.is_conditional:
            return _NO_LINES
        return rfc9111.validation_lines(_candidates(errand))

    async def _take(self, errand: Errand, arrival: Arrival, *, is_validation: bool) -> Landing:
        response, request, policy = arrival.response, errand.request, errand.policy
        if arrival.is_untouched:
            return Passed(errand, arrival, "untouched")
        if response.status == 304 and is_validation:
            landing = await self._freshen(errand, arrival)
            if landing is not None:
                return landing
            return await self.take(errand, await self._again(errand, arrival))  # what it confirms has gone meanwhile
        if response.status in _FAILED and (old := self._old(errand, response.status)) is not None:
            arrival.discard()
            self._outages.tell(f"status {response.status}", None, is_own=False)
            return old
        if request.method == "HEAD":
            await self._learn_from_head(errand, arrival)
            return Passed(errand, arrival, "method")
        vary = rfc9111.vary_names(response.fields, policy, request.headers)
        refusal = self._why_not_stored(errand, arrival)
        if refusal is not None or vary is None:
            return Passed(errand, arrival, refusal or "vary-any")
        return self._stream(errand, arrival, vary)

    # --- what is kept ---------------------------------------------------------------------------------------------

    def _stream(self, errand: Errand, arrival: Arrival, vary: tuple[str, ...]) -> Coming:
        """Store a response while it is read (RFC 9111, 3)."""
        response, policy = arrival.response, errand.policy
        stored = StoredResponse(
            method=errand.request.method,
            status=response.status,
            reason=response.reason,
            fields=rfc9111.stored_fields(response.fields, policy, response.response_time),
            request_time=response.request_time,
            response_time=response.response_time,
            vary=vary,
            selecting=rfc9111.selecting(vary, errand.request.headers),
            span=rfc9111.span_of(response),
            is_decoded=arrival.is_decoded,
            tags=(*arrival.tags, *errand.tags),
        )
        terms = rfc9111.terms(stored, policy)
        ttl = self._time_to_keep(terms)
        writer = self._store.begin_body(ttl)

        async def done(is_written: bool) -> None:
            body = await writer.finish() if is_written else None
            if body is not None:
                await self._keep(errand, stored.with_body(body), ttl)

        spool = Spool(arrival.chunks(), writer=writer, done=done, let_go=arrival.discard, length=_length_of(arrival))
        self._tasks.own(spool.start(), is_wanted=lambda: spool.is_wanted)
        return Coming(errand, stored, terms, arrival, spool)

    async def _keep(self, errand: Errand, received: StoredResponse, ttl: float) -> None:
        kept = await joined(self._store, errand.found, received, ttl) if received.span is not None else received
        if kept is None or kept.body is not received.body:
            self._store.let_go(received.body)
        if kept is not None:
            await self._store.keep(errand.key, errand.found, kept, ttl=ttl)

    def _time_to_keep(self, terms: rfc9111.Terms) -> float:
        """Say for how long a response can be served; the store adds the time in which it can be validated."""
        fresh = max(0.0, terms.fresh_until - self._clock())
        return fresh + max(terms.stale_while_revalidate, terms.stale_if_error)

    def _why_not_stored(self, errand: Errand, arrival: Arrival) -> str | None:
        """Say what forbids storing a response, be it the RFC or its nature; None if nothing does."""
        response = arrival.response
        if not errand.may_be_kept:
            return "not-shared"
        if _is_endless(response):
            return "event-stream"
        if response.status == 206 and arrival.is_decoded:
            return "decoded-part"  # its range counts the octets that were sent, which nobody has any more
        if (_length_of(arrival) or 0) > self._store.max_body:
            self._store.counts.too_large += 1
            return "too-large"
        return rfc9111.why_not_stored(errand.request, response, errand.policy)

    # --- what is confirmed ----------------------------------------------------------------------------------------

    async def _freshen(self, errand: Errand, arrival: Arrival) -> Kept | None:
        """Take a 304 (RFC 9111, 4.3.3 and 4.3.4)."""
        response, policy = arrival.response, errand.policy
        chosen = errand.kept[0] if errand.kept is not None else None
        selected = rfc9111.selected_by(response, _candidates(errand), chosen)
        if not selected:
            return None
        arrival.discard()
        best = chosen if chosen in selected else selected[0]
        answer = best
        for old in selected:
            confirmed = rfc9111.freshened(old, response, policy)
            new = _reselected(confirmed, old, errand, is_chosen=old is best)
            if new is not None and arrival.tags:
                new = replace(new, tags=(*arrival.tags, *errand.tags))
            await self._replace(errand, old, new)
            if old is best:
                answer = confirmed if new is None else new
        cookies = tuple(("Set-Cookie", line) for line in response.fields.getall("set-cookie"))
        return Kept(errand, answer, rfc9111.terms(answer, policy), 304, is_old=False, cookies=cookies)

    async def _learn_from_head(self, errand: Errand, arrival: Arrival) -> None:
        """Let the fields of a HEAD freshen, or invalidate, what is kept for GET (RFC 9111, 4.3.5)."""
        if errand.kept is None or arrival.response.status != 200:
            return
        old = errand.kept[0]
        await self._replace(errand, old, rfc9111.head_update(old, arrival.response, errand.policy))

    async def _replace(self, errand: Errand, old: StoredResponse, new: StoredResponse | None) -> None:
        """Keep what is confirmed, unless its new fields forbid that."""
        if rfc9111.forbids_storing(errand.request, errand.policy):
            return
        ttl = 0.0
        if new is not None:
            told = Response(new.status, new.fields, new.request_time, new.response_time)
            request = Request(old.method, errand.request.uri, errand.request.headers)
            if rfc9111.why_not_stored(request, told, errand.policy) is None:
                ttl = self._time_to_keep(rfc9111.terms(new, errand.policy))
            else:
                new = None
        await self._store.replace(errand.key, errand.found, old, new, ttl=ttl)

    # --- what is served instead -----------------------------------------------------------------------------------

    def _old(self, errand: Errand, status: int | None) -> Kept | None:
        """Give an old response to be served, if there is one, and it may be (RFC 9111, 4.2.4; RFC 5861, 4)."""
        if errand.kept is None:
            return None
        stored, terms = errand.kept
        now = self._clock()
        if not (errand.old_will_do or rfc9111.may_serve_on_error(errand.request, terms, now, errand.policy)):
            return None
        return Kept(errand, stored, terms, status, is_old=True)


def _candidates(errand: Errand) -> list[StoredResponse]:
    """Give what of a URI can be validated: first what answers the request, then what an entity tag tells apart."""
    chosen = errand.kept[0] if errand.kept is not None else None
    others = [
        each
        for each in errand.found.responses
        if each is not chosen and each.span is None and "etag" in each.fields and _may_be_told(errand, each)
    ]
    return [chosen, *others] if chosen is not None else others


def _may_be_told(errand: Errand, stored: StoredResponse) -> bool:
    """Tell whether a 304 may make a response the answer: not if it was another user's.

    An origin may give what it tells every user the same entity tag: a version, for instance.
    """
    return not errand.policy.identity_in(stored.vary) or selects(errand.request.headers, stored)


def _length_of(arrival: Arrival) -> int | None:
    """Give how many bytes a body has, or is said to have, as it is sent."""
    if arrival.length is not None:
        return arrival.length
    response = arrival.response
    told = single(response.fields, "content-length")
    return delta_seconds(told) if told is not None else None


def _is_endless(response: Response) -> bool:
    """Whether a response is a stream of events, which ends when somebody goes away."""
    kind = joined_lines(response.fields, "content-type")
    return kind is not None and kind.strip().lower().startswith("text/event-stream")


def _reselected(new: StoredResponse, old: StoredResponse, errand: Errand, *, is_chosen: bool) -> StoredResponse | None:
    """Take in that a 304 tells other fields to vary by than the response that it confirms (RFC 9111, 4.1).

    What the others were asked for with in these fields is not known: they are given up.
    """
    if new.fields.getall("vary") == old.fields.getall("vary"):
        return new
    headers = errand.request.headers
    vary = rfc9111.vary_names(new.fields, errand.policy, headers)
    if vary is None or not is_chosen:
        return None
    return replace(new, vary=vary, selecting=rfc9111.selecting(vary, headers))
