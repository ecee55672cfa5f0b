"""What requests are told apart by: the fields that `Vary` names, and the values that mean the same.

Decides which differences between two values are none (RFC 9111, 4.1): spaces around commas, several lines for one, and
for the fields of content negotiation, case, how a weight is written, and order; of languages, that counts, as some
handlers take the first (RFC 9110, 12.5.4). Logins and cookies are compared octet by octet. Only a digest of the values
leaves: some are secret.
"""

import re
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final

from asynccache.http.syntax.fields import all_members, is_token, members, parameters
from asynccache.http.syntax.message import Fields, Headers

_EXACT: Final = frozenset({"authorization", "proxy-authorization", "cookie", "user-agent", "referer", "origin", "host"})
"""Fields that are no lists: a comma in them is a comma."""

_ORDERED: Final = frozenset({"accept-language"})
"""Fields of content negotiation whose order may be one of preference."""

_WEIGHT: Final = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?", re.ASCII)


def varies_by(fields: Fields) -> tuple[str, ...] | None:
    """Give the names in `Vary`, in lower case, sorted, each once; None if it is `*` (RFC 9110, 12.5.5)."""
    names = {name.lower() for name in all_members(fields, "vary")}
    return None if "*" in names else tuple(sorted(names))


def selecting(names: Iterable[str], headers: Headers) -> bytes:
    """Digest the values that a request has in some fields: equal for two requests if all of them match (RFC 9111, 4.1).

    Args:
        names: of the fields, in lower case.
        headers: of the request.

    Returns:
        16 bytes; none if the request has none of the fields, which is what most have.
    """
    present = [name for name in names if name in headers]
    if not present:
        return b""
    digest = blake2b(digest_size=16)
    for name in present:
        value = normalised(name, headers).encode("utf-8", "surrogatepass")
        digest.update(b"%d:%d:" % (len(name), len(value)))
        digest.update(name.encode("utf-8", "surrogatepass"))
        digest.update(value)
    return digest.digest()


def normalised(name: str, headers: Headers) -> str:
    """Give one form of a field's value for all that mean the same."""
    lines = headers.getall(name, ())
    if name in _EXACT:
        return ("; " if name == "cookie" else ", ").join(line.strip() for line in lines)
    if negotiated := _NEGOTIATED.get(name):
        preferences = [negotiated(member) for line in lines for member in members(line)]
        read = [each for each in preferences if each is not None]
        if len(read) == len(preferences):
            return ",".join(dict.fromkeys(read) if name in _ORDERED else sorted(set(read)))
    return ",".join(member for line in lines for member in members(line))


def _plain(member: str) -> str | None:
    """Read a coding, a charset or a language: case means nothing, and it has no parameter but its weight."""
    value, *more = parameters(member.lower()) or [""]
    weight = _weight(more[0]) if more else ""
    return value + weight if weight is not None and is_token(value) and len(more) < 2 else None


def _media_range(member: str) -> str | None:
    """Read a media range: names and types have no case, the values of parameters may have one (RFC 9110, 8.3.1)."""
    value, *more = parameters(member) or [""]
    told: list[str] = []
    weights: list[str] = []
    for parameter in more:
        name, equals, argument = parameter.partition("=")
        if name.lower() != "q":
            told.append(f";{name.lower()}{equals}{argument}")
        elif (weight := _weight(parameter.lower())) is not None:
            weights.append(weight)
        else:
            return None
    is_range = len(weights) < 2 and all(map(is_token, value.split("/")))
    return value.lower() + "".join([*told, *weights]) if is_range else None


def _weight(parameter: str) -> str | None:
    """Read `q=…`; a weight of 1 is the same as none (RFC 9110, 12.4.2)."""
    name, _, value = parameter.partition("=")
    if name != "q" or not _WEIGHT.fullmatch(value):
        return None
    thousandths = round(float(value) * 1000)
    return "" if thousandths == 1000 else f";q={thousandths}"


_NEGOTIATED: Final[dict[str, Callable[[str], str | None]]] = {
    "accept": _media_range,
    "accept-charset": _plain,
    "accept-encoding": _plain,
    "accept-language": _plain,
}
