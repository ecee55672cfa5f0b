"""Runs tests: sends the requests of each, one after another, through the cache under test.

Decides when and what is sent. How a reply is judged, `checks` decides; how requests are sent, the client that is given.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from tools.conformance.checks import Problem, origin_problems, reply_problems
from tools.conformance.origin import Origin
from tools.conformance.replies import BLANK, FetchHeaders, Reply, expanded
from tools.conformance.suite import Case, Step

PAUSE_SECONDS: Final = 3.0
REPLY_SECONDS: Final = 10.0
AT_ONCE: Final = 40


class Ask(NamedTuple):
    """A request to be sent; `path` is below the base of what is tested."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes | None
    follow: bool


Send: TypeAlias = Callable[[str, Ask], Awaitable[Reply]]
"""Sends a request to below a base URL, through a cache."""

OpenClient: TypeAlias = Callable[[], AbstractAsyncContextManager[Send]]
"""Opens a client with connections and a store of its own: some tests send wrong lengths, which would spoil others'."""

Results: TypeAlias = dict[str, Problem | None]
"""By test: why it failed; None if it passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What tests are run on.

    Attributes:
        origin: the suite's server.
        base: where requests are sent: the origin, or a server in front of it.
        open_client: what sends them.
        is_private: whether the cache is its caller's own.
        log: told what is sent and received, if it is wanted.
    """

    origin: Origin
    base: str
    open_client: OpenClient
    is_private: bool
    log: Callable[[str], None] = lambda _: None


async def run_all(tests: Iterable[Case], bench: Bench, at_once: int = AT_ONCE) -> Results:
    """Run tests, many at the same time: most of them mostly wait."""
    room = asyncio.Semaphore(at_once)

    async def run(test: Case) -> tuple[str, Problem | None]:
        async with room:
            return test["id"], await outcome(test, bench)

    return dict(sorted(await asyncio.gather(*map(run, tests))))


async def outcome(test: Case, bench: Bench) -> Problem | None:
    """Run one test: None if all was as it expects, otherwise the first thing that was not."""
    try:
        async with bench.open_client() as send:
            return await _Run(test, bench, send).result()
    except TimeoutError:
        return Problem("AbortError", f"no answer within {REPLY_SECONDS:.0f} s")
    except Exception as error:  # whatever a client raises is a failure of the test, as it is in the suite
        return Problem(type(error).__name__, str(error))


class _Run:
    """One run of one test."""

    def __init__(self, test: Case, bench: Bench, send: Send) -> None:
        self._bench = bench
        self._send = send
        self._token = str(uuid.uuid4())
        self._steps: Sequence[Step] = [{**step, "name": test["name"], "id": test["id"]} for step in test["requests"]]

    async def result(self) -> Problem | None:
        bench, replies = self._bench, list[Reply]()
        await bench.origin.prepare(self._token, list(self._steps))
        for number, step in enumerate(self._steps, start=1):
            ask = request(number, step, self._token, replies[-1].headers if replies else FetchHeaders())
            begun = time.monotonic()
            bench.log(f"-> {number}: {ask}")
            reply = await asyncio.wait_for(self._send(bench.base, ask), REPLY_SECONDS)
            bench.log(f"<- {number}: {reply} after {time.monotonic() - begun:.3f} s")
            replies.append(reply)
            if found := next(reply_problems(number, step, reply, self._token), None):
                return found
            if step.get("pause_after") is True:
                await asyncio.sleep(PAUSE_SECONDS)
        state = await bench.origin.seen(self._token)
        bench.log(f"origin: {state}")
        return next(origin_problems(self._steps, replies, state, bench.is_private), None)


def request(number: int, step: Step, token: str, previous: FetchHeaders) -> Ask:
    """Give the request of one step as `fetch()` would send it; `previous` are the fields of the reply before."""
    path = f"/test/{token}"
    if "filename" in step:
        path += f"/{step['filename']}"
    if "query_arg" in step:
        path += f"?{step['query_arg']}"
    headers: dict[str, tuple[str, str]] = {}
    for name, told in ((str(pair[0]), pair[1]) for pair in step.get("request_headers", ())):
        is_magic = step.get("magic_ims") is True and name.lower() == "if-modified-since"
        value = expanded(name, told, previous, step) if is_magic else str(told).strip(BLANK)
        spelled, before = headers.get(name.lower(), (name, None))
        headers[name.lower()] = (spelled, value if before is None else f"{before}, {value}")
    if step.get("cache") == "no-cache":  # the Fetch standard's word for it
        headers.setdefault("cache-control", ("Cache-Control", "max-age=0"))
    own = [("Test-Name", step.get("name", "").strip()), ("Test-ID", step.get("id", "")), ("Req-Num", str(number))]
    body = step["request_body"].encode() if "request_body" in step else None
    follow = step.get("redirect") != "manual"
    return Ask(step.get("request_method", "GET"), path, [*headers.values(), *own], body, follow)
