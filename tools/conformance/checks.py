"""What a test expects of each reply, and of what the origin saw: the first thing that is not so is why it fails.

Follows the suite's description of its tests, and its own JavaScript engine where that is more exact (the checks come
in its order, since a test ends with the first that fails).
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tools.conformance.origin import Seen
from tools.conformance.replies import Reply, expanded, leading_integer
from tools.conformance.suite import Member, Step

NO_BODY: Final = frozenset({204, 304})
UNREADABLE: Final = frozenset({"set-cookie", "set-cookie2"})
"""What `fetch()` hides in browsers; not compared in private mode, so that our results compare with theirs."""

VALIDATORS: Final = {"etag_validated": "if-none-match", "lm_validated": "if-modified-since"}
NEED_A_REQUEST: Final = frozenset(
    {"expected_type", "expected_method", "expected_request_headers", "expected_request_headers_missing"}
)
NOT_CONDITIONAL: Final = 999
"""The status that the origin answers if it waited for a conditional request and got another."""


class Problem(NamedTuple):
    """Why a test fails: "Assertion" if it was what the test is about; "Setup" if the test did not get that far;
    "AbortError" if an answer took too long; otherwise the name of an exception.
    """

    kind: str
    message: str


def problem(is_setup: bool, message: str) -> Problem:
    """A check that failed."""
    return Problem("Setup" if is_setup else "Assertion", message)


def is_setup(step: Step, member: str) -> bool:
    """Whether what a member says only prepares for what the test is about."""
    return step.get("setup") is True or member in step.get("setup_tests", ())


def reply_problems(number: int, step: Step, reply: Reply, token: str) -> Iterator[Problem]:
    """What is wrong with the reply to the request of that number, which counts from 1."""
    yield from _retries(reply)
    yield from _source(number, step, reply)
    yield from _status(number, step, reply)
    yield from _present(number, step, reply)
    yield from _absent(number, step, reply)
    if step.get("expected_interim_responses"):  # aiohttp neither shows interim responses nor can it send them
        yield problem(is_setup(step, "expected_interim_responses"), "Interim response 1 not received")
    yield from _body(step, reply, token)


def _retries(reply: Reply) -> Iterator[Problem]:
    """A request that something in between sent twice spoils the test."""
    numbers = (reply.headers.get("request-numbers") or "").split()
    if len(numbers) != len(set(numbers)):
        yield Problem("Setup", "retry")


def _source(number: int, step: Step, reply: Reply) -> Iterator[Problem]:
    """Whether the reply comes from where it should: the origin counts the requests that it gets."""
    expected, counted = step.get("expected_type"), reply.headers.number("server-request-count")
    setup = is_setup(step, "expected_type")
    # A cache may answer 304 without the fields that are not needed there.
    if expected == "cached" and not (reply.status == 304 and counted is None):
        if counted is None or counted >= number:
            yield problem(setup, f"Response {number} does not come from cache")
    elif expected == "not_cached" and counted != number:
        yield problem(setup, f"Response {number} comes from cache")


def _status(number: int, step: Step, reply: Reply) -> Iterator[Problem]:
    expected: int | None = 200
    setup = True
    if "expected_status" in step:
        expected, setup = step["expected_status"], is_setup(step, "expected_status")
    elif "response_status" in step:
        expected = step["response_status"][0]
    elif reply.status == NOT_CONDITIONAL:
        message = f"Request {number} should have been conditional, but it was not."
        yield problem(is_setup(step, "expected_type"), message)
    if expected is not None and reply.status != expected:
        yield problem(setup, f"Response {number} status is {reply.status}, not {expected}")


def _present(number: int, step: Step, reply: Reply) -> Iterator[Problem]:
    """Fields that shall be there: by name, or with a value, or with one that compares to something."""
    setup = is_setup(step, "expected_response_headers")
    for item in step.get("expected_response_headers", ()):
        name = item if isinstance(item, str) else str(item[0])
        value = reply.headers.get(name)
        if len(item) == 2 and not isinstance(item, str):
            wanted = expanded(name, item[1], reply.headers, step)
            if value != wanted:
                yield problem(setup, f'Response {number} header {name} is "{value}", not "{wanted}"')
        elif value is None:
            yield problem(setup, f"Response {number} {name} header not present.")
        elif not isinstance(item, str) and not _compares(value, item, reply):
            yield problem(setup, f"Response {number} header {name} is {value}, should {item[1]} {item[2]}")


def _compares(value: str, item: Sequence[Member], reply: Reply) -> bool:
    """Whether `[name, "=", other]` or `[name, ">", number]` holds."""
    if item[1] == "=":
        return value == reply.headers.get(str(item[2]))
    if item[1] == ">":
        number = leading_integer(value)
        return number is not None and number > int(item[2])
    raise ValueError(f"a test compares by {item[1]!r}, which this tool does not know")


def _absent(number: int, step: Step, reply: Reply) -> Iterator[Problem]:
    """Fields that shall not be there. Those with a value are not looked at, as the suite's own engine does not."""
    setup = is_setup(step, "expected_response_headers_missing")
    for name in step.get("expected_response_headers_missing", ()):
        if isinstance(name, str) and name in reply.headers:
            value = reply.headers.get(name)
            yield problem(setup, f'Response {number} includes unexpected header {name}: "{value}"')


