import re
import subprocess
from collections.abc import Callable
from typing import TypeAlias

import pytest

RunExample: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

PROMISES = {
    "github": [
        "Ada, the first time: issues [1, 2, 3, 4, 5], sent: 200 200 200, left: 57",
        "Ada again, at once: issues [1, 2, 3, 4, 5], sent: nothing, left: 57",
        "Ada, 90 s later: issues [1, 2, 3, 4, 5], sent: 304 304 304, left: 57",
        "Bob, by the same cache: issues [1, 2, 3, 4, 5], sent: 200 200 200, left: 57",
        "they are ada and bob",
        "Ada has closed one: issues [1, 2, 4, 5], sent: 200 200, left: 53",
        "Bob, 90 s later: issues [1, 2, 4, 5], sent: 200 200, left: 54",
        "Bob, who has used up his limit: issues [1, 2, 4, 5], sent: 304 304, left: 0",
    ],
    "scraper": [
        "  told to come again in 30 s",
        "first: 30 pages with their style; the site has answered 32 x 200, 1 x 429",
        "again, at once: 30 pages with their style; the site has answered nothing",
        "an hour later: 30 pages with their style; the site has answered 30 x 304",
        "the site is down: 30 pages with their style; the site has answered 30 x 503",
        "at most 3 of them at a time",
    ],
    "gateway": [
        "fifty at once: 50 x 'Lamp: 12 in stock'; requests to the service: 2",
        "fifty more: 50 x 'Lamp: 12 in stock'; requests to the service: 0",
        "it has another name: 50 x 'Desk lamp: 12 in stock'; requests to the service: 1",
        "two hours later, the service is down: 50 x 'Desk lamp: 12 in stock'; requests to the service: 2",
    ],
}


def complaints(stderr: str) -> list[str]:
    """What a program said of itself; not that a service fails, which it is to show, nor that a step took long."""
    expected = r"Executing <.*> took \d+\.\d+ seconds|CacheMiddleware: old responses are served, .* status 50[23]"
    return [line for line in stderr.splitlines() if not re.fullmatch(expected, line)]


@pytest.mark.parametrize("name", PROMISES)
def test_example_prints_what_it_promises(name: str, run_example: RunExample) -> None:
    """An example with servers of its own runs without an error or a warning, and shows what it says it shows."""
    done = run_example(name)
    assert complaints(done.stderr) == []
    assert done.returncode == 0
    assert done.stdout.splitlines() == PROMISES[name]
