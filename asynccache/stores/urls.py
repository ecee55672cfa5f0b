"""The URLs of stores: how one is read, which driver its scheme means, and what its parameters have to look like.

Decides the spelling that all engines share. What an engine's own parameters are called, its driver decides: it names
each with its type in `StoreUrl.parameters`, and gets them checked. A URL may hold a password: no message repeats one.
"""

import difflib
import importlib
import importlib.metadata
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import unquote

from asynccache.stores.contract import Store

ENTRY_POINTS: Final = "asynccache.stores"
"""The group of entry points by which others add schemes: its name is the scheme, its value makes a store of a
`StoreUrl`."""

_DRIVERS: Final = {
    "memory": "memory:MemoryStore",
    "sqlite": "sqlite:SQLiteStore",
    "redis": "redis:RedisStore",
    "rediss": "redis:RedisStore",
    "valkey": "redis:RedisStore",
    "valkeys": "redis:RedisStore",
    "redis+cluster": "redis:RedisStore",
    "redis+sentinel": "redis:RedisStore",
    "unix": "redis:RedisStore",
    "memcached": "memcached:MemcachedStore",
    "hazelcast": "hazelcast:HazelcastStore",
}

_EXTRAS: Final = {"redis": "redis", "emcache": "memcached", "hazelcast": "hazelcast"}
"""Which extra brings a package that a driver needs."""

_EXAMPLES: Final = "redis://localhost:6379/0 or sqlite:///cache.db"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A URL of a store, taken apart; percent escapes are resolved.

    Attributes:
        scheme: in lower case.
        hosts: each with its port, if it has one.
        path: from the first slash after the hosts on, that one included.
        username: None if there is none.
        password: likewise. It is not part of the repr.
        query: names and values of the parameters, as they are written. Not part of the repr either.
    """

    scheme: str
    hosts: tuple[tuple[str, int | None], ...] = ()
    path: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, url: str) -> "StoreUrl":
        """Take a URL apart: `scheme://user:password@host:port,host:port/path?name=value&name=value`.

        Raises:
            TypeError: it is no string.
            ValueError: it cannot be read. The message does not repeat it, as it may hold a password.
        """
        if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users without a checker
            raise TypeError(f"the URL of a store must be a string, such as {_EXAMPLES}, not {url!r}")
        scheme, separator, rest = url.partition("://")
        if not separator or not _SCHEME.fullmatch(scheme.lower()):
            raise ValueError(f"the URL of a store begins with a scheme and ://, such as {_EXAMPLES}")
        if "#" in rest:
            raise ValueError("the URL of a store has no part after #: write %23 for a # that belongs to it")
        place, _, query = rest.partition("?")
        authority, slash, path = place.partition("/")
        login, at, hosts = authority.rpartition("@")
        username, colon, password = login.partition(":")
        return cls(
            scheme=scheme.lower(),
            hosts=tuple(_read_host(host) for host in hosts.split(",")) if hosts else (),
            path=unquote(slash + path),
            username=unquote(username) if at and username else None,
            password=unquote(password) if colon else None,
            query=tuple(_read_parameter(pair) for pair in query.split("&") if pair),
        )

    def parameters(self, **kinds: Callable[[str], Any]) -> dict[str, Any]:
        """Give the parameters that are written, read and checked.

        Args:
            kinds: for each name that there is, what reads its value: `seconds`, `size`, `one_of(…)`, `int`, `float`,
                `bool`, `str`, or a function of the text that raises a `ValueError` saying what to write.

        Returns:
            values by name, without those that are not written.

        Raises:
            ValueError: there is no such parameter, it is written twice, or its value cannot be read.
        """
        found: dict[str, Any] = {}
        for name, text in self.query:
            if name not in kinds:
                raise ValueError(self._unknown(name, sorted(kinds)))
            if name in found:
                raise ValueError(f"the URL of a {self.scheme} store has its parameter {name} twice: write it once")
            try:
                found[name] = _READERS.get(kinds[name], kinds[name])(text)
            except ValueError as error:
                raise ValueError(
                    f"the parameter {name} of a {self.scheme} store must be {error}, not {text!r}"
                ) from None
        return found

    def _unknown(self, name: str, known: list[str]) -> str:
        near = difflib.get_close_matches(name, known, n=1)
        guess = f": did you mean {near[0]}?" if near else "."
        there = f"There are {', '.join(known)}" if known else "There are none"
        return f"the URL of a {self.scheme} store has no parameter {name!r}{guess} {there}"


def open_store(url: str) -> Store:
    """Make the store that a URL means. Nothing is connected before it is used.

    `memory://name`, `sqlite:///relative.db`, `sqlite:////absolute.db`, `redis://`, `rediss://`, `valkey://`,
    `valkeys://`, `redis+cluster://`, `redis+sentinel://`, `unix://`, `memcached://a,b,c`, `hazelcast://a,b/cluster`,
    and whatever scheme is registered as an entry point of the group `asynccache.stores`.

    Args:
        url: of the store. `?timeout=0.1` (seconds) is understood by all; the other parameters are each driver's own.

    Raises:
        TypeError: it is no string, or what was registered makes no store.
        ValueError: it cannot be read, or nobody knows its scheme.
        ImportError: its driver needs a package that is not installed.
    """
    parsed = StoreUrl.parse(url)
    if parsed.scheme not in _DRIVERS:
        return _open_registered(parsed)
    module, name = _DRIVERS[parsed.scheme].split(":")
    try:
        driver = getattr(importlib.import_module(f"asynccache.stores.{module}"), name)
        return cast("Store", driver.from_url(parsed))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise ImportError(f'{parsed.scheme}:// needs a package: pip install "asynccache[{extra}]"') from error


def _open_registered(url: StoreUrl) -> Store:
    entries = importlib.metadata.entry_points(group=ENTRY_POINTS)
    for entry in entries:
        if entry.name == url.scheme:
            store = entry.load()(url)
            if not isinstance(store, Store):
                raise TypeError(f"{entry.value}, registered for {url.scheme}://, makes no store but {store!r}")
            return store
    known = sorted(_DRIVERS.keys() | {entry.name for entry in entries})
    near = difflib.get_close_matches(url.scheme, known, n=1)
    guess = f": did you mean {near[0]}://?" if near else "."
    raise ValueError(f"no store is known for {url.scheme}://{guess} There are {', '.join(known)}")


# --- readers of values ------------------------------------------------------------------------------------------------


def seconds(text: str) -> float:
    """Read a time in seconds, more than 0.

    Raises:
        ValueError: it is none.
    """
    value = _number(text)
    if not 0 < value < math.inf:
        raise ValueError("seconds, more than 0, such as 0.5")
    return value


def size(text: str) -> int:
    """Read a number of bytes: `65536`, `64kB`, `64MB`, `2GB`, by the thousand; `64KiB`, `64MiB`, `2GiB`, by 1,024.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"([1-9][0-9]*)\s*([kmg]?)(i?)b?", text.strip(), re.ASCII | re.IGNORECASE)
    if match is None or (match[3] and not match[2]):
        raise ValueError("a number of bytes, such as 65536, 64MB or 2GiB")
    return int(match[1]) * int((1024 if match[3] else 1000) ** " kmg".index(match[2].lower() or " "))


