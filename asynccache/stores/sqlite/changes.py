"""What each kind of change means in SQL, and what it comes to."""

import itertools
import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from asynccache.errors import StoreError
from asynccache.stores.batching import Change, Op
from asynccache.stores.contract import Item
from asynccache.stores.sqlite import schema


def apply(connection: sqlite3.Connection, ops: list[Op], now: float, *, longest: int) -> list[object]:
    """Make changes in their order, within a transaction that is under way.

    Args:
        connection: to make them on.
        ops: the changes.
        now: by the clock of the file, in seconds.
        longest: bytes that a key and its value may have together.

    Returns:
        what each came to; a `StoreError` for one whose item is too long.

    Raises:
        sqlite3.Error: the transaction cannot be ended well.
    """
    results: list[object] = []
    for is_set, run in itertools.groupby(ops, lambda op: op.change is Change.SET and _fits(op, longest)):
        if is_set:
            rows = [_row(op.key, op.item, now) for op in run]
            connection.executemany(schema.SET, rows)
            results += [True] * len(rows)
        else:
            results += [_apply_one(connection, op, now, longest) for op in run]
    return results


def _apply_one(connection: sqlite3.Connection, op: Op, now: float, longest: int) -> object:
    if _fits(op, longest):
        return _MADE[op.change](connection, op, now)
    if op.change is Change.SET:  # what was there before is out of date
        connection.execute(schema.DELETE_ANY, (op.key,))
    return StoreError("an item is larger than the file may hold")


def _fits(op: Op, longest: int) -> bool:
    return len(op.key) + len(op.item.value) <= longest


def _row(key: bytes, item: Item, now: float) -> tuple[bytes, bytes, float | None, float]:
    return key, item.value, _until(item, now), now


def _until(item: Item, now: float) -> float | None:
    return None if item.ttl is None else now + item.ttl


def _is_changed(connection: sqlite3.Connection, sql: str, values: Iterable[object]) -> bool:
    return connection.execute(sql, tuple(values)).rowcount > 0


def _delete(connection: sqlite3.Connection, op: Op, now: float) -> bool:
    return _is_changed(connection, schema.DELETE, (op.key, now))


def _add(connection: sqlite3.Connection, op: Op, now: float) -> bool:
    return _is_changed(connection, schema.ADD, (*_row(op.key, op.item, now), now))


def _compare_and_set(connection: sqlite3.Connection, op: Op, now: float) -> bool:
    item = op.item
    condition = (op.key, now, len(op.expected), op.expected)
    return _is_changed(connection, schema.COMPARE_AND_SET, (item.value, _until(item, now), now, *condition))


def _compare_and_delete(connection: sqlite3.Connection, op: Op, now: float) -> bool:
    return _is_changed(connection, schema.COMPARE_AND_DELETE, (op.key, now, len(op.expected), op.expected))


def _increment(connection: sqlite3.Connection, op: Op, now: float) -> int:
    connection.execute(schema.COUNT, (op.key, _until(op.item, now), now))
    return int(connection.execute(schema.TOTAL, (op.key,)).fetchone()[0])


_MADE: Final[dict[Change, Callable[[sqlite3.Connection, Op, float], object]]] = {
    Change.DELETE: _delete,
    Change.ADD: _add,
    Change.COMPARE_AND_SET: _compare_and_set,
    Change.COMPARE_AND_DELETE: _compare_and_delete,
    Change.INCREMENT: _increment,
}
