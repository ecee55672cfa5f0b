"""What is said about keys and tags while values from former times are on their way: they lose against it."""

from collections.abc import Generator, Hashable
from contextlib import AbstractContextManager, contextmanager

from asynccache.core.generations import Epoch, Tags, first_invalidated


class Watch:
    """What was said since one lot of values set out.

    Args:
        epoch: in which they did.
    """

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.keys: set[Hashable] = set()
        self.has_cleared = False

    def has_heard_of(self, key: Hashable, tags: Tags) -> bool:
        """Tell whether a value of this key with these tags is out of date."""
        return self.has_cleared or key in self.keys or first_invalidated(tags, self.epoch) > 0


class Watches:
    """All watches of one cache. Not thread-safe."""

    def __init__(self) -> None:
        self._watches: list[Watch] = []

    def begin(self, epoch: Epoch) -> AbstractContextManager[Watch]:
        """Begin to watch; it ends with the `with` block."""
        watch = Watch(epoch)
        self._watches.append(watch)
        return self._until_end(watch)

    @contextmanager
    def _until_end(self, watch: Watch) -> Generator[Watch, None, None]:
        try:
            yield watch
        finally:
            self._watches.remove(watch)

    def note(self, key: Hashable) -> None:
        """A key was invalidated."""
        for watch in self._watches:
            watch.keys.add(key)

    def note_all(self) -> None:
        """Everything was cleared."""
        for watch in self._watches:
            watch.has_cleared = True
