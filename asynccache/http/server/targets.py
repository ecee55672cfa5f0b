"""What a request asks for, as the key of a cache sees it: scheme, host, path and query, and nothing else.

Decides which requests cannot have a key. Fields that a server has not checked, such as `X-Forwarded-Host`, never enter:
a handler that answers by one of them has to say so in `Vary`, or its responses are everybody's. A `Host` that could be
read as more than a host would let one who asks for `/x` have the answer stored for another path: such requests are
answered without the cache.
"""

import re
from functools import lru_cache
from typing import Final

from asynccache.http.syntax.uris import cache_uri, plain

_HOST: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?", re.ASCII)
"""RFC 9110, 7.2, and RFC 3986, 3.2.2: no login, and nothing with which a path could begin."""


def uri_of(scheme: str, host: str, target: str) -> str | None:
    """Give the URI that a request asks for; None if it has none that a key can be made of.

    Args:
        scheme: of the connection.
        host: with the port, as the client has sent it.
        target: the path and the query, as they were sent.
    """
    origin = _origin(scheme, host)
    if origin is None or not target.startswith("/") or "#" in target:
        return None
    return origin + plain(target)


@lru_cache(maxsize=1024)
def _origin(scheme: str, host: str) -> str | None:
    if scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        return None
    return cache_uri(f"{scheme}://{host}").removesuffix("/")
