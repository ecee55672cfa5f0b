"""The tool behind `make conformance`: its checks see what is wrong, and its scores say what happened."""

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
from typing import Any, ClassVar, cast

import pytest
from aiohttp import web

from tools.conformance import steps, suite
from tools.conformance.checks import Problem, origin_problems, reply_problems
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
from tools.conformance.replies import FetchHeaders, Reply, expanded
from tools.conformance.scoring import (
    Known,
    Surprises,
    as_published,
    counts,
    forgotten,
    known_failures,
    published,
    reasons,
    surprises,
    verdicts,
)
from tools.conformance.steps import Ask, Bench, Results, Send, request
from tools.conformance.suite import Case, Step, Suite, by_id, fetched, revision_of, selected, with_dependencies
from tools.conformance.tables import Scored, later, page

TOKEN = "the-token"


def reply(status: int = 200, body: bytes = TOKEN.encode(), **fields: str) -> Reply:
    """A reply, by default one that a test without any wish is content with."""
    return Reply(status, FetchHeaders((name.replace("_", "-"), value) for name, value in fields.items()), body)


def first(step: Step, got: Reply, number: int = 2) -> Problem | None:
    """The first thing that is wrong with a reply."""
    return next(reply_problems(number, step, got, TOKEN), None)


def seen(number: int = 1, method: str = "GET", response: tuple[tuple[str, Any], ...] = (), **fields: str) -> Seen:
    """A request as the origin tells of it."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return {
        "request_num": number,
        "request_method": method,
        "request_headers": headers,
        "response_headers": list(response),
    }


def first_of_origin(step: Step, got: Reply, state: list[Seen], is_private: bool = True) -> Problem | None:
    """The first thing that is wrong with what the origin saw of a test of one step."""
    return next(origin_problems([step], [got], state, is_private), None)


def a_test(name: str, **members: Any) -> Case:
    """A test of that name."""
    return cast("Case", {"id": name, "name": name, "requests": [{}], **members})


def a_suite(*tests: Case, name: str = "some") -> Suite:
    """A suite of these tests."""
    return {"id": name, "name": name, "tests": list(tests)}


FAILED = Problem("Assertion", "no")


class TestReplies:
    def test_content_with_what_was_asked_for(self) -> None:
        """A plain reply with the origin's body is right."""
        assert first({}, reply()) is None

    @pytest.mark.parametrize(
        ("step", "got", "message"),
        [
            ({"expected_type": "cached"}, reply(server_request_count="2"), "does not come from cache"),
            ({"expected_type": "cached"}, reply(), "does not come from cache"),
            ({"expected_type": "not_cached"}, reply(server_request_count="1"), "comes from cache"),
            ({"expected_type": "not_cached"}, reply(), "comes from cache"),
            ({"expected_status": 504}, reply(), "status is 200, not 504"),
            ({"expected_type": "etag_validated"}, reply(999), "should have been conditional"),
            ({"expected_response_headers": ["Age"]}, reply(), "Age header not present"),
            ({"expected_response_headers": [["A", "b"]]}, reply(a="c"), 'A is "c", not "b"'),
            ({"expected_response_headers": [["A", "=", "B"]]}, reply(a="1", b="2"), "should = B"),
            ({"expected_response_headers": [["A", ">", 5]]}, reply(a="5"), "should > 5"),
            ({"expected_response_headers": [["A", ">", 5]]}, reply(a="many"), "should > 5"),
            ({"expected_response_headers_missing": ["A"]}, reply(a="1"), "unexpected header A"),
            ({"expected_response_text": "x"}, reply(body=b"y"), 'body is "y", not "x"'),
            ({"expected_interim_responses": [[103]]}, reply(), "Interim response 1"),
        ],
    )
    def test_sees_what_a_test_is_about(self, step: Step, got: Reply, message: str) -> None:
        """Whatever is not as a test expects is a failure of what it is about."""
        found = first(step, got)
        assert found is not None
        assert found.kind == "Assertion"
        assert message in found.message

    @pytest.mark.parametrize(
        ("step", "got"),
        [
            ({"setup": True, "expected_type": "cached"}, reply()),
            ({"setup_tests": ["expected_type"], "expected_type": "cached"}, reply()),
            ({"response_status": (203, "x")}, reply()),
            ({}, reply(500)),
            ({}, reply(body=b"other")),
            ({"response_body": "x"}, reply(body=b"y")),
            ({}, reply(request_numbers="1 2 2")),
        ],
    )
    def test_tells_what_only_prepares_from_what_a_test_is_about(self, step: Step, got: Reply) -> None:
        """What goes wrong before the point of a test is told as that."""
        found = first(step, got)
        assert found is not None
        assert found.kind == "Setup"

    @pytest.mark.parametrize(
        ("step", "got"),
        [
            ({"expected_type": "cached"}, reply(server_request_count="1")),
            ({"expected_type": "cached", "expected_status": 304}, reply(304, b"")),
            ({"expected_type": "not_cached"}, reply(server_request_count="2")),
            ({"expected_status": None}, reply(504)),
            ({"check_body": False}, reply(body=b"other")),
            ({"expected_response_text": None}, reply(body=b"other")),
            ({"request_method": "HEAD"}, reply(body=b"")),
            ({"response_status": (204, "x")}, reply(204, b"")),
            ({"expected_response_headers": ["A", ["A", "1"], ["A", "=", "B"], ["A", ">", 0]]}, reply(a="1", b="1")),
            ({"expected_response_headers_missing": [["A", "1"]]}, reply(a="1")),
            ({}, reply(request_numbers="1 2")),
        ],
    )
    def test_lets_pass_what_is_right(self, step: Step, got: Reply) -> None:
        """What a test allows is no failure."""
        assert first(step, got) is None

    def test_refuses_a_comparison_that_it_does_not_know(self) -> None:
        """A newer suite that asks for more than the tool can do is told so."""
        with pytest.raises(ValueError, match="does not know"):
            first({"expected_response_headers": [["A", "<", 5]]}, reply(a="1"))


