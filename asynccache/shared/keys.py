"""How keys are spelled in a store, and read again where a store tells of changes.

Decides what lies under a namespace, so that two caches never meet and people can read what they see:

    shop:v:"user:7"                             a value
    shop:v:["catalog"]["A1","EUR"]              a value in a namespace of the cache, or of a function
    shop:t:user:7                               a tag's record: its version is the tag's generation
    shop:s:["catalog"]                          likewise of a namespace; `shop:s:` is the whole cache's
    shop:l:"user:7"                             who is loading a value just now
    shop:k:report:7, shop:f:report:7            a lock, and its fencing numbers

Keys that Python takes for equal are spelled alike, whatever their types: 1, 1.0 and True are one key.
"""

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from json.encoder import encode_basestring
from typing import Any, Final, Literal, TypeAlias

from asynccache.core.generations import Generations, Tag
from asynccache.core.keys import split_key
from asynccache.serializers.typed_json import Undecodable, Unencodable, decode, encode

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9._\-]{1,64}")

_ASKED: Final = 0xFFFF
"""A mask: news of a key is thrown away after one look if no key of the same hash was ever asked for."""

_MOST_PATHS: Final = 1_000

Scope: TypeAlias = tuple[Hashable, ...]
"""The path of a namespace inside a cache."""


@dataclass(frozen=True, slots=True)
class Spelled:
    """What a key in the store is about.

    Attributes:
        kind: "v" for a value, "t" for a tag, "s" for a scope, "" for anything else.
        key: the key in process, the tag's name, or the scope's path.
    """

    kind: Literal["v", "t", "s", ""]
    key: Any = None


class KeySpace:
    """The keys of one cache in a store.

    Args:
        namespace: what they begin with.

    Raises:
        TypeError, ValueError: the namespace cannot be meant.
    """

    def __init__(self, namespace: str) -> None:
        if not isinstance(namespace, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"namespace must be a string, not {namespace!r}")
        if not _NAMESPACE.fullmatch(namespace):
            raise ValueError(
                f"namespace must be 1 to 64 letters, digits, '.', '_' or '-', as in \"shop\", not {namespace!r}"
            )
        self.prefix = namespace.encode() + b":"
        self._value = self.prefix + b"v:"
        self._tag = self.prefix + b"t:"
        self._scope = self.prefix + b"s:"
        self._paths: dict[Scope, bytes] = {}
        self._asked = bytearray(_ASKED + 1)

    # --- spelling ---------------------------------------------------------------------------------------------------

    def value(self, key: Any, whose: str) -> bytes:
        """Spell a key of the cache.

        Args:
            key: as it is in process, with its scope.
            whose: what it is a key of, in errors.

        Raises:
            TypeError: it is no plain data.
        """
        scope, own = split_key(key)
        try:
            spelled = _spell(own)
        except Unencodable as error:
            raise TypeError(
                f"a key of {whose} is of a kind that cannot be written to a store ({error}): use plain data, such as "
                "a string, a number or a tuple of them; for a function write key= with what tells its calls apart"
            ) from None
        spelled = self._value + (b"" if scope is None else self._path(scope.name)) + spelled
        self._asked[hash(spelled) & _ASKED] = 1
        return spelled

    def tag(self, name: str) -> bytes:
        """Spell the key of a tag's record."""
        return self._tag + name.encode("utf-8", "surrogatepass")

    def scope(self, tag: Tag | None) -> bytes:
        """Spell the key of a scope's record; None for the whole cache."""
        return self._scope + (b"" if tag is None else self._path(tag.name))

    def is_scope(self, key: bytes) -> bool:
        """Tell whether a key is that of a scope's record."""
        return key.startswith(self._scope)

    def is_record(self, key: bytes) -> bool:
        """Tell whether a key is that of a tag's or a scope's record."""
        return key.startswith((self._tag, self._scope))

    def within(self, path: Scope, name: str) -> str:
        """Give a name that lies in a namespace, as of a lock."""
        return self._path(path).decode("utf-8", "surrogatepass") + name if path else name

    def lease(self, value_key: bytes) -> bytes:
        """Spell the key that tells who is loading a value."""
        return self.prefix + b"l:" + value_key[len(self._value) :]

    def lock(self, name: str) -> bytes:
        """Spell the key of a lock."""
        return self.prefix + b"k:" + name.encode("utf-8", "surrogatepass")

    def tag_names(self, records: Any) -> tuple[str, ...]:
        """Give the names of the tags among the keys of records."""
        start = len(self._tag)
        return tuple([key[start:].decode("utf-8", "surrogatepass") for key in records if key.startswith(self._tag)])

    def _path(self, path: Any) -> bytes:
        spelled = self._paths.get(path)
        if spelled is None:
            if len(self._paths) >= _MOST_PATHS:
                self._paths.clear()
            spelled = self._paths[path] = encode([_canonical(step) for step in path])
        return spelled

    def was_asked(self, spelled: bytes) -> bool:
        """Tell whether a value's key may have been spelled here: of no other can anything be held in process."""
        return bool(self._asked[hash(spelled) & _ASKED])

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, spelled: bytes, generations: Generations) -> Spelled:
        """Tell what a key in the store is about; of no kind if it is none of ours, or of no concern to a cache.

        Args:
            spelled: the key.
            generations: know the scopes.
        """
        kind, rest = spelled[len(self.prefix) : len(self._value)], spelled[len(self._value) :]
        try:
            if kind == b"v:":
                if not self.was_asked(spelled):
                    return Spelled("")
                return self._read_value(rest, generations)
            if kind == b"t:":
                return Spelled("t", rest.decode("utf-8", "surrogatepass"))
            if kind == b"s:":
                return Spelled("s", _as_path(decode(rest)) if rest else ())
        except (Undecodable, ValueError, TypeError):
            pass
        return Spelled("")

    @staticmethod
    def _read_value(rest: bytes, generations: Generations) -> Spelled:
        if not rest.startswith(b"["):
            return Spelled("v", decode(rest))
        _, end = json.JSONDecoder().raw_decode(text := rest.decode("utf-8", "surrogatepass"))
        path = _as_path(decode(text[:end].encode("utf-8", "surrogatepass")))
        return Spelled("v", (generations.tag(path), decode(text[end:].encode("utf-8", "surrogatepass"))))


