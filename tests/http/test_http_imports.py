"""What importing `asynccache.http` brings along, and what is said where aiohttp is missing."""

import subprocess
import sys
from typing import Final

import pytest

import asynccache.http

OF_AIOHTTP: Final = ("aiohttp", "multidict", "yarl")
NEED_AIOHTTP: Final = ("CACHE_TAGS", "CacheMiddleware", "ResponseCache", "cache_status", "is_from_cache")

ANSWER_TWICE: Final = """
import asyncio
from asynccache.http import ASGICacheMiddleware

async def app(scope, receive, send):
    print("asked")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
    await send({"type": "http.response.body", "body": b"hello"})

async def main():
    async def send(message):
        print(message.get("body", message.get("status")))
    scope = {"type": "http", "method": "GET", "scheme": "http", "path": "/", "query_string": b"",
             "headers": [(b"host", b"shop.example")]}
    async with ASGICacheMiddleware(app) as cache:
        for _ in range(2):
            await cache(scope, asyncio.Event().wait, send)
        await cache.invalidate("http://shop.example/")

asyncio.run(main())
"""


def run(code: str, *blocked: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a Python of its own that cannot import some packages."""
    lines = f"import sys\nfor name in {blocked!r}:\n    sys.modules[name] = None\n{code}"
    return subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=False, timeout=30)


def test_importing_imports_no_aiohttp() -> None:
    """Importing the package, and the cache for ASGI, imports nothing that has to be installed, and begins nothing."""
    names = ["ASGICacheMiddleware", "CacheStatus", "HttpStats", "Rule", "directives"]
    assert set(names) == set(asynccache.http.__all__) - set(NEED_AIOHTTP)
    done = run(
        "import asynccache.http, threading\n"
        f"from asynccache.http import {', '.join(names)}\n"
        f"print([name for name in {(*OF_AIOHTTP, 'starlette', 'sqlite3', 'redis')!r} if name in sys.modules])\n"
        "print(threading.active_count())"
    )
    assert done.stdout.splitlines() == ["[]", "1"], done.stderr


def test_the_cache_for_asgi_works_without_aiohttp() -> None:
    """An ASGI application needs nothing but asynccache."""
    done = run(ANSWER_TWICE, *OF_AIOHTTP)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("asked") == 1
    assert done.stdout.count("b'hello'") == 2


@pytest.mark.parametrize("name", NEED_AIOHTTP)
@pytest.mark.parametrize("package", OF_AIOHTTP)
def test_a_missing_aiohttp_names_its_extra(name: str, package: str) -> None:
    """What aiohttp is needed for says how to install it, as what every missing import is: an `ImportError`."""
    done = run(f"try:\n    from asynccache.http import {name}\nexcept ImportError as error:\n    print(error)", package)
    assert done.stdout.strip() == f'{name} needs the package {package}: pip install "asynccache[http]"', done.stderr


def test_another_failed_import_is_told_as_it_is() -> None:
    """Only a package of the extra's is said to be missing: a mistake elsewhere is not covered up."""
    done = run("from asynccache.http import ResponseCache", "asynccache.http.answering.engine")
    assert done.returncode == 1
    assert "asynccache[http]" not in done.stderr
    assert "asynccache.http.answering.engine" in done.stderr


def test_all_names_are_listed_before_they_are_asked_for() -> None:
    """`dir()` has all names, and what is no name is an `AttributeError`."""
    done = run(
        "import asynccache.http as http\n"
        "print(set(http.__all__) <= set(dir(http)), hasattr(http, 'nothing'), 'aiohttp' in sys.modules)"
    )
    assert done.stdout.split() == ["True", "False", "False"], done.stderr
