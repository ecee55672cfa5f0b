"""The rules are pure: what they say depends on nothing but what they are asked."""

from typing import Final

import pytest

from tests.test_architecture import Source, impure, sources

RULES: Final = ("rfc9111", "syntax", "settings.policy", "kept.stored")


def is_rule(source: Source) -> bool:
    """Whether a module is one of the rules, or what they are about."""
    return any(f"{source.name}.".startswith(f"asynccache.http.{rule}.") for rule in RULES)


@pytest.mark.parametrize("source", [source for source in sources() if is_rule(source)], ids=lambda source: source.name)
def test_a_rule_waits_for_nothing_and_asks_no_clock(source: Source) -> None:
    """No input or output, no time, no lots."""
    assert impure(source) == []


def test_every_rule_is_looked_at() -> None:
    """A file that is renamed is not forgotten here."""
    known = [source.name for source in sources() if is_rule(source)]
    assert all(any(f"{name}.".startswith(f"asynccache.http.{rule}.") for name in known) for rule in RULES)
