"""Messages for the tests of the rules: what is not said is what most messages have."""

from typing import Final

from asynccache.http.kept.stored import Body, InlineBody, StoredResponse
from asynccache.http.rfc9111 import Terms, selecting, terms
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.dates import format_date
from asynccache.http.syntax.message import Fields, Request, Response
from asynccache.http.syntax.ranges import Span

NOW: Final = 1_800_000_000.0
"""When every response below came."""

TEN_BYTES: Final = InlineBody(b"0123456789")
URI: Final = "https://example.org/a"
PRIVATE: Final = Policy()
SHARED: Final = Policy(shared=True)


def when(seconds: float) -> str:
    """An HTTP-date, relative to when responses came."""
    return format_date(NOW + seconds)


def fields(*lines: str) -> Fields:
    """Fields from lines as they stand in a message."""
    return Fields((name, value.strip(" ")) for name, _, value in (line.partition(":") for line in lines))


def request(*lines: str, method: str = "GET", uri: str = URI) -> Request:
    """A request."""
    return Request(method, uri, fields(*lines))


def response(*lines: str, status: int = 200, delay: float = 0.0) -> Response:
    """A response with those lines and a date, unless one of them is a date; `delay` seconds after its request."""
    dated = lines if any(line.lower().startswith("date:") for line in lines) else (f"Date: {when(0)}", *lines)
    return Response(status, fields(*dated), NOW - delay, NOW)


def stored(
    *lines: str,
    status: int = 200,
    method: str = "GET",
    delay: float = 0.0,
    vary: tuple[str, ...] = (),
    asked: Request | None = None,
    body: Body = TEN_BYTES,
    span: Span | None = None,
    is_decoded: bool = False,
) -> StoredResponse:
    """What is kept of such a response; `asked` is what it varies by."""
    came = response(*lines, status=status, delay=delay)
    return StoredResponse(
        method=method,
        status=status,
        reason="",
        fields=came.fields,
        request_time=came.request_time,
        response_time=came.response_time,
        vary=vary,
        selecting=selecting(vary, (asked or request()).headers),
        body=body,
        span=span,
        is_decoded=is_decoded,
    )


def terms_of(*lines: str, policy: Policy = PRIVATE, status: int = 200, delay: float = 0.0) -> Terms:
    """The terms of such a response."""
    return terms(stored(*lines, status=status, delay=delay), policy)


def fresh_for(*lines: str, policy: Policy = PRIVATE, status: int = 200) -> float:
    """For how many seconds such a response is fresh when it comes."""
    return terms_of(*lines, policy=policy, status=status).fresh_until - NOW
