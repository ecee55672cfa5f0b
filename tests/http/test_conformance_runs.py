"""How the tool behind `make conformance` fetches the suite, runs a test, and stands in front of the origin."""

import asyncio
import base64
import hashlib
import io
import socket
import subprocess
import tarfile
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from tools.conformance import steps, suite
from tools.conformance.checks import Problem
from tools.conformance.origin import Origin, Seen, require_node
from tools.conformance.proxy import (
    Forwarder,
    Message,
    OriginUnreachable,
    Receive,
    SendMessage,
    asgi_gateway,
    end_to_end,
    gateway,
)
from tools.conformance.replies import FetchHeaders, Reply
from tools.conformance.steps import Ask, Bench, Send
from tools.conformance.suite import Case, Step, Suite, fetched


def a_test(name: str, **members: Any) -> Case:
    """A test of that name."""
    return cast("Case", {"id": name, "name": name, "requests": [{}], **members})


def a_suite(*tests: Case, name: str = "some") -> Suite:
    """A suite of these tests."""
    return {"id": name, "name": name, "tests": list(tests)}


def seen(number: int) -> Seen:
    """A request of that number as the origin tells of it."""
    return {"request_num": number, "request_method": "GET", "request_headers": {}, "response_headers": []}


class OriginInMemory:
    """An origin that takes every test, and saw what it is told."""

    def __init__(self, *state: Seen) -> None:
        self.state = list(state)
        self.prepared: list[list[Step]] = []

    async def prepare(self, _token: str, told: list[Step]) -> None:
        """Take a test."""
        self.prepared.append(told)

    async def seen(self, _token: str) -> list[Seen]:
        """Tell what it was made to tell."""
        return self.state


def bench(origin: OriginInMemory, send: Send) -> Bench:
    """A bench of that origin and that client."""

    @asynccontextmanager
    async def open_client() -> AsyncGenerator[Send, None]:
        yield send

    return Bench(origin=cast("Origin", origin), base="", open_client=open_client, is_private=True)


class TestRuns:
    async def test_a_test_that_is_right_passes(self) -> None:
        """Every step is sent, and the origin knew them before."""
        origin, sent = OriginInMemory(seen(1), seen(2)), list[Ask]()

        async def send(_base: str, ask: Ask) -> Reply:
            sent.append(ask)
            return Reply(200, FetchHeaders(), ask.path.removeprefix("/test/").encode())

        found = await steps.run_all([a_test("t", requests=[{}, {}])], bench(origin, send))
        assert found == {"t": None}
        assert [dict(ask.headers)["Req-Num"] for ask in sent] == ["1", "2"]
        assert origin.prepared == [[{"name": "t", "id": "t"}] * 2]

    async def test_a_test_ends_with_its_first_failure(self) -> None:
        """What follows a step that failed is not sent."""
        sent = list[Ask]()

        async def send(_base: str, ask: Ask) -> Reply:
            sent.append(ask)
            return Reply(500, FetchHeaders(), b"")

        found = await steps.run_all([a_test("t", requests=[{}, {}])], bench(OriginInMemory(), send))
        assert found == {"t": Problem("Setup", "Response 1 status is 500, not 200")}
        assert len(sent) == 1

    async def test_a_client_that_raises_fails_that_test_only(self) -> None:
        """An exception is a failure with its own name."""

        async def send(_base: str, ask: Ask) -> Reply:
            if dict(ask.headers)["Test-ID"] == "bad":
                raise LookupError("oh")
            return Reply(200, FetchHeaders(), ask.path.removeprefix("/test/").encode())

        found = await steps.run_all([a_test("good"), a_test("bad")], bench(OriginInMemory(), send))
        assert found == {"bad": Problem("LookupError", "oh"), "good": None}

    async def test_an_answer_that_never_comes_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client that hangs ends its test, not the run."""
        monkeypatch.setattr(steps, "REPLY_SECONDS", 0.0)

        async def send(_base: str, _ask: Ask) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

        found = await steps.run_all([a_test("t")], bench(OriginInMemory(), send))
        assert [problem.kind for problem in found.values() if problem] == ["AbortError"]

    async def test_the_cache_pauses_between_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A step that asks for it is followed by a pause of 3 seconds."""
        slept = list[float]()

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        async def send(_base: str, ask: Ask) -> Reply:
            return Reply(200, FetchHeaders(), ask.path.removeprefix("/test/").encode())

        monkeypatch.setattr("tools.conformance.steps.asyncio.sleep", sleep)
        await steps.run_all([a_test("t", requests=[{"pause_after": True}, {}])], bench(OriginInMemory(), send))
        assert slept == [3.0]


