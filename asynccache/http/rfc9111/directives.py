"""RFC 9111, section 5.2: what the two sides say in `Cache-Control`, as far as the user lets it count."""

from typing import Final

from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.fields import Directives, directives
from asynccache.http.syntax.message import Headers, Request

_NO_CACHE: Final = Directives({"no-cache": (None,)})
_NOTHING: Final = Directives({})
_LEAST: Final = ("max-age", "max-stale", "stale-if-error")
_MOST: Final = ("min-fresh",)


def request_directives(request: Request, policy: Policy) -> Directives:
    """Give the directives of a request (5.2.1). `Pragma: no-cache` counts where there is no `Cache-Control` (5.4).

    Of several that limit the same, the strictest counts, so that each of those who said them is heard. The RFC leaves
    open which it is (4.2.1).
    """
    headers = request.headers
    if "request-directives" in policy.ignore:
        return _NOTHING
    if "cache-control" not in headers and "no-cache" in ",".join(headers.getall("pragma", ())).lower():
        return _NO_CACHE
    return directives(headers).strictest(_LEAST, _MOST)


def wants_only_stored(request: Request, policy: Policy) -> bool:
    """Tell whether a request wants nothing but what is stored, or else a 504 (5.2.1.7)."""
    return "cache-control" in request.headers and "only-if-cached" in request_directives(request, policy)


def forbids_storing(request: Request, policy: Policy) -> bool:
    """Tell whether a request forbids to store what it is answered (5.2.1.5)."""
    return "cache-control" in request.headers and "no-store" in request_directives(request, policy)


def response_directives(fields: Headers, policy: Policy) -> Directives:
    """Give the directives of a response (5.2.2), without those that the user told us to ignore."""
    said = directives(fields)
    if not policy.ignore:
        return said
    return said.without(policy.ignore | {"proxy-revalidate"} if "must-revalidate" in policy.ignore else policy.ignore)
