"""Tags and their generations: groups made invalid at once, compared with a log of all that was ever said."""

import gc
import sys
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.generations import NO_TAGS, Epoch, Generations, Tags, last_invalidated, read_tags

NAMES: Final = ("a", "b", "c")


def lines_of(generations: Generations, name: str) -> int:
    """How many lines run to invalidate a tag."""
    tag, count, outer = generations.tag(name), 0, sys.gettrace()

    def trace(*_: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    sys.settrace(trace)
    try:
        generations.invalidate(tag)
    finally:
        sys.settrace(outer)
    return count


# --- tags -------------------------------------------------------------------------------------------------------------


def test_a_tag_is_one_as_long_as_somebody_holds_it() -> None:
    """Asked by name, a tag is the same for all, and its generation is kept as long as anybody holds it."""
    generations = Generations()
    tag = generations.tag("a")
    assert generations.tag("a") is tag
    assert generations.tags(["b", "a"])[1] is tag
    assert generations.tags([]) == NO_TAGS
    assert (tag.name, tag.generation) == ("a", 0)
    generations.invalidate(generations.tag("a"))
    assert generations.tag("a").generation == tag.generation == generations.now == 1


def test_names_are_told_apart_as_keys_are() -> None:
    """Names of any hashable kind are welcome, and those of a namespace do not meet the users' strings."""
    generations = Generations()
    tags = generations.tags(["a", ("a",), ("b", 1), 1])
    assert len({id(tag) for tag in tags}) == 4
    assert generations.tag(("b", 1)) is tags[2]


def test_each_invalidation_counts_and_hits_one_tag() -> None:
    """`now` grows with each invalidation, and only the tag that it was said of has that generation."""
    generations = Generations()
    a, b = generations.tags(["a", "b"])
    for expected, tag in enumerate((a, a, b, a), start=1):
        generations.invalidate(tag)
        assert generations.now == tag.generation == expected
    assert (a.generation, b.generation) == (4, 3)
    assert (last_invalidated((a, b)), last_invalidated((b,)), last_invalidated(NO_TAGS)) == (4, 3, 0)


def test_nothing_is_kept_of_tags_that_nobody_holds() -> None:
    """A tag goes with the last that carries it; thousands that nobody carries leave nothing when invalidated."""
    generations = Generations()
    held = generations.tags(["held"])
    gone = weakref.ref(generations.tag("gone"))
    for number in range(1_000):
        generations.invalidate(generations.tag(number))
    assert gone() is None
    assert len(generations) == 1
    assert generations.now == 1_000
    del held
    assert len(generations) == 0


def test_invalidating_takes_as_many_steps_for_many_as_for_one() -> None:
    """As many lines run for a tag that ten thousand carry, with a thousand loads in the air, as for one of nobody."""
    crowded, lonely = Generations(), Generations()
    carried = [crowded.tags(["a", "b"]) for _ in range(10_000)]
    loads = [crowded.epoch() for _ in range(1_000)]
    alone = lonely.epoch()
    assert lines_of(crowded, "a") == lines_of(lonely, "a") > 0
    assert all(last_invalidated(tags) == 1 for tags in carried)
    assert all(load is loads[0] for load in loads)
    assert alone.began == 0


# --- loads in the air -------------------------------------------------------------------------------------------------


def test_a_load_sees_what_was_invalidated_since_it_began() -> None:
    """A tag that nobody held is remembered for a load that began before, however often, and not for one after."""
    generations = Generations()
    early = generations.epoch()
    generations.invalidate(generations.tag("a"))
    late = generations.epoch()
    gc.collect()
    assert last_invalidated(generations.tags(["a", "b"])) > early.began
    assert last_invalidated(generations.tags(["a", "b"])) <= late.began
    generations.invalidate(generations.tag("b"))
    assert last_invalidated(generations.tags(["b"])) > late.began
    assert last_invalidated(generations.tags(["a"])) <= late.began


def test_loads_that_nothing_came_between_share_an_epoch() -> None:
    """Loads cost an epoch only where something was invalidated between their beginnings."""
    generations = Generations()
    first = generations.epoch()
    assert generations.epoch() is first
    generations.invalidate(generations.tag("a"))
    second = generations.epoch()
    assert second is not first
    assert (first.began, second.began) == (0, 1)
    assert generations.epoch() is second


def test_what_is_kept_for_loads_goes_with_them() -> None:
    """Epochs, and the tags in them, live as long as a load that began in them or before, and no longer."""
    generations = Generations()
    oldest = generations.epoch()
    generations.invalidate(generations.tag("a"))
    middle = generations.epoch()
    generations.invalidate(generations.tag("b"))
    newest = generations.epoch()
    generations.invalidate(generations.tag("c"))
    assert len(generations) == 3
    kept = weakref.ref(middle)
    del middle
    assert kept() is not None, "the oldest load needs what came after it"
    del oldest
    assert kept() is None, "nobody needs what came before the newest load"
    assert len(generations) == 1
    del newest
    assert len(generations) == 0


def test_a_load_that_hangs_keeps_each_tag_once() -> None:
    """What a load that never ends keeps is bounded by the tags there are, not by how often they are invalidated."""
    generations = Generations()
    hanging = generations.epoch()
    for number in range(1_000):
        generations.invalidate(generations.tag(number % 3))
    assert len(generations) == 3
    assert len(hanging.overtaken_by) == 3
    assert hanging.after is None, "no load began meanwhile, so no epoch did"


def test_ten_thousand_epochs_in_a_chain_go_without_a_trace() -> None:
    """A load that outlives 10,000 others lets go of the whole chain at once, however deep it is."""
    generations = Generations()
    first = generations.epoch()
    last = first
    watched: list[weakref.ref[Epoch]] = []
    for number in range(10_000):
        generations.invalidate(generations.tag(number))
        last = generations.epoch()
        watched.append(weakref.ref(last))
    assert sum(epoch() is not None for epoch in watched) == len(generations) == 10_000
    assert first.after is not None
    del last
    assert len(generations) == 10_000, "the first load still needs them all"
    del first
    assert [epoch for epoch in watched if epoch() is not None] == []
    assert len(generations) == 0


# --- against a log of everything --------------------------------------------------------------------------------------


@dataclass(eq=False)
class Carrier:
    """An entry or a load, beside what the model knows of it."""

    began: int
    epoch: Epoch | None
    tags: Tags = NO_TAGS
    names: tuple[str, ...] = ()
    seen: int = 0


@dataclass
class Log:
    """Every invalidation that there ever was, by the moment at which it was said: what `Generations` is to save us."""

    said: list[tuple[int, str]] = field(default_factory=list)
    moment: int = 0

    def say(self, name: str) -> None:
        """Note an invalidation."""
        self.said.append((self.pass_by(), name))

    def pass_by(self) -> int:
        """Begin another moment."""
        self.moment += 1
        return self.moment

    def is_valid(self, names: Iterable[str], began: int) -> bool:
        """Tell whether nothing was said of these names since a moment."""
        return not any(name in names and moment > began for moment, name in self.said)


STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(["begin", "land", "land", "invalidate", "invalidate", "leave", "crash"]),
        st.integers(0, 9),
        st.sets(st.sampled_from(NAMES)),
    ),
    max_size=60,
)


