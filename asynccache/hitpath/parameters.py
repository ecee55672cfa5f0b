"""A function's parameters, as pieces of Python source: how they are declared, passed on, and made into a key.

A wrapper that is compiled with the parameters of the function that it wraps gets its arguments bound, spelled-out
defaults included, by the interpreter itself. So every spelling of one call is one key, at no cost.
"""

import inspect
import keyword
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Final

_STARS: Final[Mapping[object, str]] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyOptions:
    """What of a call makes its key.

    Attributes:
        key: a function of the call's arguments that gives it; the others do not apply then.
        ignore: names of parameters that do not count.
        typed: whether 1 and 1.0 are different arguments.
        vary: how many context variables belong to the key.
        scoped: whether the key lies in a namespace.
    """

    key: Callable[..., Any] | None = None
    ignore: frozenset[str] = frozenset()
    typed: bool = False
    vary: int = 0
    scoped: bool = False


class Parameters:
    """The parameters of one function.

    Args:
        signature: the function's signature.
        receives: whether the first argument is the instance or class that the call is made on, which is in no key.
        avoid: the name that the wrapper is defined under.

    Attributes:
        prefix: what names of ours begin with, so that they are none of the user's.
        defaults: the default values, by the name under which `declaration` refers to them.
    """

    def __init__(self, signature: inspect.Signature, *, receives: bool = False, avoid: str = "") -> None:
        self.all: Sequence[Parameter] = list(signature.parameters.values())
        self.receives = receives
        self.prefix = "_"
        while any(name.startswith(self.prefix) for name in [avoid, *signature.parameters]):
            self.prefix += "_"
        self.defaults = {
            f"{self.prefix}default_{parameter.name}": parameter.default
            for parameter in self.all
            if parameter.default is not Parameter.empty
        }

    @property
    def declaration(self) -> str:
        """What stands between the parentheses of `def`."""
        pieces: list[str] = []
        previous: Parameter | None = None
        for parameter in self.all:
            if previous is not None and previous.kind is Parameter.POSITIONAL_ONLY is not parameter.kind:
                pieces.append("/")
            if parameter.kind is Parameter.KEYWORD_ONLY and (
                previous is None or previous.kind not in (Parameter.KEYWORD_ONLY, Parameter.VAR_POSITIONAL)
            ):
                pieces.append("*")
            pieces.append(self._declare(parameter))
            previous = parameter
        if previous is not None and previous.kind is Parameter.POSITIONAL_ONLY:
            pieces.append("/")
        return ", ".join(pieces)

    def _declare(self, parameter: Parameter) -> str:
        stars = _STARS.get(parameter.kind, "")
        default = "" if parameter.default is Parameter.empty else f"={self.prefix}default_{parameter.name}"
        return f"{stars}{parameter.name}{default}"

    @property
    def positional(self) -> str:
        """The tuple of the arguments that are passed on by position."""
        pieces = [
            f"*{parameter.name}" if parameter.kind is Parameter.VAR_POSITIONAL else parameter.name
            for parameter in self.all
            if parameter.kind not in (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)
        ]
        return _tuple(pieces)

    @property
    def keywords(self) -> str:
        """The dict of the arguments that are passed on by name; "" if there are none."""
        pieces = [f"{p.name!r}: {p.name}" for p in self.all if p.kind is Parameter.KEYWORD_ONLY]
        pieces += [f"**{p.name}" for p in self.all if p.kind is Parameter.VAR_KEYWORD]
        return "{" + ", ".join(pieces) + "}" if pieces else ""

    @property
    def call(self) -> str:
        """What stands between the parentheses of a call that passes all arguments on."""
        pieces: list[str] = []
        for parameter in self.all:
            stars = _STARS.get(parameter.kind, "")
            name = f"{parameter.name}=" if parameter.kind is Parameter.KEYWORD_ONLY else ""
            pieces.append(f"{stars}{name}{parameter.name}")
        return ", ".join(pieces)

    def counting(self, ignore: frozenset[str]) -> list[Parameter]:
        """The parameters that count in the key."""
        first = 1 if self.receives and self.all[0].kind is not Parameter.VAR_POSITIONAL else 0
        return [parameter for parameter in self.all[first:] if parameter.name not in ignore]

    def by_name(self, ignore: frozenset[str]) -> str:
        """The dict of the arguments that count in the key, for messages about one of them."""
        pieces = [
            f"**{p.name}" if p.kind is Parameter.VAR_KEYWORD else f"{p.name!r}: {p.name}" for p in self.counting(ignore)
        ]
        return "{" + ", ".join(pieces) + "}"

    def key(self, options: KeyOptions) -> str:
        """The expression that makes the key.

        In a namespace, it is a pair of `{prefix}scope` and the key. That may refer to `{prefix}key_of`, the user's
        function, and to `{prefix}vary_0` and so on, which read context variables, and give `{prefix}unset_0` and so on
        where these are not set. One parameter alone is its own key, as all calls of one function have keys of one form.
        """
        return f"({self.prefix}scope, {self._own_key(options)})" if options.scoped else self._own_key(options)

    def _own_key(self, options: KeyOptions) -> str:
        if options.key is not None:
            return f"{self.prefix}key_of({self.call})"
        counting = self.counting(options.ignore)
        if len(counting) == 1 and not options.typed and not options.vary:
            return self._plain_piece(counting[0])
        pieces = [self._plain_piece(parameter) for parameter in counting]
        if options.typed:
            pieces += [self._type_piece(parameter) for parameter in counting]
        pieces += [f"{self.prefix}vary_{i}({self.prefix}unset_{i})" for i in range(options.vary)]
        return _tuple(pieces)

    def _plain_piece(self, parameter: Parameter) -> str:
        if parameter.kind is Parameter.VAR_KEYWORD:
            return f"{self.prefix}tuple({self.prefix}sorted({parameter.name}.items()))"
        if self.receives and parameter is self.all[0]:  # `*args`, with the instance among them
            return f"{parameter.name}[1:]"
        return parameter.name

    def _type_piece(self, parameter: Parameter) -> str:
        p = self.prefix
        if parameter.kind is Parameter.VAR_POSITIONAL:
            return f"{p}tuple({p}map({p}type, {self._plain_piece(parameter)}))"
        if parameter.kind is Parameter.VAR_KEYWORD:
            return f"{p}tuple([{p}type({parameter.name}[{p}name]) for {p}name in {p}sorted({parameter.name})])"
        return f"{p}type({parameter.name})"


def plain_name(function: object, otherwise: str) -> str:
    """Give a function's name, if another can be defined under it."""
    name = getattr(function, "__name__", otherwise)
    return name if isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name) else otherwise


def _tuple(pieces: Sequence[str]) -> str:
    return f"({pieces[0]},)" if len(pieces) == 1 else f"({', '.join(pieces)})"