def _body(step: Step, reply: Reply, token: str) -> Iterator[Problem]:
    if step.get("check_body") is False:
        return
    setup = True
    if "expected_response_text" in step:
        wanted, setup = step["expected_response_text"], is_setup(step, "expected_response_text")
    elif step.get("response_body") is not None:
        wanted = step.get("response_body")
    elif reply.status not in NO_BODY and step.get("request_method") != "HEAD":
        wanted = token  # what the origin sends unless it is told otherwise
    else:
        return
    text = reply.body.decode("utf-8", "replace")
    if wanted is not None and text != wanted:
        yield problem(setup, f'Response body is "{text}", not "{wanted}"')


def origin_problems(
    steps: Sequence[Step], replies: Sequence[Reply], state: Sequence[Seen], is_private: bool
) -> Iterator[Problem]:
    """What is wrong with what the origin saw."""
    requests = iter(state)
    for number, (step, reply) in enumerate(zip(steps, replies, strict=True), start=1):
        if step.get("expected_type") == "cached":
            continue  # the origin does not see it
        seen = next(requests, None)
        if seen is not None:
            yield from _request(number, step, seen)
            yield from _handed_on(number, reply, seen, is_private)
            yield from _method(number, step, seen)
        elif step.get("expected_type") in VALIDATORS:
            yield problem(is_setup(step, "expected_type"), f"request {number} wasn't sent to server")
        elif step.keys() & NEED_A_REQUEST:
            yield Problem("TypeError", f"request {number} wasn't sent to server")


def _request(number: int, step: Step, seen: Seen) -> Iterator[Problem]:
    """Whether it is the right request, with the right fields."""
    expected, sent = step.get("expected_type"), seen["request_headers"]
    setup = is_setup(step, "expected_type")
    if expected == "not_cached" and seen["request_num"] != number:
        yield problem(setup, f"Response {number} comes from cache ({seen['request_num']} on server)")
    validator = VALIDATORS.get(expected or "")
    if validator and validator not in sent:
        yield problem(setup, f"request {number} doesn't have {validator} header")
    setup = is_setup(step, "expected_request_headers")
    for item in step.get("expected_request_headers", ()):
        if isinstance(item, str) and item.lower() not in sent:
            yield problem(setup, f"Request {number} {item} header not present.")
        elif not isinstance(item, str) and (value := sent.get(item[0].lower())) != item[1]:
            yield problem(setup, f'Request {number} header {item[0]} is "{value}", not "{item[1]}"')
    setup = is_setup(step, "expected_request_headers_missing")
    for item in step.get("expected_request_headers_missing", ()):
        if isinstance(item, str) and item.lower() in sent:
            yield problem(setup, f"Request {number} {item} header present.")
        elif not isinstance(item, str) and sent.get(item[0].lower()) == item[1]:
            yield problem(setup, f'Request {number} header {item[0]} is "{item[1]}"')


def _handed_on(number: int, reply: Reply, seen: Seen, is_private: bool) -> Iterator[Problem]:
    """Whether the fields that the origin answered have come through."""
    for name, sent in seen["response_headers"]:
        if name.lower() == "date" or (is_private and name.lower() in UNREADABLE):
            continue
        wanted = ", ".join(map(str, sent)) if isinstance(sent, list) else sent
        got = reply.headers.get(name)
        if got != wanted:
            yield Problem("Setup", f'Response {number} header {name} is "{got}", not "{wanted}"')


def _method(number: int, step: Step, seen: Seen) -> Iterator[Problem]:
    if "expected_method" in step and seen["request_method"] != step["expected_method"]:
        message = f"Request {number} had method {seen['request_method']}, not {step['expected_method']}"
        yield problem(is_setup(step, "expected_method"), message)
