"""Errors that were given as values."""

import gc
import weakref

import pytest

from asynccache import Cache
from tests.flight.gates import turns


@pytest.mark.one_loop
async def test_errors_as_values_are_freed_without_the_collector() -> None:
    """An error that was given in a value's place goes when nobody has it any more."""

    class Mishap(Exception):
        pass

    cache = Cache()

    async def load(keys: list[int]) -> dict[int, object]:
        return {key: Mishap() for key in keys}

    async def ask() -> "weakref.ref[Mishap]":
        try:
            await cache.get_or_load_many([1], load)
        except Mishap as error:
            return weakref.ref(error)
        raise AssertionError

    gc.disable()
    try:
        alive = await ask()
        await turns()
        assert alive() is None
    finally:
        gc.enable()