def land(generations: Generations, log: Log, load: Carrier, names: tuple[str, ...]) -> bool:
    """Let a load end with these tags, and tell whether what it brings is valid."""
    assert load.epoch is not None
    load.tags, load.names = generations.tags(names), names
    is_valid = last_invalidated(load.tags) <= load.epoch.began
    assert is_valid == log.is_valid(names, load.began)
    load.epoch, load.seen = None, generations.now
    return is_valid


def valid(entries: list[Carrier]) -> list[Carrier]:
    """Those of which no tag was invalidated since they were stored."""
    return [entry for entry in entries if last_invalidated(entry.tags) <= entry.seen]


@given(STEPS)
def test_entries_and_loads_are_valid_as_the_log_says(steps: list[tuple[str, int, set[str]]]) -> None:
    """What was stored, and what a load brings, is valid just if no tag of it was invalidated since its load began."""
    generations, log = Generations(), Log()
    loads: list[Carrier] = []
    entries: list[Carrier] = []
    for what, number, names in steps:
        if what == "begin":
            loads.append(Carrier(log.pass_by(), generations.epoch()))
        elif what == "invalidate":
            name = NAMES[number % len(NAMES)]
            log.say(name)
            generations.invalidate(generations.tag(name))
        elif what == "land" and loads:
            load = loads.pop(number % len(loads))
            if land(generations, log, load, tuple(sorted(names))):
                entries.append(load)
            del load
        elif what == "leave" and entries:
            del entries[number % len(entries)]
        elif what == "crash" and loads:
            del loads[number % len(loads)]
        assert valid(entries) == [entry for entry in entries if log.is_valid(entry.names, entry.began)]
        if not loads:
            assert len(generations) == len({name for entry in entries for name in entry.names})


# --- options ----------------------------------------------------------------------------------------------------------


def test_tags_are_read_as_they_are_written() -> None:
    """Several strings of any kind of container, in their order; None and nothing are no tags."""
    assert read_tags("tags", ["b", "a"]) == ("b", "a")
    assert read_tags("tags", (name for name in "ab")) == ("a", "b")
    assert read_tags("tags", {"a"}) == ("a",)
    assert read_tags("tags", None) == read_tags("tags", ()) == ()


def test_one_string_is_not_several_tags() -> None:
    """A single name is refused with what to write: its letters would each be a tag."""
    with pytest.raises(TypeError, match=r"^tags must be several tags: write \('users',\)$"):
        read_tags("tags", "users")


@pytest.mark.parametrize("name", [1, None, b"a", ("a",)])
def test_tags_are_strings(name: Any) -> None:
    """What is no string is refused, by its type: it may be private."""
    with pytest.raises(TypeError, match=f"^what tags.. returns must be strings, not {type(name).__name__}$"):
        read_tags("what tags() returns", ["a", name])
