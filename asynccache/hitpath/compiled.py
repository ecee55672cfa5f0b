"""The wrapper's source: what a hit costs is decided here.

A hit never leaves the wrapper: one look-up, what the policy and the expiry have to do, one counter. So the wrapper is
written out for each function, as `dataclasses` writes `__init__`: with the function's own parameters, and with only
those lines that its options need. Tracebacks show the source.
"""

import functools
import itertools
import linecache
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any, Final, Protocol, TypeAlias

from asynccache.bypass import Switch
from asynccache.core.bounded import BoundedCache
from asynccache.core.entry import NEVER
from asynccache.core.generations import Generations, Tag
from asynccache.hitpath.parameters import KeyOptions, Parameters
from asynccache.protocols import MISSING

Function: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]


_OWN_NAMES: Final[Mapping[str, object]] = {
    "MISSING": MISSING,
    "hash": hash,
    "map": map,
    "never": NEVER,
    "no_kwargs": {},
    "sorted": sorted,
    "tuple": tuple,
    "type": type,
}
"""Built-in functions too go by a name of ours: a parameter may well be called `type`."""


class Tally(Protocol):
    """Tells the hits so far; with True, begins anew."""

    def __call__(self, reset: bool = False, /) -> int:
        """Tell, and begin anew if so told."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class HitOptions:
    """What a hit has to look at.

    Attributes:
        stores: whether anything is ever stored.
        expires: whether entries can expire.
        slides: whether a hit moves the deadline.
        copies: whether each caller gets a copy.
        copies_fetched: whether what is fetched is copied too, as a load's value has to be.
        lasts: whether entries are `LastingEntry`s, which can have tags.
        may_stay: whether some entries expire and others do not: those that do not are spared the clock.
        can_be_bypassed: whether the cache can be switched off for a while.
    """

    stores: bool
    expires: bool
    slides: bool
    copies: bool
    copies_fetched: bool = True
    lasts: bool = False
    may_stay: bool = False
    can_be_bypassed: bool = False


class CompiledFunction:
    """One function's wrapper, ready to be made for one store or for many.

    Args:
        name: what the wrapper is called.
        parameters: the function's parameters.
        key_options: what makes the key.
        hit_options: what a hit has to look at.
        policy: whose `hit_source` a hit runs.
        names: further names that the source refers to: `key_of`, `vary_0`, ..., `copy`, `explain`, `clock`, `idle`.

    Attributes:
        source: the source, for those who want to read it.
        key_of: gives the key of a call, as it is within its namespace.
        split: gives the positional and the keyword arguments that a call passes on.
    """

    def __init__(
        self,
        name: str,
        parameters: Parameters,
        key_options: KeyOptions,
        hit_options: HitOptions,
        policy: type[BoundedCache[Any, Any]],
        names: Mapping[str, object],
    ) -> None:
        self._prefix = parameters.prefix
        self.source = _Source(name, parameters, key_options, hit_options, policy).text()
        namespace: dict[str, Any] = {self._prefix + key: value for key, value in names.items()}
        namespace |= {self._prefix + key: value for key, value in _OWN_NAMES.items()}
        namespace |= parameters.defaults
        exec(_compile(self.source), namespace)  # noqa: S102  # the source is ours; the names in it were checked
        for function in ("key_for", "split"):
            namespace[self._prefix + function].__qualname__ = name  # wrong arguments are the called function's business
        self.key_of: Callable[..., Any] = namespace[f"{self._prefix}key_for"]
        self.split: Callable[..., tuple[tuple[Any, ...], dict[str, Any]]] = namespace[f"{self._prefix}split"]
        self._make: Callable[..., tuple[Function, Tally]] = namespace[f"{self._prefix}make"]

    def make(
        self,
        cache: BoundedCache[Any, Any],
        fetch: Function,
        touch: Callable[[Any], None],
        generations: Generations,
        switch: Switch | None = None,
        scope: Tag | None = None,
    ) -> tuple[Function, Tally]:
        """Make the wrapper for one store.

        Args:
            cache: where hits are found.
            fetch: called with key, positional and keyword arguments at a miss.
            touch: called with the entry at a hit, by policies that ask for it.
            generations: of the entries' tags.
            switch: tells whether the cache was ever bypassed.
            scope: the namespace that keys lie in.
        """
        names = {self._prefix + name: value for name, value in cache.hit_names().items()}
        return self._make(cache.entries, fetch, touch, generations, switch, scope, **names)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    parameters: Parameters
    key: KeyOptions
    hit: HitOptions
    policy: type[BoundedCache[Any, Any]]

    def text(self) -> str:
        """The whole module: lines with `$name` where a name of ours stands."""
        p = self.parameters
        lines = [
            f"def $key_for({p.declaration}):",
            f"    $key = {p.key(replace(self.key, scoped=False))}",
            "    try:",
            "        $hash($key)",
            "    except TypeError as $error:",
            f"        $explain($error, $key, {p.by_name(self.key.ignore)})",
            "    return $key",
            "",
            f"def $split({p.declaration}):",
            f"    return {p.positional}, {p.keywords or '$no_kwargs'}",
            "",
            f"def $make({', '.join(f'${name}' for name in [*_OF_STORE, *self._hit_names()])}):",
            "    $hits = 0",
            "",
            f"    async def {self.name}({p.declaration}):",
            *("        " + line for line in self._body()),
            "",
            "    def $tally($reset=False):",
            "        nonlocal $hits",
            "        $seen = $hits",
            "        if $reset:",
            "            $hits = 0",
            "        return $seen",
            "",
            f"    return {self.name}, $tally",
            "",
        ]
        return "\n".join(lines).replace("$", p.prefix)

    def _hit_names(self) -> list[str]:
        return [name for name in _NAMES.findall(self.policy.hit_source) if name not in ("entry", "key", "touch")]

    def _body(self) -> list[str]:
        p = self.parameters
        key = p.key(self.key)
        lines: list[str] = []
        if not _is_cheap(key, self.key) or "key" in _NAMES.findall(self.policy.hit_source):
            lines.append(f"$key = {key}")
            key = "$key"
        fetch = f"await $fetch({key}, {p.positional}, {p.keywords or '$no_kwargs'})"
        if self.hit.can_be_bypassed:
            copied = f"$copy({fetch})" if self.hit.copies and self.hit.copies_fetched else fetch
            lines += ["if $switch.used and $switch.mode() is not None:", f"    return {copied}"]
        lines += self._look_up(key) if self.hit.stores else ["try:", f"    $hash({key})"]
        arguments = p.by_name(self.key.ignore)
        lines += ["except TypeError as $error:", f"    $explain($error, {key}, {arguments})"]
        if self.hit.stores:
            lines += ["except (KeyError, AttributeError):", "    pass"]
        if not self.hit.copies:
            return [*lines, f"return {fetch}"]
        if self.hit.stores:
            lines = ["$value = $MISSING", *lines, "if $value is not $MISSING:", "    return $copy($value)"]
        return [*lines, f"return $copy({fetch})" if self.hit.copies_fetched else f"return {fetch}"]

    def _look_up(self, key: str) -> list[str]:
        """Of a hit, all that stands in the `try`."""
        lines = [f"$entry = $entries[{key}]"]
        on_hit = [_NAMES.sub(lambda match: "$" + match[0], self.policy.hit_source)] if self.policy.hit_source else []
        if self.hit.slides:
            idle_until = (
                "$deadline = $entry.idle_until = $now + $idle" if self.hit.lasts else "$deadline = $now + $idle"
            )
            on_hit += [idle_until, "$limit = $entry.limit"]
            on_hit += ["$entry.deadline = $deadline if $deadline < $limit else $limit"]
        on_hit += ["$hits += 1", "$value = $entry.value" if self.hit.copies else "return $entry.value"]
        lines += self._conditions()
        indent = "    " if self.hit.expires or self.hit.slides else ""
        return ["nonlocal $hits", "try:", *("    " + line for line in [*lines, *(indent + line for line in on_hit)])]

    def _conditions(self) -> list[str]:
        """The line, with what it needs, that looks whether a value that was found may be served."""
        is_valid = " and $entry.seen == $generations.now" if self.hit.lasts else ""
        if self.hit.slides:
            return ["$now = $clock()", f"if $now < $entry.deadline{is_valid}:"]
        if self.hit.may_stay:
            return ["$deadline = $entry.deadline", f"if ($deadline is $never or $clock() < $deadline){is_valid}:"]
        return [f"if $clock() < $entry.deadline{is_valid}:"] if self.hit.expires else []


_OF_STORE: Final = ("entries", "fetch", "touch", "generations", "switch", "scope")
"""What belongs to one store, in the order in which `make` is given it."""

_NAMES: Final = re.compile(r"(?<![\w.])(?!if\b|else\b|and\b|or\b|not\b)[a-z]\w*")
"""The names that a policy's `hit_source` stands on, attributes and keywords left out."""


def _is_cheap(key: str, options: KeyOptions) -> bool:
    """Whether writing the key's expression twice, for the hit and for the miss, beats keeping it in a variable."""
    return options.key is None and "(" not in key.removeprefix("(")


_numbers: Final = itertools.count(1)


@functools.lru_cache(maxsize=256)
def _compile(source: str) -> CodeType:
    name = f"<asynccache {next(_numbers)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    return compile(source, name, "exec")
