"""`Cache`: get, set, load, many keys at once, namespaces and tags.

Decides the face that services see. What is done is decided below: `engine.py` makes plans of options, the tier stores,
flights load.
"""

import functools
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, Unpack

from asynccache.bypass import Bypass
from asynccache.cache import warm_start
from asynccache.cache.call_plans import CallPlans
from asynccache.cache.engine import Engine
from asynccache.cache.many import load_keys
from asynccache.cache.warm_start import Path, RestoreReport
from asynccache.cache.warming import Progress, WarmReport, warm
from asynccache.callables import refuse_no_coroutine_function
from asynccache.core.expiry import Seconds, seconds
from asynccache.core.generations import NO_TAGS, Tags, read_tags
from asynccache.core.keys import refuse_text, refuse_unhashable, split_key
from asynccache.flight.batches import LoadMany
from asynccache.flight.bulk import distinct
from asynccache.locks.lease import Lease
from asynccache.options.caches import CacheOptions, split
from asynccache.options.loads import LoadOptions
from asynccache.options.shared import SharedOptions
from asynccache.options.stores import StoreOptions
from asynccache.protocols import MISSING
from asynccache.serializers.snapshots import SnapshotReport
from asynccache.stats import CacheStats
from asynccache.stores.contract import Store

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Cache:
    """A cache to hold in one's hands, to share between functions, and to divide into namespaces.

    With a store it is shared by all processes that have the same store and namespace: what lies there is kept in
    process as well, for as long as it is known to be the newest, or for `local_ttl`.

    Safe to use from several threads and event loops. Use it as `async with Cache(...) as cache:`, or close it by
    `aclose()` when it is not needed any more.

    Args:
        store: a store that processes share, or its URL, such as "redis://localhost/0", "sqlite:///cache.db",
            "memcached://a,b" or "hazelcast://a/dev"; None for a cache of this process alone. A store that is given as
            an object is left open when the cache is closed.
        namespace: what all keys in the store begin with: letters, digits, ".", "_" and "-"; "cache" by default.
        local_ttl: seconds that a value of the store is kept in process at most. None for as long as it lasts where the
            store tells of changes, for one second where it does not.
        coalesce: "process" to load once for all callers of a process, "fleet" for all callers of all processes.
        lease_ttl: seconds after which the others go on if the process that loads for the fleet has died; 10.
        secret: what values in the store are signed with, at least 16 bytes; several by id, the first for new values.
        codec: how values are written: "json" (plain data, type-exact), "msgpack", "bytes", or "pickle", which needs a
            `secret`.
        type: of the values, where it is no plain data: a dataclass, a pydantic model, ... Functions have their return
            annotation for that.
        compress: "zlib" or "zstd" for large values.
        write: "through" to have a load's value in the store before its callers have it, "behind" for soon after.
        maxsize: entries in process at most. 1,024 unless said otherwise (no bound if there is a `max_weight`); None for
            no bound,
            0 to keep nothing in process, and only share loads.
        max_weight: what all entries may weigh together.
        weigher: a function of key and value that tells an entry's weight; `sizeof`, which estimates bytes, by default.
        policy, idle, copy, on_evict, max_refreshes, clock: as for `async_cached`.
        name: what the cache is called in errors and logs.
        ttl, jitter, stale, stale_if_error, error_backoff, refresh_ahead, early, timeout, soft_timeout, errors,
            store_if, tags, on_abandon, context: as for `async_cached`; for calls that do not say otherwise.
            Functions among them are given the result alone.

    Raises:
        TypeError: an option is of the wrong kind; the message says what to write instead.
        ValueError: an option has no meaning.
        ImportError: the store, the codec or the compression needs a package that is missing; the message names the
            extra that brings it.
    """

    def __init__(self, store: str | Store | None = None, /, **options: Unpack[CacheOptions]) -> None:
        of_cache, of_store, of_loads = split(options)
        shared_options = SharedOptions(store=store, **of_store)
        self._open(Engine(StoreOptions(**of_cache), shared_options, of_loads), (), NO_TAGS)

    def _open(self, engine: Engine, path: tuple[Hashable, ...], scopes: Tags) -> None:
        """Become a view of one namespace of an engine."""
        self._engine = engine
        self._path = path
        self._scopes = scopes
        self._plan = engine.root_plan if not scopes else engine.plan(scopes)
        self._plans = CallPlans(engine, self._plan)
        self._get, self._get_or_load = engine.own_lookups(self._plan, self._plans.of)
        # What is called most goes straight to the compiled look-ups, unless a subclass has its own.
        lookups: dict[str, tuple[Any, Any]] = {"get_or_load": (Cache.get_or_load, self._get_or_load)}
        if engine.looks_up_here:
            lookups["get"] = (Cache.get, self._get)
        for name, (method, lookup) in lookups.items():
            if getattr(type(self), name) is method:
                self.__dict__[name] = lookup

    def _key(self, key: Hashable) -> Any:
        refuse_unhashable(key)
        return (self._scopes[-1], key) if self._scopes else key

    def __repr__(self) -> str:
        inside = "".join(f", namespace={name!r}" for name in self._path)
        return f"<Cache {self._engine.name!r}{inside}: {len(self._engine.tier.store.entries)} entries>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Cache cannot be copied or pickled: make one in each process, or save it by snapshot(path)")

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    # --- one key ----------------------------------------------------------------------------------------------------

    async def get(self, key: Hashable, default: Any = None) -> Any:
        """Give the value of `key` if it is fresh, else `default`. Counts as a use."""
        return await self._get(key if self._engine.looks_up_here else self._key(key), default)

    async def get_or_load(
        self, key: Hashable, load: Callable[[], Awaitable[T]], /, **options: Unpack[LoadOptions]
    ) -> T:
        """Give the value of `key`; if there is none that may be served, load it, once for all who ask for it.

        Args:
            key: what it is known by.
            load: a coroutine function without arguments that gives the value.
            **options: how it is loaded and kept, where that differs from the cache's own.

        Raises:
            TypeError, ValueError: an option that cannot be meant, or a key that cannot be in a dict.
            CacheClosed: the cache was closed.
            LoadCancelled, LoadTimeout, RecursiveLoad: as for `async_cached`.
            Exception: whatever the load raised.
        """
        value: T = await self._get_or_load(key, load, **options)
        return value

    async def set(self, key: Hashable, value: Any, **options: Unpack[LoadOptions]) -> None:
        """Store a value. It holds against loads under way, which then store nothing.

        Args:
            key: what it is known by.
            value: anything that can be given to several readers.
            **options: `ttl`, `tags`, `weight` and whatever else differs from the cache's own.

        Raises:
            TypeError, ValueError: an option that cannot be meant, or a value that can be read only once.
            CacheClosed: the cache was closed.
        """
        await self._engine.set_many(self._plans.of_storing(options), {self._key(key): value})

    async def delete(self, key: Hashable) -> bool:
        """Forget the value of `key`, and what a load under way will bring; tell whether there was anything.

        With a store it is forgotten in all processes, and what is told is whether this one knew it.
        """
        return bool(await self._engine.delete_many(self._plan, (self._key(key),)))

    async def contains(self, key: Hashable) -> bool:
        """Tell whether there is a fresh value. Counts as nothing."""
        return await self._engine.find_anywhere(self._plan, self._key(key)) is not MISSING

    async def peek(self, key: Hashable, default: Any = None) -> Any:
        """Give the value of `key` if it is fresh, else `default`. Counts as nothing."""
        value = await self._engine.find_anywhere(self._plan, self._key(key))
        return default if value is MISSING else self._engine.copy(value)

    async def touch(self, key: Hashable, ttl: Seconds | None) -> bool:
        """Let a fresh value begin a new term of `ttl` seconds (None for ever); tell whether there is one."""
        return await self._engine.touch(self._plan, self._key(key), seconds("ttl", ttl))

    # --- many keys --------------------------------------------------------------------------------------------------

    async def get_many(self, keys: Iterable[K]) -> dict[K, Any]:
        """Give the fresh values of these keys, and nothing for the others."""
        self._engine.refuse_closed()
        own = {self._key(key): key for key in distinct(keys)}
        return {own[key]: value for key, value in (await self._engine.get_many(self._plan, own)).items()}

    async def set_many(self, values: Mapping[Any, Any], **options: Unpack[LoadOptions]) -> None:
        """Store several values; the options hold for each."""
        self._engine.refuse_closed()
        plan = self._plans.of_storing(options)
        await self._engine.set_many(plan, {self._key(key): value for key, value in _items(values)})

    async def delete_many(self, keys: Iterable[Hashable]) -> int:
        """Forget these keys, as `delete` does; tell of how many there was anything."""
        return await self._engine.delete_many(self._plan, [self._key(key) for key in distinct(keys)])

    async def get_or_load_many(
        self, keys: Iterable[K], load_many: LoadMany, **options: Unpack[LoadOptions]
    ) -> dict[K, Any]:
        """Give the values of several keys: those that may be served, those that are being loaded, and the rest by one
        call of `load_many`.

        Args:
            keys: what they are known by.
            load_many: a coroutine function of a list of keys that gives a mapping (or a list with one value for each).
            **options: how they are loaded and kept.

        Returns:
            A mapping in the order of `keys`. What `load_many` leaves out is left out, and asked for again next time.

        Raises:
            Exception: whatever a load raised; or an exception that was given as a value.
        """
        return await load_keys(self._engine, self._scopes, keys, load_many, options)

    # --- groups -----------------------------------------------------------------------------------------------------

    async def invalidate_tags(self, *tags: str) -> None:
        """Forget all values that carry one of these tags, in whatever namespace, and what loads under way will bring.

        It takes the same time however many there are. Their memory is given back in the background. With a store they
        are forgotten in all processes.
        """
        await self._engine.invalidate_tags(read_tags("tags", tags))

    async def clear(self) -> None:
        """Forget all values, and what loads under way will bring.

        Of a namespace it takes the same time for any size; memory is given back in the background. In a store, values
        are made invalid for all processes, and lie there until their time is over.
        """
        await self._engine.clear(self._plan)

    def lock(self, name: str, *, ttl: Seconds, wait: Seconds | None = None) -> AbstractAsyncContextManager[Lease]:
        """Hold a lock that all processes with this store respect: `async with cache.lock("report", ttl=30) as lease:`.

        It is renewed while it is held. Whoever holds it may lose it, as after a long pause of the process: look at
        `lease.lost` before what must not be done twice, and send `lease.fence`, which grows with every holder, along.

        Args:
            name: of the lock, in this cache or namespace.
            ttl: seconds after which another may have it, if the holder has died.
            wait: seconds to wait for it at most; 0 for not at all, None for as long as it takes.

        Raises:
            TypeError: the cache has no store, or one that keeps no locks.
            ValueError: an argument that cannot be meant. What follows is raised on entering.
            LockTimeout: somebody else has held it all the time.
            StoreUnavailable: the store does not say who holds it.
        """
        return self._engine.lock(self._path, name, ttl=ttl, wait=wait)

    def namespace(self, name: str) -> "Cache":
        """Give a view with keys of its own, which can be cleared alone. Bounds, tags, options and counters are shared.

        Raises:
            TypeError: `name` is no string.
        """
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a namespace is named by a string, not {name!r}")
        path = (*self._path, name)
        view = object.__new__(type(self))
        view._open(self._engine, path, (*self._scopes, self._engine.scope(path)))
        return view

    def keys(self) -> list[Any]:
        """Give the keys that have a fresh value in process, of this namespace alone."""
        return [key for key, _ in self._live()]

    def items(self) -> list[tuple[Any, Any]]:
        """Give the fresh values in process with their keys, of this namespace alone."""
        return [(key, self._engine.copy(value)) for key, value in self._live()]

    def _live(self) -> list[tuple[Any, Any]]:
        if self._engine.switch.mode() is not None:
            return []
        scope = self._scopes[-1] if self._scopes else None
        split = [(*split_key(key), key) for key, _ in self._engine.tier.store.all_kept()]
        peek = self._engine.tier.store.peek
        found = [(own, peek(key, old=False)) for space, own, key in split if space is scope]
        return [(key, value) for key, value in found if value is not MISSING]

    def stats(self) -> CacheStats:
        """Give all counters, of the whole cache."""
        return self._engine.stats()

    # --- before, after, and around ----------------------------------------------------------------------------------

    async def snapshot(self, path: Path) -> SnapshotReport:
        """Save all entries to a file, with what is left of their time.

        Values that are no plain data (None, numbers, text, bytes, dates, lists, tuples, sets, dicts, ...) are counted
        and left out.

        Raises:
            OSError: the file cannot be written; the one that was there still is.
            TypeError: the cache has a store, which is what it begins with anyway.
            CacheClosed: the cache was closed, and holds nothing any more.
        """
        _refuse_shared(self._engine, "snapshot")
        self._engine.refuse_closed()  # when it is empty: the file that was saved before is worth more
        return await warm_start.snapshot(self._engine, path)

    async def restore(self, path: Path) -> RestoreReport:
        """Take back the entries of a file, as far as their time is not over. The time between counts.

        A file that is missing, damaged or of another version changes nothing; the report says so.

        Raises:
            TypeError: the cache has a store, which is what it begins with anyway.
            CacheClosed: the cache was closed.
        """
        _refuse_shared(self._engine, "restore")
        self._engine.refuse_closed()
        return await warm_start.restore(self._engine, path)

    async def warm(
        self,
        keys: Iterable[K],
        load: Callable[[K], Awaitable[Any]],
        *,
        concurrency: int = 8,
        progress: Progress | None = None,
        **options: Unpack[LoadOptions],
    ) -> WarmReport:
        """Load what is missing of these keys, so many at once. What fails is counted, and stops nothing.

        Args:
            keys: what to load; asked for one after the other, so it may be a long iterator.
            load: a coroutine function of a key.
            concurrency: loads at once.
            progress: called after each key with how far it is.
            **options: how they are loaded and kept.
        """

        def ask(key: K) -> Coroutine[Any, Any, Any]:
            return self.get_or_load(key, functools.partial(load, key), **options)

        self._engine.refuse_closed()
        self._plans.of(options)  # what is wrong with the call is no load that failed
        refuse_no_coroutine_function("load", load)
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be a function of a WarmReport, not {progress!r}")
        refuse_text("keys", keys)
        return await warm(
            keys, ask, concurrency=concurrency, progress=progress, refuse_closed=self._engine.refuse_closed
        )

    def disabled(self) -> AbstractContextManager[None]:
        """Within `with cache.disabled():`, this task and what it starts find and store nothing: every load is made."""
        return self._engine.switch.turn(Bypass.DISABLED)

    def refreshing(self) -> AbstractContextManager[None]:
        """Within `with cache.refreshing():`, this task and what it starts load anew, and store what comes."""
        return self._engine.switch.turn(Bypass.REFRESHING)

    async def aclose(self, *, wait: bool = False) -> None:
        """Take no more calls; cancel the loads and refreshes under way, or `wait` for them; forget everything.

        A namespace is closed with its cache: its own `aclose` does nothing.
        """
        if not self._scopes:
            await self._engine.close(wait=wait)

    async def __aenter__(self) -> Self:
        self._engine.refuse_closed()
        if self._engine.shared is not None:
            await self._engine.shared.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _refuse_shared(engine: Engine, method: str) -> None:
    if engine.shared is not None:
        raise TypeError(f"{method} is for a cache of one process: this one begins with what its store has")


def _items(values: object) -> Iterable[tuple[Any, Any]]:
    if not isinstance(values, Mapping):
        raise TypeError(f"set_many takes a mapping of keys and values, not a {type(values).__name__}")
    return dict[Any, Any](values).items()  # pyright: ignore[reportUnknownArgumentType]


def works_of(cache: Cache) -> tuple[Engine, tuple[Hashable, ...], Tags]:
    """Give the works of a cache, and which namespace of it this is: for what is built on it."""
    return cache._engine, cache._path, cache._scopes  # pyright: ignore[reportPrivateUsage]  # this is its own module