class TestFetching:
    @staticmethod
    def npm(content: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have npm bring that."""

        def run(*_command: object, **_options: object) -> subprocess.CompletedProcess[str]:
            (folder / "suite.tgz").write_bytes(content)
            return subprocess.CompletedProcess((), 0, "suite.tgz\n", "")

        monkeypatch.setattr(subprocess, "run", run)

    @staticmethod
    def node(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have Node tell that version."""

        def run(*_command: object, **_options: object) -> subprocess.CompletedProcess[str]:
            return subprocess.CompletedProcess((), 0, version, "")

        monkeypatch.setattr(subprocess, "run", run)

    def test_what_is_not_the_suite_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another checksum than the one that this tool was made for ends the run, and leaves nothing behind."""
        self.npm(b"something else", tmp_path, monkeypatch)
        with pytest.raises(SystemExit, match="checksum"):
            fetched(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_the_suite_is_unpacked_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The right archive is unpacked; what is there is not fetched again."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            tar.addfile(tarfile.TarInfo("package/here"))
        content = archive.getvalue()
        monkeypatch.setattr(suite, "SHA512", base64.b64encode(hashlib.sha512(content).digest()).decode())
        self.npm(content, tmp_path, monkeypatch)
        assert (fetched(tmp_path) / "here").exists()
        self.npm(b"never asked for", tmp_path, monkeypatch)
        assert fetched(tmp_path) == tmp_path / "package"

    @pytest.mark.parametrize("version", ["v16.20.0", "", "unreadable"])
    def test_an_old_node_is_refused(self, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who has no Node, or one that is too old, is told which one is needed."""
        self.node(version, monkeypatch)
        with pytest.raises(SystemExit, match="Node 18 or newer"):
            require_node()

    def test_a_missing_node_or_npm_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is not installed is named."""

        def run(*_command: object, **_options: object) -> subprocess.CompletedProcess[str]:
            raise FileNotFoundError

        monkeypatch.setattr(subprocess, "run", run)
        with pytest.raises(SystemExit, match="Node 18 or newer"):
            require_node()
        with pytest.raises(SystemExit, match="npm is missing"):
            fetched(tmp_path)

    def test_a_new_node_will_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Node 18 and all later ones are taken."""
        for version in ("v18.0.0", "v20.20.2"):
            self.node(version, monkeypatch)
            require_node()


def test_what_belongs_to_one_connection_is_not_handed_on() -> None:
    """The proxy drops hop-by-hop fields, those that Connection lists, and keeps all others and their order."""
    pairs = [
        ("A", "1"),
        ("Connection", "close, B"),
        ("b", "2"),
        ("TE", "x"),
        ("a", "3"),
        ("Connection", "c"),
        ("C", "4"),
    ]
    assert end_to_end(pairs) == [("A", "1"), ("a", "3")]


class TestGateway:
    """A proxy whose origin does not answer says so, once the cache has had its chance."""

    async def test_of_aiohttp(self) -> None:
        """Clients of aiohttp.web are answered 504."""

        async def handler(_request: web.Request) -> web.StreamResponse:
            raise OriginUnreachable("gone")

        answer = await gateway(cast("web.Request", None), handler)
        assert answer.status == 504

    async def test_of_asgi(self) -> None:
        """Clients of an ASGI application are answered 504."""
        sent = list[Message]()

        async def app(_scope: Message, _receive: Receive, _send: SendMessage) -> None:
            raise OriginUnreachable("gone")

        async def receive() -> Message:
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        await asgi_gateway(app)({}, receive, send)
        assert [message.get("status", message.get("body")) for message in sent] == [504, b"gone"]

    async def test_an_origin_that_is_not_there(self) -> None:
        """That nobody listens is told apart from every answer."""
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        with ThreadPoolExecutor(1) as threads, pytest.raises(OriginUnreachable):
            await Forwarder(f"http://127.0.0.1:{port}", threads).forward("GET", "/", [], b"")
