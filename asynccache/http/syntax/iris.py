"""How a URL that a person writes becomes the one that is sent (RFC 3987, 3.1).

Decides nothing about what two URLs have in common: see `uris`. What is ASCII already stays as it is.
"""

import re
from typing import Final
from urllib.parse import quote

_WHOLE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]+)(.*)", re.DOTALL)
_KEPT: Final = "".join(map(chr, range(0x21, 0x7F)))


def as_sent(url: str) -> str | None:
    """Give a URL as clients send it; None if it is not a whole one, with scheme and host.

    Raises:
        ValueError: its host has no name in ASCII.
    """
    found = _WHOLE.fullmatch(url)
    return None if found is None else f"{found[1]}://{host_as_sent(found[2])}{path_as_sent(found[3])}"


def host_as_sent(host: str) -> str:
    """Give a host, with or without its port, in ASCII.

    Raises:
        ValueError: it has no such name.
    """
    return host if host.isascii() else host.encode("idna").decode()


def path_as_sent(path: str) -> str:
    """Give a path, a query, or both, with escapes for what is not ASCII or is no visible sign."""
    return quote(path, safe=_KEPT)
