"""What a cache of HTTP responses counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class HttpStats:
    """Requests by what became of them, since the cache was made.

    Attributes:
        hits: answered from what was kept, without asking the origin.
        stale: of those, with a response that was too old: while a new one was fetched, because the origin failed, or
            because the request allowed it.
        validated: answered from what was kept after the origin had confirmed it.
        misses: answered by the origin, and stored.
        passed: answered by the origin, and not stored.
        collapsed: answered with what another request had been sent for.
        refreshed: responses that were fetched behind, while the old ones were served.
        failed_refreshes: the same, where the origin failed.
        invalidated: URLs whose responses were made invalid.
        store_errors: readings and writings that the store failed at; they count as misses, or as not stored.
        bad_records: what was found in the store and not believed.
        lost_bodies: bodies of which the store had lost a piece.
        too_large: bodies that were too large to be kept.
        overtaken: responses that were not stored, as their URL was invalidated while they came.
    """

    hits: int = 0
    stale: int = 0
    validated: int = 0
    misses: int = 0
    passed: int = 0
    collapsed: int = 0
    refreshed: int = 0
    failed_refreshes: int = 0
    invalidated: int = 0
    store_errors: int = 0
    bad_records: int = 0
    lost_bodies: int = 0
    too_large: int = 0
    overtaken: int = 0
