"""What every store can do, and what some can do besides.

A store keeps bytes under bytes, and knows nothing of values, freshness or flights. The contract is small and
bulk-first, so that a driver of one's own is an afternoon's work; what only some engines have is a protocol of its own,
asked for by `isinstance`. `asynccache.testing` has the suite that every store passes.

What a store raises is a `StoreError`: the floors above take it for a miss, and count it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable


class Item(NamedTuple):
    """What is to be kept, and for how long.

    Attributes:
        value: the bytes.
        ttl: seconds; None for ever. A store that counts whole seconds rounds up.
    """

    value: bytes
    ttl: float | None = None


@runtime_checkable
class Store(Protocol):
    """Keeps bytes under bytes. Used from several event loops and threads at once.

    A caller may be cancelled at any await, without harm to others. No call takes longer than the store's own time
    limit.
    """

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give what is kept under these keys, and nothing for the others.

        What lies on a part of the store that cannot be reached is left out.

        Raises:
            StoreError: nothing could be read at all.
        """
        ...

    async def set_many(self, items: Mapping[bytes, Item]) -> None:
        """Keep these. A ttl of 0 or less deletes.

        Raises:
            StoreError: some may not be kept.
        """
        ...

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Delete these, and tell how many there were.

        Raises:
            StoreError: some may still be there.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections, threads and files. What was written before is kept; calls that come later fail."""
        ...


@runtime_checkable
class SupportsConditions(Protocol):
    """A store that can change one key on a condition, in one step: what leases and late writers need.

    Of a value, only its beginning is compared: callers put there what tells one from the next.
    """

    async def add(self, key: bytes, item: Item) -> bool:
        """Keep an item unless there is one already; tell whether it was kept.

        Raises:
            StoreError: it is not known whether it was.
        """
        ...

    async def compare_and_set(self, key: bytes, expected: bytes, item: Item) -> bool:
        """Put an item in the place of one whose value begins with `expected`; tell whether there was such a one.

        Raises:
            StoreError: it is not known whether it was done.
        """
        ...

    async def compare_and_delete(self, key: bytes, expected: bytes) -> bool:
        """Delete an item whose value begins with `expected`; tell whether there was such a one.

        Raises:
            StoreError: it is not known whether it was done.
        """
        ...


@runtime_checkable
class SupportsCounters(Protocol):
    """A store that counts."""

    async def increment(self, key: bytes, *, ttl: float | None = None) -> int:
        """Add 1 to a counter that begins at 0, and give the sum. A counter is no item: it is read by nothing else.

        Args:
            key: whose counter.
            ttl: seconds after which the counter begins anew, from this call on; None for never.

        Raises:
            StoreError: it is not known whether it was counted.
        """
        ...


@runtime_checkable
class SupportsScan(Protocol):
    """A store that tells what it keeps."""

    def scan(self, prefix: bytes) -> AsyncIterator[list[bytes]]:
        """Give all keys that begin with `prefix`, some at a time; one may come twice, and be gone by then.

        Raises:
            StoreError: not all could be told.
        """
        ...


OnChange: TypeAlias = Callable[[Iterable[bytes] | None], object]
"""Told of keys whose values have changed or gone, on the loop of the feed, without delay; None: any may have."""


@runtime_checkable
class Feed(Protocol):
    """News of what changes in a store, whoever changes it."""

    @property
    def is_live(self) -> bool:
        """Whether it is proven that all changes are told. When it is lost, and again when it is proven anew,
        `on_change(None)` is called.
        """
        ...

    async def aclose(self) -> None:
        """Listen no more. Called on the loop that it was begun on."""
        ...


@runtime_checkable
class SupportsFeed(Protocol):
    """A store that tells of changes, those that this process makes included."""

    async def listen(self, prefix: bytes, on_change: OnChange) -> Feed:
        """Begin to listen for changes of keys that begin with `prefix`, on this loop, until the feed is closed.

        Returns at once with a feed that becomes live as soon as that is proven, and again after each loss. It tells
        of a change that was made after `is_live` became true before, or soon after, whoever made it is told that it
        is done.

        Raises:
            StoreError: this store, as it is set up, tells of no changes.
        """
        ...
