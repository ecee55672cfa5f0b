"""Files of `cache.snapshot` and `cache.restore` with which something is wrong, and caches that are closed."""

from typing import Any

import pytest

from asynccache import CacheClosed
from tests.cache.machine import Machine


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        (b"", "the file is empty"),
        (b"hello\n", "not a snapshot of asynccache"),
        (b"asynccache snapshot 9\n{}\n", "of another version"),
        ("cut", "ends too early"),
        ("changed", "its checksum is wrong"),
    ],
    ids=str,
)
async def test_a_file_that_is_damaged_or_missing(machine: Machine, content: Any, words: str) -> None:
    """It changes nothing, raises nothing, and the report says what is the matter."""
    cache = machine.cache()
    await cache.set_many({"a": 1, "b": 2})
    await cache.snapshot(machine.file)
    whole = machine.file.read_bytes()
    if content is None:
        machine.file.unlink()
    elif content == "cut":
        machine.file.write_bytes(whole[:-20])
    else:
        machine.file.write_bytes(whole.replace(b'"a"', b'"c"') if content == "changed" else content)
    cache = machine.cache()
    await cache.set("own", 1)
    report = await cache.restore(machine.file)
    assert report.problem is not None
    assert words in report.problem
    assert (report.restored, report.expired, report.refused) == (0, 0, 0)
    assert cache.items() == [("own", 1)]


@pytest.mark.one_loop
async def test_a_file_that_cannot_be_written(machine: Machine) -> None:
    """It is an OSError, the file that was there still is, and nothing else is left in its folder."""
    cache = machine.cache()
    await cache.set("key", 1)
    await cache.snapshot(machine.file)
    with pytest.raises(OSError, match="No such file"):
        await cache.snapshot(machine.file.parent / "missing" / "snapshot")
    assert list(machine.file.parent.iterdir()) == [machine.file]
    await cache.set("key", 2)
    await cache.snapshot(machine.file)
    cache = machine.cache()
    await cache.restore(machine.file)
    assert await cache.get("key") == 2


@pytest.mark.one_loop
async def test_a_closed_cache(machine: Machine) -> None:
    """It is empty: it neither replaces a file that was saved before, nor takes anything in."""
    cache = machine.cache()
    await cache.set("key", 1)
    await cache.snapshot(machine.file)
    await cache.aclose()
    with pytest.raises(CacheClosed):
        await cache.snapshot(machine.file)
    with pytest.raises(CacheClosed):
        await cache.restore(machine.file)
    assert cache.items() == []
    cache = machine.cache()
    assert (await cache.restore(machine.file)).restored == 1
