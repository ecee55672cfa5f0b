"""What the `url` of a rule covers.

Decides what `*` stands for in each part of a URL. A host stays a host: what covers `*.example.com` must not cover the
path `/x.example.com/` of somebody else, as rules may say of whom to believe what.
"""

import re
from typing import Final

from asynccache.http.syntax.iris import host_as_sent, path_as_sent
from asynccache.http.syntax.uris import decoded, plain

_PORTS: Final = {"http": ":80", "https": ":443"}
_WHOLE: Final = 'as in "https://example.com/*"'


def url_pattern(url: str, *, is_decoded: bool = False) -> re.Pattern[str]:
    """Make an expression that fits the URLs, without queries and as `cache_uri` gives them, that a rule is for.

    Args:
        url: of the rule.
        is_decoded: whether the paths of those URLs are as `decoded` gives them.

    Raises:
        TypeError, ValueError: the url cannot be meant; the message says what to write instead.
    """
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users without a checker
        raise TypeError(f"the url of a rule is a string, {_WHOLE}, not {url!r}")
    if "?" in url or "#" in url:
        raise ValueError(f"the url of a rule ends before the query: leave out what comes after ? or #: {url!r}")
    if url == "*":
        return re.compile(".*", re.DOTALL)
    scheme, separator, rest = url.partition("://")
    host, slash, path = (rest if separator else url).partition("/")
    _refuse(url, host, slash)
    sent = path_as_sent(slash + path)
    origins = _origins((scheme if separator else "*").lower(), host)
    return re.compile(origins + _any(decoded(sent) if is_decoded else plain(sent), "."), re.DOTALL)


def _refuse(url: str, host: str, slash: str) -> None:
    if not host:
        raise ValueError(f'the url of a rule begins with a host, {_WHOLE}, or with *, as in "*/img/*": {url!r}')
    if not slash:
        raise ValueError(
            f'the url of a rule has a host and a path: write "{url}/*" for all of a host, '
            f'or "*/{url}" for all paths that end so, not {url!r}'
        )
    if "@" in host:
        raise ValueError(f"the url of a rule has no login: leave out what comes before @{host.rpartition('@')[2]}")


def _origins(scheme: str, host: str) -> str:
    """Fit scheme and host; `*` alone for a host may go on into the path, as it does in `*/img/*`."""
    if host == "*":
        return _any(scheme, "[^:/]") + "://[^/]*(?:/.*)?"
    name = host_as_sent(host).lower()
    if scheme in _PORTS:
        return f"{scheme}://" + _any(name.removesuffix(_PORTS[scheme]), "[^/]")
    fits = [_any(f"{scheme}://{name}", "[^/]")]
    for known, port in _PORTS.items():
        if name.endswith(port) and re.fullmatch(_any(scheme, "[^:/]"), known):
            fits.append(f"{known}://" + _any(name.removesuffix(port), "[^/]"))
    return f"(?:{'|'.join(fits)})"


def _any(text: str, letter: str) -> str:
    """Fit a text in which `*` stands for any letters of one kind."""
    return f"{letter}*".join(map(re.escape, text.split("*")))
