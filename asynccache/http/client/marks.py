"""What makes two requests for one URL ask for different things.

Decides which of a request's ways count: where it is led, what it trusts, what becomes of the body. Almost all requests
have none of these, and their mark is empty. A proxy is not among them: it brings what the server behind it says.
"""

import contextlib
import hashlib
import ssl
from types import CodeType, FunctionType
from typing import Final

from aiohttp import ClientHandlerType, ClientRequest, Fingerprint
from aiohttp.payload import BytesPayload

from asynccache.http import rfc9111
from asynccache.http.answering.engine import UNDECODED

_WISH: Final = "auto_decompress"
_MOST_LOOKED_AT: Final = 64


def mark_of(request: ClientRequest, *, decodes: bool) -> str:
    """Give what, besides its method and URL, is part of what a request asks for; empty if nothing is.

    Args:
        request: what is asked.
        decodes: whether content codings are taken off its body.
    """
    host, place, trust = _other_host(request), _other_place(request), _other_trust(request)
    mark = "" if decodes else UNDECODED
    if host is None and place is None and not trust:
        return mark
    ways = (host or "", place or "", *trust)
    return mark + _digest("\n".join(ways).encode("utf-8", "surrogateescape"))


def mark_of_body(body: BytesPayload, content_type: str) -> str:
    """Give what stands for the body of a request in what it asks for."""
    content = bytes(body._value)  # pyright: ignore[reportPrivateUsage]  # `as_bytes` came with 3.12.4, and is async
    kind = content_type.encode("utf-8", "surrogateescape")
    return _digest(b"%d:%s%s" % (len(kind), kind, content))


def decodes_bodies(request: ClientRequest, handler: ClientHandlerType) -> bool:
    """Tell whether content codings will be taken off the body of what comes for a request.

    A request may say so itself, and aiohttp does not tell middlewares: only the function at the end of their chain
    knows. If that is not to be found, as it stands behind something that is no function, what the session says counts.
    """
    if isinstance(handler, FunctionType) and (known := _known.get(id(handler.__code__))) is not None:
        return bool((handler.__closure__ or ())[known[0]].cell_contents)
    told = _wish_behind(handler)
    return request.session.auto_decompress if told is None else told


_known: Final[dict[int, tuple[int, CodeType]]] = {}
"""Where the wish is held by the function that sends: there is one such function in aiohttp. Found by the `id` of its
code, which is kept: to hash code takes longer than all the rest.
"""


def _wish_behind(handler: ClientHandlerType) -> bool | None:
    waiting: list[object] = [handler]
    for function in waiting:
        if not isinstance(function, FunctionType):
            continue
        names, cells = function.__code__.co_freevars, function.__closure__ or ()
        if _WISH in names:
            at = names.index(_WISH)
            if function is handler:
                _known[id(function.__code__)] = at, function.__code__
            return bool(cells[at].cell_contents)
        for cell in cells if len(waiting) < _MOST_LOOKED_AT else ():
            with contextlib.suppress(ValueError):  # nothing is in it yet
                waiting.append(cell.cell_contents)
    return None


def _other_host(request: ClientRequest) -> str | None:
    """Give the host that is named to the server, if that is not the URL's (RFC 9110, 7.2)."""
    host, url = request.headers.get("Host"), request.url
    if host is None or host == url.host_port_subcomponent:
        return None
    named, own = (rfc9111.cache_uri(f"{url.scheme}://{each}/") for each in (host, url.host_port_subcomponent))
    return None if named == own else f"host {named}"


def _other_place(request: ClientRequest) -> str | None:
    """Give the socket that a session's connections lead to, if that is what they do."""
    path = getattr(request.session.connector, "path", None)
    return None if path is None else f"socket {path}"


def _other_trust(request: ClientRequest) -> tuple[str, ...]:
    """Give by what the server is believed, if not by its certificate for the host of the URL.

    Contexts that verify are taken as equal: whom they trust is their owner's affair, and what they show of themselves
    cannot be seen.
    """
    if not request.is_ssl():
        return ()
    trust: object = request.ssl
    if trust is True:
        trust = getattr(request.session.connector, "_ssl", True)
    name = request.server_hostname
    ways = () if name is None or name == request.url.raw_host else (f"name {name}",)
    if isinstance(trust, Fingerprint):
        return (*ways, f"fingerprint {trust.fingerprint.hex()}")
    if isinstance(trust, ssl.SSLContext):
        trust = trust.verify_mode is ssl.CERT_REQUIRED and trust.check_hostname
    return ways if trust is True else (*ways, "unverified")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
