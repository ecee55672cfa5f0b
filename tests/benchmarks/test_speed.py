"""The speed benchmarks run and show what they claim to show; how fast anything is, is not tested."""

import asyncio
import json
from typing import Any

import pytest

from benchmarks import peers, protocol, speed, tables

LITTLE = ["--rounds", "1", "--calls", "50", "--callers", "3", "--entries", "100", "--only", "asynccache"]
BESIDE_PEERS = ["hit", "arguments", "methods", "miss", "waiters", "memory", "sweep"]
ALONE = ["fresh", "shared", "batches", "expiry", "entries", "invalidate", "clear"]


def measured(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    """What a small run prints with --json."""
    speed.main([*words, *LITTLE, "--json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("what", BESIDE_PEERS)
def test_each_measurement_gives_figures(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every subcommand measures asynccache, and its floor where it has one, whose multiple is 1."""
    found = measured(capsys, what)
    assert found
    for table in found:
        assert table["failures"] == {}
        assert set(table["rows"]) == {"asynccache"} | ({table["floor"]} - {None})
        assert all(row["figure"] >= 0 for row in table["rows"].values())
        assert table["floor"] is None or table["rows"][table["floor"]]["ratio"] in (1.0, None)


@pytest.mark.parametrize("what", ALONE)
def test_each_measurement_of_our_own_gives_figures(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every subcommand that no peer takes part in measures uses of asynccache, and its floor where it has one."""
    (table,) = measured(capsys, what)
    assert table["failures"] == {}
    assert table["rows"].keys() - {table["floor"]}
    assert all(row["figure"] >= 0 for row in table["rows"].values())
    assert table["floor"] is None or table["rows"][table["floor"]]["ratio"] in (1.0, None)


def test_a_row_can_be_asked_for_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """With --only one use of asynccache is measured, beside the floor."""
    speed.main(["shared", *LITTLE[:-1], "get + ttl", "--json"])
    (table,) = json.loads(capsys.readouterr().out)
    assert set(table["rows"]) == {"bare coroutine", "get + ttl"}


def test_who_comes_at_the_moment_of_expiry_causes_one_load(capsys: pytest.CaptureFixture[str]) -> None:
    """The table of expiry counts the loads: one, whether callers wait for it or are served the old value."""
    (table,) = measured(capsys, "expiry")
    assert {row["loads:"] for row in table["rows"].values()} == {1}


@pytest.mark.parametrize("what", ["invalidate", "clear"])
def test_clearing_away_is_watched(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What an invalidation leaves behind is measured to its end, in stalls and in time."""
    (table,) = measured(capsys, what)
    for row in table["rows"].values():
        assert row["seconds:"] >= 0
        assert row["stall after it, ms:"] >= 0


async def test_what_belongs_to_the_first_turn_is_watched() -> None:
    """A watch counts what it was begun with, and lasts until nothing is left."""
    left = [None] * 3
    looked: list[str] = []

    def are_left() -> bool:
        looked.append("left")
        left.pop()
        return bool(left)

    longest, busiest = await protocol.watch(are_left, lambda: looked.append("begin"))
    assert looked == ["begin", "left", "left", "left"]
    assert longest > 0
    assert busiest >= 0


def test_waiters_share_one_load(capsys: pytest.CaptureFixture[str]) -> None:
    """The table of waiters counts the loads: one for us, however many wait."""
    (table,) = measured(capsys, "waiters")
    assert table["rows"]["asynccache"]["loads:"] == 1


def test_a_sweep_takes_all(capsys: pytest.CaptureFixture[str]) -> None:
    """The sweep is measured over as many entries as were asked for."""
    (table,) = measured(capsys, "sweep")
    assert table["rows"]["asynccache"]["swept"] == 100


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the same is printed as text, with the multiple of the floor."""
    speed.main(["arguments", *LITTLE])
    title, *rows = capsys.readouterr().out.strip().splitlines()
    assert title == "hit, two arguments and a keyword"
    assert sorted(" ".join(row.split()[:-4]) for row in rows) == ["asynccache", "bare coroutine"]
    assert any(row.endswith("ns  x    1.00") for row in rows)


def test_everything_is_measured_if_nothing_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a subcommand all measurements are made, in their order."""
    asked: list[str] = []

    def noting(what: str) -> Any:
        async def measure(_plan: protocol.Plan) -> list[tables.Table]:
            asked.append(what)
            await asyncio.sleep(0)
            return []

        return measure

    monkeypatch.setattr(speed, "MEASURES", {what: noting(what) for what in speed.MEASURES})
    assert measured(capsys) == []
    assert asked == BESIDE_PEERS + ALONE


def test_a_contender_that_fails_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A contender that cannot do what is measured fails alone, with its error; one that is not there is left out."""

    def refuse(_function: object) -> object:
        raise TypeError("no methods here")

    def missing(_maxsize: int, _ttl: float | None) -> Any:
        raise ImportError

    monkeypatch.setitem(peers.PEERS, "asynccache", lambda _maxsize, _ttl: refuse)
    monkeypatch.setitem(peers.PEERS, "cachebox", missing)
    speed.main(["methods", *LITTLE[:-1], "asynccache,cachebox"])
    out = capsys.readouterr().out
    assert "fails: TypeError: no methods here" in out
    assert "bare method" in out
    assert "cachebox" not in out
