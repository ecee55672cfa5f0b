import importlib.metadata
import subprocess
import sys
from typing import Any

import pytest

import asynccache.stores
from asynccache.stores import MemoryStore, SQLiteStore, Store, StoreUrl, open_store
from asynccache.stores.urls import one_of, seconds, size

SECRET = "hunter2"


def test_a_url_is_taken_apart() -> None:
    """Hosts with ports, IPv6 addresses, escapes and parameters are found where they belong."""
    url = StoreUrl.parse("REDIS+Cluster://me%40home:p%2Fw%3A@a:7000,[::1]:7001,b/0%20?x=%26&y=a=b+c&")
    assert url.scheme == "redis+cluster"
    assert url.hosts == (("a", 7000), ("::1", 7001), ("b", None))
    assert (url.username, url.password) == ("me@home", "p/w:")
    assert url.path == "/0 "
    assert url.query == (("x", "&"), ("y", "a=b+c"))


@pytest.mark.parametrize(
    ("url", "hosts", "path", "username", "password"),
    [
        ("memory://", (), "", None, None),
        ("sqlite:///a/b.db", (), "/a/b.db", None, None),
        ("sqlite:////a.db", (), "//a.db", None, None),
        ("unix:///run/redis.sock", (), "/run/redis.sock", None, None),
        ("redis://:pw@h", (("h", None),), "", None, "pw"),
        ("redis://me@h", (("h", None),), "", "me", None),
        ("redis://a:b@c@h", (("h", None),), "", "a", "b@c"),
    ],
)
def test_parts_may_be_missing(
    url: str, hosts: tuple[Any, ...], path: str, username: str | None, password: str | None
) -> None:
    """What a URL does not have is None or empty, and an @ of a password does no harm."""
    assert StoreUrl.parse(url) == StoreUrl(url.partition(":")[0], hosts, path, username, password)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:6379", "begins with a scheme"),
        (f"{SECRET}://", "no store is known"),
        (f"redis:/{SECRET}", "begins with a scheme"),
        (f"redis://me:{SECRET}/x@h", "ports from 1 to 65535"),
        (f"redis://me:{SECRET}@h:0", "ports from 1 to 65535"),
        (f"redis://me:{SECRET}@h:65536", "ports from 1 to 65535"),
        (f"redis://me:{SECRET}@h:port", "ports from 1 to 65535"),
        (f"redis://me:{SECRET}@a,,b", "commas between"),
        (f"redis://me:{SECRET}@[::1", "in brackets"),
        (f"redis://me:{SECRET}#@h", "%23"),
        (f"redis://me:{SECRET}@h?timeout", "name=value"),
    ],
)
def test_what_cannot_be_read_is_refused(url: str, words: str) -> None:
    """The message says how to write it, and does not repeat the password."""
    with pytest.raises(ValueError, match=words) as caught:
        open_store(url)
    assert SECRET not in str(caught.value).replace(f"{SECRET}://", "")


def test_only_strings_are_urls() -> None:
    """Something else than a string is a TypeError that shows how a URL looks."""
    with pytest.raises(TypeError, match="redis://localhost"):
        open_store(3)  # type: ignore[arg-type]  # the mistake


def test_a_password_is_not_shown() -> None:
    """The repr of a URL has neither the password nor the parameters."""
    assert SECRET not in repr(StoreUrl.parse(f"redis://me:{SECRET}@h?password={SECRET}"))


def test_parameters_are_read_by_their_type() -> None:
    """Each parameter is given as the type that its driver names, and those that are not written are left out."""
    url = StoreUrl.parse("x://?a=0.5&b=64MiB&c=two&d=-3&e=1e-3&f=no&g=%20text")
    kinds: dict[str, Any] = {
        "a": seconds,
        "b": size,
        "c": one_of("one", "two"),
        "d": int,
        "e": float,
        "f": bool,
        "g": str,
        "h": int,
    }
    values = url.parameters(**kinds)
    assert values == {"a": 0.5, "b": 67_108_864, "c": "two", "d": -3, "e": 0.001, "f": False, "g": " text"}
    assert values["f"] is False


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("1", 1), ("65536", 65_536), ("3b", 3), ("2k", 2_000), ("2kB", 2_000), ("2 MB", 2_000_000), ("2GiB", 2 << 30)],
)
def test_sizes(text: str, bytes_: int) -> None:
    """Sizes are bytes, thousands, or with an i multiples of 1,024."""
    assert size(text) == bytes_


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (seconds, "0", "seconds, more than 0"),
        (seconds, "-1", "seconds, more than 0"),
        (seconds, "1e999", "seconds, more than 0"),
        (seconds, "nan", "a number"),
        (seconds, "1_0", "a number"),
        (size, "0", "a number of bytes, such as"),
        (size, "1iB", "a number of bytes, such as"),
        (size, "1.5MB", "a number of bytes, such as"),
        (one_of("one", "two"), "three", "one of one, two"),
        (int, "1_0", "a whole number"),
        (int, "1.0", "a whole number"),
        (float, "inf", "a number"),
        (bool, "maybe", "true or false"),
    ],
)
def test_a_bad_value_names_what_to_write(kind: Any, text: str, words: str) -> None:
    """What cannot be read as its type is refused by name, with what can be written."""
    with pytest.raises(ValueError, match=f"the parameter p of a x store must be .*{words}.*, not {text!r}"):
        StoreUrl.parse(f"x://?p={text}").parameters(p=kind)


