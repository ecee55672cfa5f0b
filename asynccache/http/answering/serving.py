"""Answering from what is kept: the whole, a part of it, or "you have it already".

Decides which answer a stored response makes to a request that it may be used for; whether it may, is settled before.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from asynccache.errors import StoreError
from asynccache.http import rfc9111
from asynccache.http.answering.errands import Coming
from asynccache.http.answering.exchange import Answer, Arrival, Kind
from asynccache.http.answering.spool import Spool
from asynccache.http.kept.response_store import ResponseStore
from asynccache.http.kept.stored import ChunkedBody, InlineBody, StoredResponse
from asynccache.http.syntax import conditional, ranges
from asynccache.http.syntax.message import Fields, Request
from asynccache.http.syntax.status import CacheStatus, Forwarded

_READ_AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes of a body up to which it is read before it is answered with."""


def answer_from(
    request: Request, stored: StoredResponse, terms: rfc9111.Terms, now: float, status: CacheStatus
) -> Answer | None:
    """Give what a stored response answers to a request; None if it holds a part only, and that is not asked for.

    Args:
        request: what is asked.
        stored: a response that may be used for it.
        terms: of that.
        now: seconds of wall time.
        status: what the cache did.
    """
    headers = request.headers
    answer = Answer(
        Kind.STORED,
        stored.status,
        stored.reason,
        stored.fields,
        status,
        terms,
        now,
        body=stored.body if request.method != "HEAD" else None,
        is_decoded=stored.is_decoded,
    )
    if stored.status in {200, 206} and _is_conditional(request) and conditional.is_not_modified(headers, stored.fields):
        answer.kind, answer.status, answer.reason, answer.body = Kind.MADE, 304, "Not Modified", None
        answer.fields = conditional.not_modified_fields(stored.fields)
    elif stored.span is not None or (
        "range" in headers and stored.status == 200 and request.method == "GET" and not stored.is_decoded
    ):
        return _part(request, stored, answer)
    return answer


def _is_conditional(request: Request) -> bool:
    return "if-none-match" in request.headers or "if-modified-since" in request.headers


def _part(request: Request, stored: StoredResponse, answer: Answer) -> Answer | None:
    """Narrow an answer to the range that is asked for (RFC 9111, 3.3; RFC 9110, 14.2)."""
    if request.method != "GET" or not ranges.if_range_holds(request.headers, stored.fields):
        return answer if stored.span is None else None
    part = ranges.slice_of(stored.span, stored.body.size, request.headers)
    if part is None:
        return answer if stored.span is None else None
    if isinstance(part, ranges.Unsatisfiable):
        answer.kind, answer.status, answer.reason, answer.body = Kind.MADE, 416, "Range Not Satisfiable", None
        answer.fields = Fields((("Content-Range", f"bytes */{part.length}"),))
        return answer
    answer.status, answer.reason = 206, "Partial Content"
    answer.fields = ranges.part_fields(stored.fields, part.span, part.last - part.first + 1)
    answer.first, answer.last = part.first, part.last
    return answer


def passed(arrival: Arrival, reason: Forwarded, detail: str | None = None) -> Answer:
    """Give the answer that is the origin's own."""
    response = arrival.response
    told = CacheStatus(fwd=reason, fwd_status=response.status, detail=detail)
    return Answer(Kind.PASSED, response.status, response.reason, response.fields, told, arrival=arrival)


def coming(landing: Coming, reason: Forwarded, now: float, *, is_leader: bool) -> Answer:
    """Give the answer that is on its way: untouched to the one whose request it was, as a cache tells it to others."""
    arrival, response = landing.arrival, landing.arrival.response
    told = CacheStatus(fwd=reason, fwd_status=response.status, stored=True, collapsed=not is_leader)
    answer = Answer(
        Kind.STREAMED, response.status, response.reason, response.fields, told,
        spool=landing.spool, is_decoded=arrival.is_decoded,
    )  # fmt: skip
    if is_leader and arrival.native is not None:
        answer.arrival = arrival
    else:
        answer.fields, answer.terms, answer.now = landing.stored.fields, landing.terms, now
    return answer


def only_if_cached(status: CacheStatus) -> Answer:
    """Give the answer to a request that wants nothing but what is kept, and nothing is (RFC 9111, 5.2.1.7)."""
    return Answer(Kind.MADE, 504, "Gateway Timeout", Fields((("Content-Length", "0"),)), status)


async def open_body(
    store: ResponseStore, body: ChunkedBody, first: int, last: int | None, forget: Callable[[], Awaitable[None]]
) -> InlineBody | Spool | None:
    """Read a body that lies in pieces, or begin to; None if some of it has gone.

    A small one is read before anything is answered: if a piece has gone, nobody is told of it.

    Args:
        store: where it lies.
        body: it.
        first: the first byte that is wanted.
        last: the last one, counted; None: to the end.
        forget: called if a piece is missing.
    """
    chunks = store.read(body, first, last)
    try:
        if (body.size if last is None else last + 1) - first <= _READ_AT_ONCE:
            return InlineBody(b"".join([chunk async for chunk in chunks]))
        head = await anext(chunks, b"")
    except StoreError:
        await forget()
        return None
    return Spool(_with_head(head, chunks, forget))


async def _with_head(
    head: bytes, chunks: AsyncIterator[bytes], forget: Callable[[], Awaitable[None]]
) -> AsyncIterator[bytes]:
    yield head
    try:
        async for chunk in chunks:
            yield chunk
    except StoreError:
        await forget()  # the next request is not to be told the same
        raise
