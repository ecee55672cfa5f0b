"""The rules are pure: what they say depends on nothing but what they are asked."""

from typing import Final

import pytest

from tests.test_architecture import Source, impure, sources

RULES: Final = (
    "rfc9111",
    "conditional",
    "dates",
    "fields",
    "message",
    "policy",
    "ranges",
    "status",
    "stored",
    "uris",
    "vary",
)


def is_rule(source: Source) -> bool:
    """Whether a module is one of the rules, or what they are about."""
    steps = source.name.split(".")
    return steps[1:2] == ["http"] and steps[2:3] != [] and steps[2] in RULES


@pytest.mark.parametrize("source", [source for source in sources() if is_rule(source)], ids=lambda source: source.name)
def test_a_rule_waits_for_nothing_and_asks_no_clock(source: Source) -> None:
    """No input or output, no time, no lots."""
    assert impure(source) == []


def test_every_rule_is_looked_at() -> None:
    """A file that is renamed is not forgotten here."""
    assert {source.name.split(".")[2] for source in sources() if is_rule(source)} == set(RULES)