def test_an_unknown_parameter_names_the_nearest() -> None:
    """A misspelt parameter is refused with the one that was meant, and with all that there are."""
    with pytest.raises(ValueError, match="'timeuot': did you mean timeout\\? There are max_bytes, timeout") as caught:
        StoreUrl.parse(f"x://?timeuot={SECRET}").parameters(timeout=seconds, max_bytes=size)
    assert SECRET not in str(caught.value)
    with pytest.raises(ValueError, match="There are none"):
        StoreUrl.parse("x://?a=1").parameters()
    with pytest.raises(ValueError, match="has its parameter a twice"):
        StoreUrl.parse("x://?a=1&a=1").parameters(a=int)


def test_an_unknown_scheme_names_the_nearest() -> None:
    """A misspelt scheme is refused with the one that was meant, and with all that there are."""
    with pytest.raises(ValueError, match=r"for reddis://: did you mean redis://\? There are .*sqlite.*valkeys"):
        open_store("reddis://localhost")


@pytest.mark.parametrize(
    "url",
    [
        "memory://a,b", "memory://a:1", "memory://a/b", "memory://me@a", "memory://?max_bytes=x", "memory://?ttl=1",
        "sqlite://", "sqlite:///", "sqlite://a.db", "sqlite://me@/a.db", "sqlite:///a.db?synchronous=sometimes",
        "sqlite:///a.db?max_bytes=1kB",
    ],
)  # fmt: skip
def test_embedded_stores_refuse_what_they_cannot_mean(url: str) -> None:
    """A URL that says more or less than its store can do is a ValueError."""
    with pytest.raises(ValueError, match=r"store|max_bytes|URL"):
        open_store(url)


def test_embedded_stores_are_made() -> None:
    """The URLs of the two embedded stores make them, with their parameters."""
    assert isinstance(open_store("memory://?timeout=1&max_bytes=64kB"), MemoryStore)
    store = open_store("sqlite:///some/file.db?timeout=0.5&max_bytes=64MiB&synchronous=full")
    assert isinstance(store, SQLiteStore)
    assert store.path.parts[-2:] == ("some", "file.db")
    assert store.timeout == 0.5
    absolute = open_store("sqlite:////some/file%23.db")
    assert isinstance(absolute, SQLiteStore)
    assert str(absolute.path) == "/some/file#.db"


class Entry:
    """An entry point that gives what it is told to."""

    name = "mine"
    value = "package:make"

    def __init__(self, make: Any) -> None:
        self.load = lambda: make


def test_others_register_schemes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point of the group is called with the parsed URL, and has to make a store."""
    asked: list[str] = []

    def make(url: StoreUrl) -> Store:
        return MemoryStore(url.hosts[0][0])

    def entries(*, group: str) -> list[Entry]:
        asked.append(group)
        return [Entry(make)]

    monkeypatch.setattr(importlib.metadata, "entry_points", entries)
    assert repr(open_store("mine://shop")) == "<MemoryStore memory://shop>"
    assert asked == ["asynccache.stores"]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Entry(lambda _url: "no store")])
    with pytest.raises(TypeError, match="package:make, registered for mine://, makes no store but 'no store'"):
        open_store("mine://shop")
    with pytest.raises(ValueError, match=r"There are .*mine.*"):
        open_store("other://shop")


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("redis://h", "redis", "redis"),
        ("memcached://h", "emcache", "memcached"),
        ("hazelcast://h/dev", "hazelcast", "hazelcast"),
    ],
)
def test_a_missing_package_names_its_extra(url: str, package: str, extra: str) -> None:
    """Without its package a driver says which extra brings it: when it is opened, or when it is used at the latest."""
    code = (
        f"import asyncio, sys; sys.modules[{package!r}] = None\n"
        "from asynccache.stores import open_store\n"
        "async def use():\n"
        f"    store = open_store({url!r})\n"
        "    try:\n"
        "        await store.get_many([b'k'])\n"
        "    finally:\n"
        "        await store.aclose()\n"
        "asyncio.run(use())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "\nImportError: " in done.stderr
    assert f'pip install "asynccache[{extra}]"' in done.stderr


def test_stores_are_imported_when_they_are_asked_for() -> None:
    """Importing `asynccache.stores` imports no driver and no driver's package; all names are there all the same."""
    code = (
        "import sys, asynccache.stores as stores\n"
        "print([name for name in ('redis', 'emcache', 'hazelcast', 'sqlite3') if name in sys.modules])\n"
        "print(stores.MemoryStore.__name__, set(stores.__all__) <= set(dir(stores)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == ["[]", "MemoryStore True"]
    with pytest.raises(AttributeError, match="NoStore"):
        asynccache.stores.NoStore  # noqa: B018  # asking for it is the test