class TestOrigin:
    @pytest.mark.parametrize(
        ("step", "state", "kind"),
        [
            ({"expected_type": "not_cached"}, [seen(2)], "Assertion"),
            ({"expected_type": "not_cached"}, [], "TypeError"),
            ({"expected_type": "etag_validated"}, [], "Assertion"),
            ({"expected_type": "etag_validated"}, [seen(if_modified_since="x")], "Assertion"),
            ({"expected_type": "lm_validated"}, [seen(if_none_match="x")], "Assertion"),
            ({"expected_request_headers": ["Range"]}, [seen()], "Assertion"),
            ({"expected_request_headers": [["Range", "bytes=5-"]]}, [seen(range="bytes=4-")], "Assertion"),
            ({"expected_request_headers_missing": ["Range"]}, [seen(range="x")], "Assertion"),
            ({"expected_request_headers_missing": [["Range", "x"]]}, [seen(range="x")], "Assertion"),
            ({"expected_method": "HEAD"}, [seen()], "Assertion"),
            ({"expected_method": "HEAD"}, [], "TypeError"),
            ({}, [seen(response=(("A", "1"),))], "Setup"),
        ],
    )
    def test_sees_what_is_wrong(self, step: Step, state: list[Seen], kind: str) -> None:
        """What the origin should have seen, and did not, is a failure."""
        found = first_of_origin(step, reply(), state)
        assert found is not None
        assert found.kind == kind

    @pytest.mark.parametrize(
        ("step", "state"),
        [
            ({"expected_type": "cached"}, []),
            ({}, []),
            ({"expected_type": "not_cached"}, [seen()]),
            ({"expected_type": "etag_validated"}, [seen(if_none_match="x")]),
            ({"expected_type": "lm_validated"}, [seen(if_modified_since="x")]),
            ({"expected_request_headers": ["Range", ["Range", "x"]]}, [seen(range="x")]),
            ({"expected_request_headers_missing": ["A", ["Range", "y"]]}, [seen(range="x")]),
            ({"expected_method": "HEAD"}, [seen(method="HEAD")]),
            ({}, [seen(response=(("A", ["1", 2]), ("Date", "another")))]),
        ],
    )
    def test_lets_pass_what_is_right(self, step: Step, state: list[Seen]) -> None:
        """What the origin saw as it should is no failure."""
        assert first_of_origin(step, reply(a="1, 2"), state) is None

    def test_cookies_are_compared_for_shared_caches_only(self) -> None:
        """As browsers hide them, private results stay comparable."""
        state = [seen(response=(("Set-Cookie", "a=b"),))]
        assert first_of_origin({}, reply(), state, is_private=True) is None
        assert first_of_origin({}, reply(), state, is_private=False) is not None

    def test_a_request_that_was_answered_by_the_cache_is_not_waited_for(self) -> None:
        """The second request that the origin sees may be the third of the test."""
        three: list[Step] = [{}, {"expected_type": "cached"}, {"expected_type": "not_cached"}]
        replies = [reply(), reply(), reply()]
        assert list(origin_problems(three, replies, [seen(1), seen(3)], True)) == []
        assert list(origin_problems(three, replies, [seen(1), seen(2)], True)) != []


