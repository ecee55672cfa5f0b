"""The benchmark of files runs and shows what it claims to show; how fast anything is, is not tested."""

import importlib.util
import json

import pytest

from benchmarks import sqlite

LITTLE = ["--rounds", "1", "--calls", "20", "--entries", "30", "--callers", "1,4"]


def test_it_measures_reads_and_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """Reads and writes are measured with each number of callers, of all who are installed, as multiples of ours."""
    sqlite.main([*LITTLE, "--json"])
    tables = json.loads(capsys.readouterr().out)
    assert [table["title"].split(" of ")[0] for table in tables] == ["reads", "reads", "writes", "writes"]
    peers = {"aiosqlite", "aiosqlite, fetchall"} if importlib.util.find_spec("aiosqlite") else set()
    for table in tables:
        assert set(table["rows"]) == {"asynccache"} | peers
        assert table["rows"]["asynccache"]["ratio"] == 1.0
        assert all(row["figure"] > 0 for row in table["rows"].values())


def test_it_is_read_by_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --json there is a table for each; a peer that is not installed is left out."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    sqlite.main(LITTLE)
    out = capsys.readouterr().out
    assert "reads of 500 bytes, 4 callers at once" in out
    assert "us a write  x    1.00" in out
    assert "aiosqlite" not in out