def _as_path(found: object) -> Scope:
    if not isinstance(found, list):
        raise TypeError("no path")
    return tuple(found)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _spell(key: Any) -> bytes:
    if type(key) is str:
        try:
            return encode_basestring(key).encode()
        except UnicodeEncodeError:  # lone surrogates
            pass
    return encode(_canonical(key))


def _canonical(key: Any) -> Any:
    """Give, of all keys that Python takes for equal, the same one."""
    kind: Any = type(key)  # pyright: ignore[reportUnknownVariableType]
    if kind in (str, bytes) or key is None:
        return key
    if issubclass(kind, str | int) and kind is not bool:
        return _plain_member(key)
    if issubclass(kind, bool | float | complex | Decimal | Fraction):
        return _number(key)
    if kind is datetime:
        return (key if key.utcoffset() is None else key.astimezone(UTC)).replace(fold=0)
    if kind is tuple or "_fields" in vars(kind):  # a named one, which is equal to a plain one
        return tuple([_canonical(part) for part in key])
    if kind is frozenset:
        return frozenset([_canonical(part) for part in key])
    return key


def _plain_member(key: str | int) -> Any:
    """Give the text or number that a member of a `StrEnum` or `IntEnum` is; other subclasses are refused later."""
    if type(key) is int or not isinstance(key, Enum):
        return key
    return str.__str__(key) if isinstance(key, str) else int(key)


def _number(key: Any) -> Any:
    for kind in (int, float):
        try:
            plain = kind(key)
        except (TypeError, ValueError, OverflowError):  # complex, NaN, infinity, or too large
            continue
        if plain == key:
            return plain
    if isinstance(key, complex) and not key.imag:
        return _number(key.real)
    return key