class TestRequests:
    def test_fields_of_one_name_are_joined(self) -> None:
        """`fetch()` sends one line for each name."""
        step: Step = {"request_headers": [["Foo", " 1 "], ["foo", "2"]], "name": "n", "id": "i"}
        own = [("Test-Name", "n"), ("Test-ID", "i"), ("Req-Num", "3")]
        assert request(3, step, TOKEN, FetchHeaders()).headers == [("Foo", "1, 2"), *own]

    def test_all_of_a_step_is_sent(self) -> None:
        """Method, path, query, body and whether to follow come from the step."""
        step: Step = {
            "request_method": "POST",
            "filename": "f",
            "query_arg": "a=1",
            "request_body": "ü",
            "redirect": "manual",
        }
        ask = request(1, step, TOKEN, FetchHeaders())
        assert ask._replace(headers=[]) == Ask("POST", f"/test/{TOKEN}/f?a=1", [], "ü".encode(), False)
        assert request(1, {}, TOKEN, FetchHeaders())._replace(headers=[]) == Ask(
            "GET", f"/test/{TOKEN}", [], None, True
        )

    def test_no_cache_is_sent_as_the_fetch_standard_does(self) -> None:
        """What `fetch()` calls no-cache is max-age=0 on the wire, unless the test says something itself."""
        assert ("Cache-Control", "max-age=0") in request(1, {"cache": "no-cache"}, TOKEN, FetchHeaders()).headers
        said: Step = {"cache": "no-cache", "request_headers": [["Cache-Control", "no-store"]]}
        assert ("Cache-Control", "max-age=0") not in request(1, said, TOKEN, FetchHeaders()).headers

    def test_magic_dates_are_relative_to_the_reply_before(self) -> None:
        """An integer in If-Modified-Since is seconds from the origin's last now."""
        step: Step = {"magic_ims": True, "request_headers": [["If-Modified-Since", -10]]}
        sent = request(2, step, TOKEN, FetchHeaders([("Server-Now", "20000")])).headers
        assert sent[0] == ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:10 GMT")

    def test_magic_values_in_replies(self) -> None:
        """Dates and locations are expected as the origin has expanded them."""
        fields = FetchHeaders([("Server-Now", "0"), ("Server-Base-Url", "/test/x")])
        assert expanded("Expires", 1, fields, {}) == "Thu, 01 Jan 1970 00:00:01 GMT"
        assert expanded("Expires", 1, fields, {"rfc850date": ["expires"]}) == "Thursday, 01-Jan-70 00:00:01 GMT"
        assert expanded("Location", "y", fields, {"magic_locations": True}) == "/test/x/y"
        assert expanded("Location", "", fields, {"magic_locations": True}) == "/test/x"
        assert expanded("Location", "y", fields, {}) == "y"
        assert expanded("Foo", 1, fields, {}) == "1"


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
            return reply(body=ask.path.removeprefix("/test/").encode())

        found = await steps.run_all([a_test("t", requests=[{}, {}])], bench(origin, send))
        assert found == {"t": None}
        assert [dict(ask.headers)["Req-Num"] for ask in sent] == ["1", "2"]
        assert origin.prepared == [[{"name": "t", "id": "t"}] * 2]

    async def test_a_test_ends_with_its_first_failure(self) -> None:
        """What follows a step that failed is not sent."""
        sent = list[Ask]()

        async def send(_base: str, ask: Ask) -> Reply:
            sent.append(ask)
            return reply(500)

        found = await steps.run_all([a_test("t", requests=[{}, {}])], bench(OriginInMemory(), send))
        assert found == {"t": Problem("Setup", "Response 1 status is 500, not 200")}
        assert len(sent) == 1

    async def test_a_client_that_raises_fails_that_test_only(self) -> None:
        """An exception is a failure with its own name."""

        async def send(_base: str, ask: Ask) -> Reply:
            if dict(ask.headers)["Test-ID"] == "bad":
                raise LookupError("oh")
            return reply(body=ask.path.removeprefix("/test/").encode())

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
            return reply(body=ask.path.removeprefix("/test/").encode())

        monkeypatch.setattr("tools.conformance.steps.asyncio.sleep", sleep)
        await steps.run_all([a_test("t", requests=[{"pause_after": True}, {}])], bench(OriginInMemory(), send))
        assert slept == [3.0]


