"""The speed benchmarks run and show what they claim to show; how fast anything is, is not tested."""

import asyncio
import json
from typing import Any

import pytest

from benchmarks import peers, speed, tables

LITTLE = ["--rounds", "1", "--calls", "50", "--callers", "3", "--entries", "100", "--only", "asynccache"]


def measured(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    """What a small run prints with --json."""
    speed.main([*words, *LITTLE, "--json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("what", speed.MEASURES)
def test_each_measurement_gives_figures(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every subcommand measures asynccache, and its floor where it has one, whose multiple is 1."""
    found = measured(capsys, what)
    assert found
    for table in found:
        assert table["failures"] == {}
        assert set(table["rows"]) == {"asynccache"} | ({table["floor"]} - {None})
        assert all(row["figure"] >= 0 for row in table["rows"].values())
        assert table["floor"] is None or table["rows"][table["floor"]]["ratio"] in (1.0, None)


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
        async def measure(_plan: speed.Plan) -> list[tables.Table]:
            asked.append(what)
            await asyncio.sleep(0)
            return []

        return measure

    monkeypatch.setattr(speed, "MEASURES", {what: noting(what) for what in speed.MEASURES})
    assert measured(capsys) == []
    assert asked == ["hit", "arguments", "methods", "miss", "waiters", "memory", "sweep"]


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
