"""RFC 9111, section 4.3: what a validation asks, and what its answer does to what is stored."""

from collections.abc import Sequence
from dataclasses import replace

from asynccache.http.kept.stored import StoredResponse
from asynccache.http.rfc9111.freshness import date_of
from asynccache.http.rfc9111.storing import stored_fields, updated_fields
from asynccache.http.settings.policy import Policy
from asynccache.http.syntax.conditional import entity_tag, is_strong, last_modified, same_strong, same_weak
from asynccache.http.syntax.dates import format_date, parse_date
from asynccache.http.syntax.message import Fields, Response, single


def validation_lines(candidates: Sequence[StoredResponse]) -> tuple[tuple[str, str], ...]:
    """Give what makes a request ask whether stored responses are still valid (4.3.1).

    Args:
        candidates: the chosen one first, if one was; no parts, unless the request is for one that they hold.

    Returns:
        `If-None-Match` with all their entity tags, `If-Modified-Since` with the date of the first; nothing if they have
        neither.
    """
    tags = [tag for each in candidates if (tag := entity_tag(each.fields)) is not None]
    lines = [("If-None-Match", ", ".join(dict.fromkeys(tags)))] if tags else []
    if candidates and last_modified(candidates[0].fields) is not None:
        lines.append(("If-Modified-Since", single(candidates[0].fields, "last-modified") or ""))
    return tuple(lines)


def selected_by(
    response: Response, candidates: Sequence[StoredResponse], chosen: StoredResponse | None
) -> list[StoredResponse]:
    """Find the stored responses that a 304 is about (4.3.4); none: it is about nothing that is stored here.

    Args:
        response: the 304.
        candidates: all that the request could have been about.
        chosen: the one that the request itself selects. A date says nothing about any other: what differs by a field of
            the request may well have been changed in the same second.
    """
    tag, changed = entity_tag(response.fields), single(response.fields, "last-modified")
    if tag is not None and is_strong(tag):
        return [each for each in candidates if same_strong(tag, entity_tag(each.fields))]
    if tag is not None:
        return _most_recent([each for each in candidates if same_weak(tag, entity_tag(each.fields))], chosen)
    if changed is not None:
        is_same = chosen is not None and single(chosen.fields, "last-modified") == changed
        return [chosen] if chosen is not None and is_same else []
    asked = [each for each in candidates if entity_tag(each.fields) is not None or each is chosen]
    return asked if len(asked) == 1 else []


def _most_recent(candidates: Sequence[StoredResponse], chosen: StoredResponse | None) -> list[StoredResponse]:
    if chosen is not None and chosen in candidates:
        return [chosen]
    return [max(candidates, key=date_of)] if candidates else []


def freshened(stored: StoredResponse, response: Response, policy: Policy) -> StoredResponse:
    """Give a stored response as the 304 makes it that is about it (4.3.4, 3.2)."""
    received = response.fields
    if policy.shared and "set-cookie" not in policy.ignore:
        received = received.without(("set-cookie",))
    # The age of a response counts from its validation: the old Date would say that it is as old as before (4.2.3).
    date = single(received, "date")
    told = date is not None and parse_date(date, response.response_time) is not None
    made = () if told else (("Date", format_date(response.response_time)),)
    updated = updated_fields(stored.fields, received.with_lines(*made))
    return replace(
        stored,
        fields=stored_fields(updated, policy),
        request_time=response.request_time,
        response_time=response.response_time,
    )


def head_update(stored: StoredResponse, response: Response, policy: Policy) -> StoredResponse | None:
    """Give a stored response to GET as the answer to a HEAD makes it (4.3.5).

    Args:
        stored: one that the HEAD, as a GET, would have selected.
        response: what came for the HEAD.
        policy: how it is judged.

    Returns:
        None if the resource has changed: what is stored is not valid any more. An answer other than 200 changes
        nothing, unless it tells that the resource has gone (404, 410).
    """
    if response.status in {404, 410} and stored.status != response.status:
        return None
    if response.status != 200:
        return stored
    is_same = stored.status in {200, 206} and all(
        name not in response.fields or single(response.fields, name) == single(stored.fields, name)
        for name in ("etag", "last-modified")
    )
    return freshened(stored, response, policy) if is_same and _same_length(stored, response.fields) else None


def _same_length(stored: StoredResponse, received: Fields) -> bool:
    """Tell whether a HEAD's `Content-Length`, if it has one, is that of the stored representation."""
    told = single(received, "content-length")
    if told is None:
        return "content-length" not in received
    if stored.span is not None:
        return stored.span.length is not None and told == str(stored.span.length)
    known = single(stored.fields, "content-length")
    return told == known if known is not None else not stored.is_decoded and told == str(stored.body.size)