def one_of(*words: str) -> Callable[[str], str]:
    """Make a reader that takes these words only."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def _flag(text: str) -> bool:
    try:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
    except KeyError:
        raise ValueError("true or false") from None


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]+", text, re.ASCII):
        raise ValueError("a whole number, such as 3")
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]*)?(e-?[0-9]+)?", text, re.ASCII | re.IGNORECASE):
        raise ValueError("a number, such as 0.5")
    return float(text)


_READERS: Final[dict[object, Callable[[str], Any]]] = {bool: _flag, float: _number, int: _whole}
"""What is read more strictly than Python's own types do: `bool("no")` is true, and `int("1_0")` is 10."""


# --- parts of a URL ---------------------------------------------------------------------------------------------------


def _read_host(text: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::([0-9]+))?", text.strip(), re.ASCII)
    if match is None or (match[2] is not None and not 0 < int(match[2]) <= _LAST_PORT):
        raise ValueError(
            "the hosts of a store's URL are written host:port, with commas between, ports from 1 to 65535, and IPv6"
            " addresses in brackets; what is no letter or digit in a user name or password is written as %xx"
        )
    return unquote(match[1].strip("[]")), None if match[2] is None else int(match[2])


def _read_parameter(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise ValueError(f"a parameter in the URL of a store is written name=value; {unquote(name)!r} has no value")
    return unquote(name), unquote(value)
