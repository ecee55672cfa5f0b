"""What a store promises that tells of changes: none is missed while it says that it is live."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Iterable
from typing import Protocol

from asynccache.stores.contract import Feed, Item, Store, SupportsConditions, SupportsFeed
from asynccache.testing.contracts.store import StoreContract


class ObservedStore(Store, SupportsFeed, Protocol):
    """A store with a feed."""


class News:
    """What a feed has told."""

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.anything = False
        self.threads: set[int] = set()

    def __call__(self, keys: Iterable[bytes] | None) -> None:
        """Be told."""
        self.threads.add(threading.get_ident())
        if keys is None:
            self.anything = True
        else:
            self.keys.update(keys)

    def forget(self) -> None:
        """Forget what was told."""
        self.keys.clear()
        self.anything = False

    def tell_of(self, keys: Iterable[bytes]) -> bool:
        """Whether these have been told of; if anything may have changed, they have."""
        return self.anything or self.keys.issuperset(keys)


class FeedContract(StoreContract):
    """The promises of `SupportsFeed`, and those of every store."""

    @contextlib.asynccontextmanager
    async def observed(self) -> AsyncGenerator[ObservedStore, None]:
        """Make a store, and close it."""
        async with self.opened() as store:
            assert isinstance(store, SupportsFeed)
            yield store

    @contextlib.asynccontextmanager
    async def listening(
        self, store: SupportsFeed, news: News, prefix: bytes | None = None
    ) -> AsyncGenerator[Feed, None]:
        """Listen, and wait until the feed is live."""
        feed = await store.listen(self.prefix if prefix is None else prefix, news)
        try:

            async def is_live() -> bool:
                return feed.is_live

            await self.wait_until(is_live)
            news.forget()
            yield feed
        finally:
            await feed.aclose()

    async def told(self, news: News, *keys: bytes) -> None:
        """Wait until changes of these keys have been told."""

        async def are_told() -> bool:
            return news.tell_of(keys)

        await self.wait_until(are_told)

    async def test_changes_of_others_are_told(self) -> None:
        """What another store writes, replaces and deletes is told of."""
        news, (first, second) = News(), self.keys(2)
        async with self.observed() as store, self.observed() as other, self.listening(store, news):
            await other.set_many({first: Item(b"1"), second: Item(b"1", 3_600)})
            await self.told(news, first, second)
            news.forget()
            await other.set_many({first: Item(b"2")})
            await self.told(news, first)
            news.forget()
            await other.delete_many([first, second])
            await self.told(news, first, second)

    async def test_own_changes_are_told(self) -> None:
        """A feed tells of the changes of its own store as well."""
        news = News()
        async with self.observed() as store, self.listening(store, news):
            await store.set_many({self.key(): Item(b"1")})
            await self.told(news, self.key())
            news.forget()
            await store.delete_many([self.key()])
            await self.told(news, self.key())

    async def test_changes_on_a_condition_are_told(self) -> None:
        """Additions, replacements and deletions on a condition are changes too."""
        news = News()
        async with self.observed() as store, self.observed() as other, self.listening(store, news):
            assert isinstance(other, SupportsConditions), "a feed is of use where leases can be had"
            assert await other.add(self.key(), Item(b"1"))
            await self.told(news, self.key())
            news.forget()
            assert await other.compare_and_set(self.key(), b"1", Item(b"2"))
            await self.told(news, self.key())
            news.forget()
            assert await other.compare_and_delete(self.key(), b"2")
            await self.told(news, self.key())

    async def test_a_thousand_changes_are_told(self) -> None:
        """No change is left out where there are many, and all are told on the loop of the feed."""
        news, keys = News(), self.keys(1_000)
        async with self.observed() as store, self.observed() as other, self.listening(store, news):
            await other.set_many({key: Item(b"x") for key in keys})
            await self.told(news, *keys)

            assert news.threads == {threading.get_ident()}

    async def test_a_feed_tells_of_its_prefix(self) -> None:
        """Of two feeds, each tells of the keys that begin with its prefix, and of no other."""
        fruit, trees = News(), News()
        apple, oak = self.key("fruit:apple"), self.key("tree:oak")
        async with (
            self.observed() as store,
            self.listening(store, fruit, self.key("fruit:")),
            self.listening(store, trees, self.key("tree:")),
        ):
            fruit.forget()
            await store.set_many({apple: Item(b"x"), oak: Item(b"x"), self.key("fruit"): Item(b"x")})
            await self.told(fruit, apple)
            await self.told(trees, oak)

            assert (fruit.keys, trees.keys) == ({apple}, {oak})

    async def test_a_closed_feed_is_silent(self) -> None:
        """After it was closed, a feed is not live and tells nothing; closing it once more does nothing."""
        news, others = News(), News()
        async with self.observed() as store, self.listening(store, others):
            async with self.listening(store, news) as feed:
                pass
            await feed.aclose()
            others.forget()
            news.forget()
            await store.set_many({self.key(): Item(b"x")})
            await self.told(others, self.key())

            assert not feed.is_live
            assert news.keys == set()

    async def test_the_feed_of_a_closed_store_is_not_live(self) -> None:
        """Who holds a feed of a store that was closed can see that it tells nothing any more."""
        news = News()
        async with self.observed() as store:
            feed = await store.listen(self.prefix, news)
            await store.aclose()

            async def is_over() -> bool:
                return not feed.is_live

            await self.wait_until(is_over)
            await feed.aclose()

    async def test_a_feed_of_another_loop(self) -> None:
        """A feed on a loop in another thread tells there of what is changed here."""
        begun, changed = threading.Event(), threading.Event()
        news = News()

        async def listen(store: ObservedStore) -> None:
            async with self.listening(store, news):
                begun.set()
                await asyncio.to_thread(changed.wait, self.patience)
                await self.told(news, self.key())
            assert threading.get_ident() in news.threads

        async with self.observed() as store:
            listener = asyncio.ensure_future(asyncio.to_thread(asyncio.run, listen(store)))
            assert await asyncio.to_thread(begun.wait, self.patience)
            await store.set_many({self.key(): Item(b"x")})
            changed.set()
            await listener

    async def test_a_closed_store_is_not_listened_to(self) -> None:
        """Listening to a closed store raises `StoreError`."""
        async with self.observed() as store:
            await store.aclose()
            await self.refuses(store.listen(self.prefix, News()))