class TestSelection:
    tests = (
        a_test("plain"),
        a_test("browsers", browser_only=True),
        a_test("proxies", browser_skip=True),
        a_test("cdn", cdn_only=True),
    )

    def test_modes_select_as_the_suite_does(self) -> None:
        """Browsers and proxies each have tests of their own."""
        suites = [a_suite(*self.tests), a_suite(a_test("spared", browser_skip=True), name="status")]
        assert set(by_id(selected(suites, "private"))) == {"plain", "browsers"}
        assert set(by_id(selected(suites, "shared"))) == {"plain", "proxies", "spared"}
        assert set(by_id(selected(suites, "extra"))) == {"spared"}

    def test_what_a_test_depends_on_is_run_too(self) -> None:
        """Also what that depends on, and each once."""
        every = {t["id"]: t for t in (a_test("a"), a_test("b", depends_on=["a"]), a_test("c", depends_on=["b", "a"]))}
        assert sorted(t["id"] for t in with_dependencies([every["c"]], every)) == ["a", "b", "c"]


class TestScores:
    suite = a_suite(
        a_test("passes"),
        a_test("fails", kind="optimal"),
        a_test("needs", depends_on=["fails"]),
        a_test("needs more", depends_on=["needs"], kind="check"),
        a_test("set up"),
        a_test("again"),
        a_test("late"),
        a_test("never run"),
    )
    results: ClassVar[Results] = {
        "passes": None,
        "fails": FAILED,
        "needs": None,
        "needs more": None,
        "set up": Problem("Setup", "x"),
        "again": Problem("Setup", "retry"),
        "late": Problem("AbortError", "x"),
    }

    def ended(self) -> dict[str, Any]:
        """How the tests ended."""
        return dict(verdicts([self.suite], self.results, by_id([self.suite])))

    def test_verdicts(self) -> None:
        """A test that depends on one that did not pass does not count, however it ended."""
        assert self.ended() == {
            "passes": "pass",
            "fails": "fail",
            "needs": "dependency",
            "needs more": "dependency",
            "set up": "setup",
            "again": "retry",
            "late": "harness",
            "never run": "untested",
        }

    def test_counts(self) -> None:
        """Each kind is counted by itself; tests without a kind are required."""
        counted = counts(self.suite["tests"], self.ended())
        assert {kind: counter.total() for kind, counter in counted.items()} == {"required": 6, "optimal": 1, "check": 1}
        assert counted["required"]["pass"] == 1
        assert counted["optimal"]["pass"] == 0

    def test_a_failure_without_a_reason_is_a_surprise(self) -> None:
        """What failed needs a reason, also if it was not run; what depends on it needs none."""
        explained = {"fails": "because", "late": "because"}
        assert surprises(self.ended(), explained) == Surprises(unexplained=("again", "never run", "set up"))

    def test_a_reason_for_what_passes_is_a_surprise(self) -> None:
        """A test that we have come to pass must lose its reason."""
        told = surprises({"t": "pass"}, {"t": "because"})
        assert told == Surprises(passed=("t",))
        assert told
        assert not surprises({"t": "pass"}, {})

    def test_reasons_for_tests_that_are_gone(self) -> None:
        """A reason must not outlive its test."""
        known = [Known(frozenset({"a", "b"}), frozenset({"client"}), "x")]
        assert forgotten(known, ["a"]) == ["b"]

    def test_results_as_the_suite_saves_them(self) -> None:
        """What we save, we read back; also the odd entries of older files."""
        assert published(as_published(self.results)) == self.results
        assert published({"t": False}) == {"t": Problem("Assertion", "")}


