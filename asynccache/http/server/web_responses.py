"""aiohttp.web's responses: what can be read off one before it is sent, and how one is made of what is kept.

Decides which responses can be kept at all: those that a handler returns whole. A `web.Response` can be sent once only,
so every hit gets a new one.
"""

from typing import Final

from aiohttp import web
from aiohttp.payload import BytesPayload

from asynccache.http.answering.exchange import Answer
from asynccache.http.server.pieces import BodyReader
from asynccache.http.server.sharing import extra_lines, without_age
from asynccache.http.syntax.message import Fields

COMPRESS: Final = "asynccache-compress"
"""Notes in what is kept that the handler has had the body compressed, for whoever accepts that. Never sent."""


async def whole_body(response: web.StreamResponse) -> bytes | None:
    """Give the body of a response that a handler has returned; None if it comes in any other way than whole."""
    if not isinstance(response, web.Response) or response.prepared or response.content_type == "text/event-stream":
        return None
    body = response.body
    if body is None:
        return b""
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    return await body.as_bytes() if isinstance(body, BytesPayload) else None


def fields_of(response: web.StreamResponse, size: int | None) -> Fields:
    """Give the fields that a response will be sent with.

    Args:
        response: not sent yet.
        size: bytes of its body, where that is known: for HEAD, some handlers make none.
    """
    pairs = [(str(name), value) for name, value in response.headers.items()]
    pairs += [("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()]
    if size is not None:
        if response.status not in {204, 304} and "Content-Length" not in response.headers:
            pairs.append(("Content-Length", str(size)))
        if response.compression:
            pairs.append((COMPRESS, "?1"))
    return Fields(pairs)


def response_of(answer: Answer, body: BodyReader, *, is_head: bool) -> web.Response:
    """Make a response of an answer.

    Args:
        answer: from what is kept, or made by the cache itself, or being read for somebody else.
        body: of that.
        is_head: whether the request has no body for an answer.
    """
    fields = without_age(answer.fields)
    is_compressed = COMPRESS in fields
    pairs = (fields.without((COMPRESS,)) if is_compressed else fields).pairs
    headers = (*pairs, *extra_lines(answer))
    content = None if is_head else body.content if body.content is not None else body.read()
    response = web.Response(status=answer.status, reason=answer.reason or None, headers=headers, body=content or None)
    if body.content is None:
        body.leave_with(response)
    if is_compressed and content is not None and answer.status == 200:
        response.enable_compression()
    return response
