"""The policies by name, and which one `"auto"` means.

Decides names and the automatic choice; what a policy does is decided in its own file.
"""

from typing import Any, Final

from asynccache.core.bounded import BoundedCache
from asynccache.core.fifo import FIFOCache
from asynccache.core.gdsf import GDSFCache
from asynccache.core.lfu import LFUCache
from asynccache.core.lru import LRUCache
from asynccache.core.random_replacement import RandomCache
from asynccache.core.s3fifo import S3FIFOCache
from asynccache.core.sieve import SieveCache
from asynccache.core.tinylfu import TinyLFUCache

POLICIES: Final[dict[str, type[BoundedCache[Any, Any]]]] = {
    "lru": LRUCache,
    "lfu": LFUCache,
    "fifo": FIFOCache,
    "random": RandomCache,
    "sieve": SieveCache,
    "s3fifo": S3FIFOCache,
    "tinylfu": TinyLFUCache,
    "gdsf": GDSFCache,
}

AUTOMATIC_FROM: Final = 128
"""Entries from which `"auto"` is S3-FIFO. A smaller cache is where S3-FIFO is weakest, and where people expect the
textbook: there it is LRU."""


def choose_policy(policy: str | type[BoundedCache[Any, Any]], maxsize: int | None) -> type[BoundedCache[Any, Any]]:
    """Find the class that a `policy` option means.

    Args:
        policy: a name from `POLICIES`, `"auto"`, or a subclass of `BoundedCache`, which is taken as it is.
        maxsize: how many entries the cache may have; decides what `"auto"` is.

    Returns:
        The class.

    Raises:
        TypeError: neither a name nor a subclass of `BoundedCache`.
        ValueError: a name that is not known.
    """
    _check_policy(policy)
    if isinstance(policy, type):
        return policy
    if policy == "auto":
        return LRUCache if maxsize is not None and maxsize < AUTOMATIC_FROM else S3FIFOCache
    if policy not in POLICIES:
        names = ", ".join(["auto", *POLICIES])
        raise ValueError(f"policy must be one of {names}, or a subclass of BoundedCache, not {policy!r}")
    return POLICIES[policy]


def _check_policy(policy: object) -> None:
    if not isinstance(policy, str) and not (isinstance(policy, type) and issubclass(policy, BoundedCache)):
        raise TypeError(f"policy must be a name or a subclass of BoundedCache, not {policy!r}")