class TestKnownFailures:
    def test_the_file_can_be_read(self) -> None:
        """Every reason is written for columns that exist."""
        for known in (*known_failures("npm"), *known_failures("later")):
            assert known.columns <= {"client", "extra", "web", "asgi"}
            assert known.columns
            assert known.tests

    def test_reasons_are_for_their_columns(self, tmp_path: Path) -> None:
        """One reason may be for several tests and columns."""
        path = tmp_path / "known.toml"
        path.write_text('[[failure]]\ntests = ["a", "b"]\ncolumns = ["web"]\nreason = " because "\n')
        assert reasons(known_failures("npm", path), "web") == {"a": "because", "b": "because"}
        assert reasons(known_failures("npm", path), "asgi") == {}

    def test_reasons_may_be_for_one_revision_only(self, tmp_path: Path) -> None:
        """What later revisions of the suite ask differently has reasons of its own."""
        path = tmp_path / "known.toml"
        entry = '[[failure]]\ntests = ["a"]\ncolumns = ["web"]\nonly = "{0}"\nreason = "{0}"\n'
        path.write_text(entry.format("npm") + entry.format("later"))
        assert reasons(known_failures("npm", path), "web") == {"a": "npm"}
        assert reasons(known_failures("later", path), "web") == {"a": "later"}
        assert revision_of([a_suite(name="interim")]) == "later"
        assert revision_of([a_suite()]) == "npm"

    @pytest.mark.parametrize("reason", ["", "two"])
    def test_what_makes_no_sense_is_refused(self, reason: str, tmp_path: Path) -> None:
        """Each failure has one reason, in words."""
        entry = f'[[failure]]\ntests = ["a"]\ncolumns = ["web"]\nreason = "{reason}"\n'
        path = tmp_path / "known.toml"
        path.write_text(entry * 2 if reason else entry)
        with pytest.raises(ValueError, match="more than one reason" if reason else "empty"):
            known_failures("npm", path)


def test_the_page_tells_all() -> None:
    """Totals, the same by suite, what others have published, and each known failure with its reason stand there."""
    suite = a_suite(a_test("good"), a_test("bad", kind="optimal"), name="subject")
    every = by_id([suite])
    tested = [
        Scored("client", "client", [suite], {"good": None, "bad": FAILED}),
        Scored("web", "aiohttp.web", [suite], {"good": None, "bad": None}),
    ]
    known = [Known(frozenset({"bad"}), frozenset({"client"}), "It is hard.")]
    text = page(
        tested, every, known, {"chrome": {"good": FAILED, "bad": None}, "nginx": {"good": None}}, "Later: more."
    )
    assert "\nLater: more.\n" in text
    assert "| client | 1 of 1 | 0 of 1 |  |" in text
    assert "| aiohttp.web | 1 of 1 | 1 of 1 |  |" in text
    assert "| subject | optimal | 0 of 1 | 1 of 1 |" in text
    assert "| chrome | for private caches | 0 of 1 | 1 of 1 |  |" in text
    assert "| nginx | for shared caches | 1 of 1 | 0 of 1 |  |" in text
    assert "- It is hard.\n  *optimal; client:* `bad`" in text


def test_the_page_tells_of_a_later_revision() -> None:
    """Its totals, and how many tests it has, are what the page is to say of it."""
    suite = a_suite(a_test("good"), name="interim")
    text = later([Scored("client", "client", [suite], {"good": None})], by_id([suite]), {"chrome": {"good": FAILED}})
    assert "1 of them" in text
    assert "| client | 1 of 1 |  |  |" in text
    assert "| chrome | for private caches | 0 of 1 |  |  |" in text


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
