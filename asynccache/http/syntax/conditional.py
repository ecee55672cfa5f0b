"""Requests with conditions, answered from what is kept, and the validators that they are about.

Decides whether two validators mean the same (RFC 9110, 8.8), whether a condition of a request makes the answer a 304
(RFC 9111, 4.3.2), and what a 304 tells.
"""

import re
from typing import Final

from asynccache.http.syntax.dates import parse_date
from asynccache.http.syntax.message import Fields, Headers, single

_ENTITY_TAG: Final = re.compile(r'(?:W/)?"[^"]*"|[^,\s][^,]*')
_VALID_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')
_OF_THE_CONTENT: Final = frozenset(
    {"content-length", "content-type", "content-encoding", "content-language", "content-range", "content-md5"}
    | {"content-digest", "repr-digest", "digest"}
)
"""Fields that describe a content, which a 304 has not."""


def entity_tag(headers: Headers) -> str | None:
    """Give the `ETag` as it was sent; None if there is none (RFC 9110, 8.8.3)."""
    return single(headers, "etag") or None


def is_strong(tag: str) -> bool:
    """Whether an entity tag promises equality of every octet; one without quotes promises nothing."""
    return tag.startswith('"') and _VALID_TAG.fullmatch(tag) is not None


def same_strong(one: str | None, other: str | None) -> bool:
    """Compare entity tags strongly (RFC 9110, 8.8.3.2)."""
    return one is not None and one == other and is_strong(one)


def same_weak(one: str | None, other: str | None) -> bool:
    """Compare entity tags weakly (RFC 9110, 8.8.3.2)."""
    return one is not None and other is not None and one.removeprefix("W/") == other.removeprefix("W/")


def last_modified(fields: Headers, near: float | None = None) -> int | None:
    """Give the `Last-Modified` in seconds; None if there is none that is valid (RFC 9110, 8.8.2)."""
    value = single(fields, "last-modified")
    return parse_date(value, near) if value is not None else None


def is_strong_date(fields: Headers) -> bool:
    """Whether `Last-Modified` is a strong validator: older than `Date` by a second or more (RFC 9110, 8.8.2.2)."""
    date = single(fields, "date")
    sent = parse_date(date) if date is not None else None
    modified = last_modified(fields, sent)
    return sent is not None and modified is not None and sent - modified >= 1


def is_not_modified(headers: Headers, fields: Headers, received: float | None = None) -> bool:
    """Tell whether a request's conditions say that its sender has this already (RFC 9111, 4.3.2; RFC 9110, 13.2.2).

    Args:
        headers: of the request.
        fields: of the stored response that answers it.
        received: when that came, in seconds of wall time; counts if it has neither `Last-Modified` nor `Date`.
    """
    if "if-none-match" in headers:  # then If-Modified-Since is not looked at, whatever comes of this
        return _is_listed(", ".join(headers.getall("if-none-match", ())), entity_tag(fields))
    since = headers.getall("if-modified-since", ())
    if len(since) != 1:
        return False
    date = single(fields, "date")
    sent = parse_date(date) if date is not None else None
    asked = parse_date(since[0], sent)
    changed = last_modified(fields, sent)
    known = changed if changed is not None else sent if sent is not None else received
    return asked is not None and known is not None and known <= asked


def _is_listed(value: str, tag: str | None) -> bool:
    if value.strip() == "*":
        return True
    return any(same_weak(each.strip(), tag) for each in _ENTITY_TAG.findall(value))


def not_modified_fields(fields: Fields) -> Fields:
    """Give the fields of the 304 that tells of a stored response (RFC 9110, 15.4.5)."""
    gone = _OF_THE_CONTENT | {"last-modified"} if "etag" in fields else _OF_THE_CONTENT
    return fields.without(gone)
