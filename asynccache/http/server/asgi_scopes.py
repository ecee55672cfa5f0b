"""What the scope of an ASGI request asks for.

Decides which path counts: the one that was sent, unless somebody on the way has changed what the application sees. What
an application could tell apart has different keys.
"""

from typing import Any, Final, cast
from urllib.parse import quote, unquote

from asynccache.http.server.asgi_types import Message, Receive, Scope
from asynccache.http.server.targets import uri_of
from asynccache.http.syntax.message import Fields

_IN_A_PATH: Final = "/:@!$&'()*+,;=~"
"""What `quote` leaves as it is besides letters and digits (RFC 3986, 3.3). A percent sign is none of it: in `path` it
stands for itself."""


def uri_of_scope(scope: Scope) -> str | None:
    """Give the URI of a request; None if it has none that a key can be made of."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    server: Any = scope.get("server")
    if len(hosts) > 1:
        return None
    host = hosts[0].decode("latin-1") if hosts else ":".join(map(str, server or ()))
    path = _path_of(scope)
    query = scope.get("query_string", b"").decode("latin-1")
    return uri_of(scope.get("scheme", "http"), host, f"{path}?{query}" if query else path)


def _path_of(scope: Scope) -> str:
    """Give the path as it was sent, if it is still the one that the application is asked for."""
    path: str = scope["path"]
    raw = scope.get("raw_path")
    if raw:
        sent = cast("bytes", raw).decode("latin-1")
        named = unquote(sent) if "%" in sent else sent
        if named == path or named == scope.get("root_path", "") + path:  # a mount may have taken its part off
            return sent
    return quote(path, safe=_IN_A_PATH, errors="surrogatepass")


def fields_of(headers: Any) -> Fields:
    """Give the fields of a scope or a response."""
    return Fields((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def tells_of_a_body(fields: Fields) -> bool:
    """Whether the fields of a request say that it has a body, or is no plain request at all."""
    return (
        "transfer-encoding" in fields
        or fields.getall("content-length", ("0",))[0].strip() != "0"
        or "upgrade" in fields
    )


def may_have_a_body_untold(scope: Scope) -> bool:
    """Whether a body needs no field that tells of it: since HTTP/2 it has frames of its own (RFC 9113, 8.1.1)."""
    return not str(scope.get("http_version", "1.1")).startswith("1")


def has_more(message: Message) -> bool:
    """Whether the first message of a request is not all of it."""
    return message["type"] == "http.request" and bool(message.get("body") or message.get("more_body"))


def heard_again(message: Message, receive: Receive) -> Receive:
    """Give what tells a message again that was heard already, and then what comes after it."""
    waiting = [message]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving
