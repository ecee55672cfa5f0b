"""Which responses to one cache key are kept together, decided without a store."""

from typing import Any

import pytest

from asynccache.http.kept.merging import freshened, merged, most_recent
from asynccache.http.kept.records import Kept
from asynccache.http.kept.stored import ChunkedBody, InlineBody
from asynccache.http.syntax.message import Fields
from tests.http.scenes import START, response, variant


def kept(name: str, /, **other: Any) -> Kept:
    """A response that is kept."""
    return Kept(variant(name, **other), START + 10)


def test_the_newest_comes_first_and_its_variant_once() -> None:
    """What is new goes in front; of those before, the same variant goes, and the others keep their order."""
    a, b, c = (kept(name) for name in "abc")
    assert merged([], a) == [a]
    assert merged([a, b, c], new := kept("b")) == [new, a, c]
    assert merged([a], new := kept("a", vary=("cookie",))) == [new, a]


def test_the_old_one_is_known_though_it_was_read_anew() -> None:
    """A response that says the same is the same, wherever it was read; it is replaced, or taken away."""
    a, b, again = kept("a"), kept("b"), kept("a")
    new = kept("a", reason="new")
    assert freshened([b, a], again.response, new) == [new, b]
    assert freshened([b, a], again.response, None) == [b]
    assert freshened([b], again.response, new) is None


@pytest.mark.parametrize(
    "other",
    [
        {"method": "POST"}, {"status": 203}, {"vary": ()}, {"selecting": b""}, {"request_time": START - 1},
        {"response_time": START + 1}, {"fields": Fields()}, {"body": InlineBody(b"other")},
        {"body": ChunkedBody(b"", 4, 4)},
    ],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_one_that_differs_is_another(other: dict[str, Any]) -> None:
    """Whatever was changed since by somebody else is not replaced by what was made of the old."""
    assert freshened([kept("a", **other)], variant("a"), None) is None


def test_only_so_many_and_so_large() -> None:
    """The newest is kept however large; of the others the newest that fit, and bodies elsewhere take no room."""
    small, large = kept("s", body=InlineBody(bytes(4))), kept("l", body=InlineBody(bytes(11)))
    beside = kept("b", body=ChunkedBody(b"", 1_000, 10))
    assert most_recent([large, small], 5, 10) == [large]
    assert most_recent([small, beside, small, beside, large], 5, 10) == [small, beside, small, beside]
    assert most_recent([small, beside, beside], 2, 10) == [small, beside]
    assert most_recent([], 2, 10) == []


def test_head_gives_way_to_get() -> None:
    """A response without a body takes no other's place, but that of another such one."""
    get, head = Kept(response(), START), Kept(response(method="HEAD"), START)
    assert merged([get], head) == [head, get]
    assert merged([head, get], head) == [head, get]
    assert merged([head], get) == [get]
