"""Tags and their generations: whole groups of entries made invalid in O(1).

A tag is a number that grows. What is stored remembers when its load began; it is valid as long as none of its tags has
been invalidated since. So to invalidate a tag is to write one number, whatever carries it, and what a load in the air
brings later is judged by the same rule, though its tags are known only then.

Nothing is kept for a tag that nobody refers to: tags live as long as entries carry them. A load in the air cannot refer
to tags that it does not know yet, so what is invalidated meanwhile is kept in a chain of `Epoch`s, and each load holds
on to the one in which it began. Once no load holds an epoch, it goes, and with it the tags in it.
"""

import weakref
from collections.abc import Hashable, Iterable
from typing import Final, TypeAlias


class Tag:
    """One group of entries.

    Attributes:
        name: what it is known by.
        generation: when it was last invalidated.
    """

    __slots__ = ("__weakref__", "generation", "name")

    def __init__(self, name: Hashable) -> None:
        self.name = name
        self.generation = 0


Tags: TypeAlias = tuple[Tag, ...]

NO_TAGS: Final[Tags] = ()


class Epoch:
    """A stretch of time in which loads began before anything was invalidated: what was so later is reached from it.

    Attributes:
        began: the generation at its beginning.
        overtaken_by: the tags that were invalidated in it, each with the generation in which it was so first. The epoch
            ends when the next load begins after that.
        after: the next epoch.
    """

    __slots__ = ("__weakref__", "after", "began", "overtaken_by")

    def __init__(self, began: int) -> None:
        self.began = began
        self.overtaken_by: dict[Tag, int] = {}
        self.after: Epoch | None = None


class Generations:
    """The tags of one cache, and the count of what was invalidated so far. Not thread-safe.

    Attributes:
        now: grows with every invalidation. Whoever has checked an entry at the same `now` need not check it again.
    """

    __slots__ = ("_latest", "_tags", "now")

    def __init__(self) -> None:
        self.now = 0
        self._tags: weakref.WeakValueDictionary[Hashable, Tag] = weakref.WeakValueDictionary()
        self._latest: weakref.ref[Epoch] | None = None

    def tag(self, name: Hashable) -> Tag:
        """Give the tag of this name; it is forgotten when nobody holds it any more."""
        tag = self._tags.get(name)
        if tag is None:
            tag = self._tags[name] = Tag(name)
        return tag

    def new_tag(self, name: Hashable) -> Tag:
        """Give a tag of this name that nothing carries yet, whatever an older one of the name is still carried by."""
        tag = self._tags[name] = Tag(name)
        return tag

    def tags(self, names: Iterable[Hashable]) -> Tags:
        """Give the tags of these names."""
        return tuple([self.tag(name) for name in names])

    def epoch(self) -> Epoch:
        """Give what a load that begins now has to hold on to until its tags are known."""
        latest = self._latest() if self._latest is not None else None
        if latest is not None and not latest.overtaken_by:
            return latest
        epoch = Epoch(self.now)
        if latest is not None:
            latest.after = epoch
        self._latest = weakref.ref(epoch)
        return epoch

    def concerns(self, name: Hashable) -> bool:
        """Tell whether anything carries a tag of this name, or a load in the air may turn out to."""
        return name in self._tags or (self._latest is not None and self._latest() is not None)

    def invalidate(self, tag: Tag) -> None:
        """Make invalid what carries the tag now, and what loads in the air will bring if it turns out to carry it."""
        self.now += 1
        tag.generation = self.now
        latest = self._latest() if self._latest is not None else None
        if latest is not None:  # some load is in the air: it must find the tag as it is now, once it knows its tags
            latest.overtaken_by.setdefault(tag, self.now)

    def __len__(self) -> int:
        """How many tags are known."""
        return len(self._tags)


def last_invalidated(tags: Tags) -> int:
    """Tell when one of these tags was last invalidated."""
    return max([tag.generation for tag in tags], default=0)


def first_invalidated(tags: Tags, since: Epoch) -> int:
    """Tell when one of these tags was invalidated for the first time since an epoch began; 0 if none was."""
    if last_invalidated(tags) <= since.began:
        return 0
    epoch: Epoch | None = since
    while epoch is not None:
        found = [epoch.overtaken_by[tag] for tag in tags if tag in epoch.overtaken_by]
        if found:
            return min(found)
        epoch = epoch.after
    return 0


def read_tags(what: str, value: Iterable[str] | None, *, is_private: bool = False) -> tuple[str, ...]:
    """Read tags as users write them; private ones came of a value, and are not shown in messages.

    Raises:
        TypeError: they are no strings, or one string that was meant to be several.
    """
    if isinstance(value, str):
        shown = "(tag,)" if is_private else repr((value,))
        raise TypeError(f"{what} must be several tags: write {shown}")
    if value is not None and not _is_iterable(value):
        raise TypeError(f"{what} must be strings, as in ('a', 'b'), not a {type(value).__name__}")
    names = () if value is None else tuple(value)
    for name in names:
        _check_tag(what, name)
    return names


def _check_tag(what: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{what} must be strings, not {type(name).__name__}")


def _is_iterable(value: object) -> bool:
    return isinstance(value, Iterable)
