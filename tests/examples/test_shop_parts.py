"""The shop's parts that need no service: data, traffic, figures, progress, open files."""

import contextlib
import io
import resource
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import pytest

from examples.shop import data
from examples.shop.open_files import connections_allowed
from examples.shop.progress import Progress
from examples.shop.report import percentile
from examples.shop.traffic import requests


def content(path: Path) -> list[str]:
    """Everything that a database holds, as SQL."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_seed_always_makes_the_same_shop(tmp_path: Path) -> None:
    """Two machines with the same seed work on the same data; another seed makes other data."""
    one, same, other = (
        data.make_database(tmp_path / name, 60, seed) for name, seed in zip("abc", (1, 1, 2), strict=True)
    )
    assert content(one) == content(same)
    assert content(one) != content(other)


def test_the_database_is_made_once(tmp_path: Path) -> None:
    """A second run uses the database of the first."""
    path = data.make_database(tmp_path, 60, 1)
    made = path.stat().st_ino
    assert data.make_database(tmp_path, 60, 1).stat().st_ino == made


def test_an_interrupted_start_leaves_no_half_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the database is made leaves nothing that a later run would take for it."""

    def interrupt(progress: Progress, done: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "show", interrupt)
    with pytest.raises(KeyboardInterrupt):
        data.make_database(tmp_path, 60, 1)
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]


def test_the_same_seed_asks_for_the_same_pages() -> None:
    """Both runs of the demo are asked the same, in the same order."""
    assert requests(300, 100, 1) == requests(300, 100, 1)
    assert requests(300, 100, 1) != requests(300, 100, 2)


def test_a_few_pages_are_asked_for_most() -> None:
    """By Zipf's law the first of 1,000 products gets 1/7.5 of all requests for products, the second half of that."""
    pages = Counter(page for page in requests(20_000, 1_000, 1) if page.startswith("/products/"))
    (_, first), (_, second) = pages.most_common(2)
    assert first / pages.total() == pytest.approx(1 / 7.485, rel=0.1)
    assert second / first == pytest.approx(1 / 2, rel=0.1)


@pytest.mark.parametrize(("percent", "expected"), [(50, 50.0), (99, 99.0), (100, 100.0), (0.1, 1.0)])
def test_percentile(percent: float, expected: float) -> None:
    """The p-th percentile of 1 to 100 is p itself."""
    assert percentile([float(value) for value in range(1, 101)], percent) == expected


class Terminal(io.StringIO):
    """Where a user watches."""

    def isatty(self) -> bool:
        """Say that this is one."""
        return True


def test_progress_on_a_terminal_stays_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the line updates itself, and is ended once."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress("Work", 4)
    progress.show(1)
    progress.finish()
    assert terminal.getvalue().startswith("\rWork:  25%\rWork: done in ")
    assert terminal.getvalue().count("\n") == 1


def test_progress_elsewhere_is_a_few_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """In a log file there is one line for each quarter, and one at the end."""
    progress = Progress("Work", 1000)
    for done in range(1, 1001):
        progress.show(done)
    progress.finish()
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["Work: 25%", "Work: 50%", "Work: 75%"]
    assert len(lines) == 4
    assert lines[3].startswith("Work: done in ")


@pytest.mark.parametrize(
    ("soft", "hard", "refuses", "allowed"),
    [
        (4096, 4096, False, 2000),
        (1024, 4096, False, 2000),
        (1024, resource.RLIM_INFINITY, False, 2000),
        (1024, 1024, False, 924),
        (1024, 4096, True, 924),
        (64, 64, False, 1),
    ],
    ids=["enough", "raised", "raised without a bound", "lowered", "refused", "at least one"],
)
def test_open_files(soft: int, hard: int, refuses: bool, allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit is raised as far as is needed and allowed; where it is not, fewer connections are opened."""
    limits = [(soft, hard)]

    def set_limit(_which: int, limit: tuple[int, int]) -> None:
        if refuses:
            raise ValueError
        limits.append(limit)

    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    assert connections_allowed(2000) == allowed
    if allowed == 2000:
        assert limits[-1][0] >= 2100
    assert limits[-1][1] == hard


@pytest.mark.parametrize("products", [3, 150])
def test_every_page_that_is_asked_for_exists(products: int, tmp_path: Path) -> None:
    """However small the shop, no customer asks for a category without products."""
    with contextlib.closing(sqlite3.connect(data.make_database(tmp_path, products, 1))) as connection:
        filled = connection.execute("SELECT DISTINCT c.name FROM categories c JOIN products p ON p.category = c.id")
        pages = {f"/categories/{name}/top" for (name,) in filled}
        pages |= {f"/products/{sku}" for (sku,) in connection.execute("SELECT sku FROM products")}
    assert set(requests(5_000, products, 1)) <= pages
