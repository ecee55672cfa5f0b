"""Everything that asynccache itself raises at run time.

    CacheError
     ├── LoadCancelled      the load was cancelled, though the caller was not
     ├── LoadTimeout        the load took longer than it may                      (also a TimeoutError)
     ├── RecursiveLoad      a load waits, directly or around a ring, for itself   (also a RuntimeError)
     ├── CacheClosed        the cache was closed                                  (also a RuntimeError)
     ├── LockTimeout        a lock was held by somebody else for too long         (also a TimeoutError)
     └── StoreError         a store did not do what it was asked
          ├── StoreTimeout      it did not answer in time                         (also a TimeoutError)
          └── StoreUnavailable  it cannot be reached                              (also a ConnectionError)

Mistakes in options and arguments are plain `TypeError` and `ValueError`, raised where they are written. What a
loader raises reaches its callers as it is.
"""

from collections.abc import Hashable


class CacheError(Exception):
    """The common base: catch it to catch whatever asynccache raises by itself."""


class LoadCancelled(CacheError):
    """Raised to callers who wait for a load that was cancelled, while they themselves were not.

    `asyncio.CancelledError` means "you were cancelled" to whoever sees it; a caller that was not must not see it,
    or its task group would believe that all is well and lose its result.

    Attributes:
        key: the key that was being loaded. It is not part of the message, as it may be private.
    """

    def __init__(self, name: str, key: Hashable) -> None:
        super().__init__(f"the load of {name} was cancelled before it had a value")
        self.name = name
        self.key = key

    def __reduce__(self) -> tuple[type["LoadCancelled"], tuple[str, Hashable]]:
        return type(self), (self.name, self.key)


class LoadTimeout(CacheError, TimeoutError):
    """Raised to callers who wait for a load that took longer than its `timeout`. The next call begins a new one.

    Attributes:
        key: the key that was being loaded. It is not part of the message, as it may be private.
    """

    def __init__(self, name: str, key: Hashable) -> None:
        super().__init__(f"the load of {name} took longer than its timeout")
        self.name = name
        self.key = key

    def __reduce__(self) -> tuple[type["LoadTimeout"], tuple[str, Hashable]]:
        return type(self), (self.name, self.key)


class RecursiveLoad(CacheError, RuntimeError):
    """Raised to a load that asks for a value which cannot be had before that very load has ended.

    Attributes:
        key: the key that would have waited for itself. It is not part of the message, as it may be private.
    """

    def __init__(self, name: str, key: Hashable) -> None:
        super().__init__(f"{name} waits for itself: its load needs, directly or around a ring, its own result")
        self.name = name
        self.key = key

    def __reduce__(self) -> tuple[type["RecursiveLoad"], tuple[str, Hashable]]:
        return type(self), (self.name, self.key)


class CacheClosed(CacheError, RuntimeError):
    """Raised when a cache is called after it was closed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is closed: it can be asked no more")
        self.name = name

    def __reduce__(self) -> tuple[type["CacheClosed"], tuple[str]]:
        return type(self), (self.name,)


class LeftOut(KeyError):
    """Raised for a key that a load of several keys has left out of its result.

    It is an answer, if it is about the key of the load that it ends: then no old value is served in its place.

    Attributes:
        flight: of the load that it is an answer to.
    """

    flight: object = None


class StoreError(CacheError):
    """Raised by stores: an engine could not be reached, did not answer in time, or answered something else.

    A `Cache` does not pass it on: a store that fails is a miss, and is counted. Its message tells what went wrong
    where, never a key or a value.
    """


class StoreTimeout(StoreError, TimeoutError):
    """Raised by stores: an engine did not answer in time. It is not known what became of the request."""


class StoreUnavailable(StoreError, ConnectionError):
    """Raised by stores: an engine cannot be reached, or was not asked because it could not be a moment ago."""


class LockTimeout(CacheError, TimeoutError):
    """Raised by `Cache.lock` when the lock was held by somebody else for all the time that was to be waited.

    Attributes:
        name: of the lock. It is not part of the message, as it may be private.
    """

    def __init__(self, name: str) -> None:
        super().__init__("the lock is held by somebody else; it was waited for as long as `wait` allows")
        self.name = name

    def __reduce__(self) -> tuple[type["LockTimeout"], tuple[str]]:
        return type(self), (self.name,)
