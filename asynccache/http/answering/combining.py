"""Parts of a representation that become more of it: joined in the store, or completed on their way (RFC 9111, 3.4).

Decides nothing of what may be joined, which `ranges` says; only how the bytes come together.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

from asynccache.errors import StoreError
from asynccache.http import rfc9111
from asynccache.http.answering.exchange import Arrival, Lines
from asynccache.http.kept.response_store import ResponseStore, Variants
from asynccache.http.kept.stored import Body, StoredResponse
from asynccache.http.syntax import ranges
from asynccache.http.syntax.message import Headers, Response
from asynccache.http.syntax.ranges import Span


async def joined(store: ResponseStore, found: Variants, received: StoredResponse, ttl: float) -> StoredResponse | None:
    """Join a part that has come with what is kept of the same representation.

    Args:
        store: where both lie.
        found: what is kept for the URI.
        received: the part.
        ttl: for how long what they make is to be kept, in seconds.

    Returns:
        what is to be kept now; None if that is what is kept already, or if the part is not what it says it is.
    """
    if received.span is None or received.body.size != ranges.size_of(received.span):
        return None
    for held in found.responses:
        if (held.vary, held.selecting) == (received.vary, received.selecting) and ranges.may_be_combined(
            held.fields, received.fields
        ):
            if held.span is None:
                return None
            both = ranges.combined(held.span, received.span)
            if both is not None:
                return await _written(store, both, held, received, ttl)
    return received


async def _written(
    store: ResponseStore, both: ranges.Combined, held: StoredResponse, received: StoredResponse, ttl: float
) -> StoredResponse:
    """Write two parts as one; give the newer part alone if that fails."""
    writer = store.begin_body(ttl)
    body: Body | None = None
    try:
        async for chunk in _pieces(store, both.pieces, {"held": held.body, "received": received.body}):
            if not await writer.write(chunk):
                break
        else:
            body = await writer.finish()
    except StoreError:  # a piece of what was kept has gone
        body = None
    if body is None:
        await writer.abandon()
        return received
    fields = rfc9111.updated_fields(held.fields, received.fields)
    if both.is_whole:
        return replace(
            received, status=200, reason="OK", span=None, body=body, fields=ranges.whole_fields(fields, body.size)
        )
    return replace(received, span=both.span, body=body, fields=ranges.part_fields(fields, both.span, body.size))


async def _pieces(
    store: ResponseStore, pieces: Iterable[ranges.Piece], bodies: dict[str, Body]
) -> AsyncIterator[bytes]:
    for piece in pieces:
        async for chunk in store.read(bodies[piece.source], piece.start, piece.stop - 1):
            yield chunk


class Beginning:
    """The stored beginning of a representation of which all is asked for: only the rest has to be fetched.

    Args:
        held: the beginning, and its span.
        store: where its body lies.
    """

    def __init__(self, held: StoredResponse, span: Span, store: ResponseStore) -> None:
        self._held = held
        self._span = span
        self._store = store
        self.lines: Lines = ranges.missing_range(span, held.fields)
        """What asks for the rest, and for the whole if it is another one by now."""

    @classmethod
    def among(cls, found: Variants, headers: Headers, store: ResponseStore) -> "Beginning | None":
        """Find one that a request selects, and that can be completed; None if there is none."""
        held = rfc9111.choose(headers, tuple(each for each in found.responses if each.span is not None))
        if held is None or held.span is None:
            return None
        beginning = cls(held, held.span, store)
        return beginning if beginning.lines else None

    def completed_by(self, arrival: Arrival) -> "Completed | None":
        """Take the rest; None if that is not what has come."""
        response = arrival.response
        rest = ranges.content_range(response.fields) if response.status == 206 else None
        if rest is None or not ranges.may_be_combined(self._held.fields, response.fields):
            return None
        if rest.first != self._span.last + 1 or rest.length is None or rest.length != rest.last + 1:
            return None
        fields = rfc9111.updated_fields(self._held.fields, response.fields)
        whole = replace(response, status=200, reason="OK", fields=ranges.whole_fields(fields, rest.length))
        return Completed(arrival, whole, self._store.read(self._held.body))


class Completed:
    """The rest of a representation, behind the beginning that was kept. Implements `Arrival`.

    Attributes:
        response: as if the whole had come.
        native: None: no framework has received this.
    """

    native: Any = None
    is_decoded = is_untouched = False
    length: int | None = None

    def __init__(self, rest: Arrival, response: Response, beginning: AsyncIterator[bytes]) -> None:
        self.response = response
        self.tags = rest.tags
        self._rest = rest
        self._beginning = beginning

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the beginning, then the rest as it comes."""
        async for chunk in self._beginning:
            yield chunk
        async for chunk in self._rest.chunks():
            yield chunk

    def discard(self) -> None:
        """Let go of the rest."""
        self._rest.discard()
