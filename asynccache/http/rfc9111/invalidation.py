"""RFC 9111, section 4.4: what a request that changes something makes invalid."""

from asynccache.http.syntax.message import SAFE_METHODS, Request, Response, single
from asynccache.http.syntax.uris import cache_uri, same_origin


def invalidated_uris(request: Request, response: Response) -> tuple[str, ...]:
    """Give the URIs of what is not valid any more after a request (4.4), each once, as `cache_uri` writes them.

    That is what was changed, and what `Location` and `Content-Location` tell of it in the same origin; nothing if the
    method changes nothing, or the origin failed to.
    """
    if request.method in SAFE_METHODS or not 200 <= response.status < 400:
        return ()
    places = (single(response.fields, name) for name in ("location", "content-location"))
    others = (same_origin(request.uri, place) for place in places if place is not None)
    return tuple(dict.fromkeys((cache_uri(request.uri), *(uri for uri in others if uri is not None))))
