"""Which responses to one cache key are kept together.

Decides what is the same variant, and what has to go where there are too many. Pure.
"""

from collections.abc import Sequence

from asynccache.http.kept.records import Kept
from asynccache.http.kept.stored import InlineBody, StoredResponse


def merged(there: Sequence[Kept], new: Kept) -> list[Kept]:
    """Put a response in front of the others, and in the place of those of the same variant.

    A response to HEAD has no body, and takes no other's place.
    """
    return [new, *(kept for kept in there if not _takes_place(new.response, kept.response))]


def freshened(there: Sequence[Kept], old: StoredResponse, new: Kept | None) -> list[Kept] | None:
    """Put a response in front of the others, and in the place of an old one; None if that is not there.

    Args:
        there: the responses, the newest first.
        old: as it was found once, perhaps in other bytes.
        new: what takes its place; None if nothing does.
    """
    others = [kept for kept in there if not _is_same(kept.response, old)]
    if len(others) == len(there):
        return None
    return others if new is None else merged(others, new)


def most_recent(kept: Sequence[Kept], most: int, most_inline: int) -> list[Kept]:
    """Give the first responses: as many as there may be, with bodies inside that may take so many bytes together."""
    chosen: list[Kept] = []
    inline = 0
    for one in kept[:most]:
        body = one.response.body
        inline += body.size if isinstance(body, InlineBody) else 0
        if chosen and inline > most_inline:
            break
        chosen.append(one)
    return chosen


def _takes_place(new: StoredResponse, old: StoredResponse) -> bool:
    if new.method == "HEAD" != old.method:
        return False
    return (new.vary, new.selecting) == (old.vary, old.selecting)


def _is_same(one: StoredResponse, other: StoredResponse) -> bool:
    """Tell whether two are one response, read of the same or of other bytes."""
    return one is other or (
        (one.method, one.status, one.vary, one.selecting) == (other.method, other.status, other.vary, other.selecting)
        and (one.request_time, one.response_time) == (other.request_time, other.response_time)
        and one.fields == other.fields
        and one.body == other.body
    )
