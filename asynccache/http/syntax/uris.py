"""When two URIs name the same resource, and which of them belong to one origin.

Decides how a URI is written before it is compared. Only what all servers treat alike is made alike (RFC 3986, 6.2.2.1,
6.2.2.2 and 6.2.3): the case of scheme and host, the default port, the empty path, escapes of signs that need none, and
the case of hexadecimal digits. Otherwise, paths and queries stay as they are.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urljoin

_ABSOLUTE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.DOTALL)
_PORTS: Final = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]", re.ASCII)
_VISIBLE: Final = "".join(map(chr, range(0x21, 0x7F)))


@lru_cache(maxsize=1024)
def cache_uri(uri: str) -> str:
    """Give the one way to write a URI: without login and fragment, normalised as far as that is safe.

    Args:
        uri: an absolute one; of others, only the fragment is taken off.
    """
    found = _ABSOLUTE.fullmatch(uri)
    if found is None:
        return uri.partition("#")[0]
    return f"{_origin(found)}{plain(found[3]) or '/'}{plain(found[4] or '')}"


def plain(text: str) -> str:
    """Give a path or a query without escapes of unreserved signs, the others in upper case (RFC 3986, 6.2.2)."""
    return _ESCAPE.sub(_plain, text) if "%" in text else text


def _plain(escape: re.Match[str]) -> str:
    sign = chr(int(escape[1], 16))
    return sign if _UNRESERVED.fullmatch(sign) else escape[0].upper()


def decoded(text: str) -> str:
    """Give a path as a router sees it, which looks at no escapes: written with as few of them as possible."""
    return quote(unquote_to_bytes(text), safe=_VISIBLE) if "%" in text else text


def same_origin(uri: str, reference: str) -> str | None:
    """Resolve a reference; give it as `cache_uri` does, or None if it leads to another origin (RFC 9110, 4.3.1).

    Args:
        uri: an absolute one, whose origin counts.
        reference: relative to that: the value of `Location` or `Content-Location`.
    """
    try:
        target = urljoin(uri, reference.strip())
    except ValueError:  # brackets that hold no address
        return None
    one, other = _ABSOLUTE.fullmatch(uri), _ABSOLUTE.fullmatch(target)
    if one is None or other is None or _origin(one) != _origin(other):
        return None
    return cache_uri(target)


def _origin(found: re.Match[str]) -> str:
    scheme = found[1].lower()
    host = found[2].rpartition("@")[2].lower().removesuffix(":")
    return f"{scheme}://{host.removesuffix(_PORTS.get(scheme, ':'))}"
