"""What the tool behind `make conformance` expects of replies and of what the origin saw, and what it sends."""

from typing import Any

import pytest

from tools.conformance.checks import Problem, origin_problems, reply_problems
from tools.conformance.origin import Seen
from tools.conformance.replies import FetchHeaders, Reply, expanded
from tools.conformance.steps import Ask, request
from tools.conformance.suite import Step

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
