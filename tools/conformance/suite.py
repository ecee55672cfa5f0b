"""The suite: where it comes from, what its tests look like, and which of them are for which kind of cache.

Decides nothing about how a test is run or judged. The members of a test are the suite's own, as its documentation
(CONTRIBUTING.md there) names them.
"""

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, NotRequired, TypeAlias, TypedDict

PACKAGE: Final = "http-cache-tests@0.4.5"
SHA512: Final = "DjuwN9nUZXLTW+wav1LRESCZNVxl8SshwOy4z1pxuWbWt5/ay6sM9QQ1lebBaDO6P1IMBoK6mdf+PuVP/QNL8A=="

HERE: Final = Path(__file__).parent

Mode: TypeAlias = Literal["private", "extra", "shared"]
"""Which tests: those for browsers; those that browsers are spared only because of how `fetch()` behaves; those for
proxies."""

Kind: TypeAlias = Literal["required", "optimal", "check"]
"""What a test is about: a MUST of the standard, a response that could have been reused, or how a cache behaves where
it may do as it likes."""

Revision: TypeAlias = Literal["npm", "later"]
"""Which tests there are, and what they want: has changed since the one that npm carries."""

KINDS: Final[tuple[Kind, ...]] = ("required", "optimal", "check")

Member: TypeAlias = str | int | bool


class Step(TypedDict, total=False):
    """One request of a test: what is asked, what the origin answers, what is expected."""

    request_method: str
    request_headers: list[list[Member]]
    request_body: str
    filename: str
    query_arg: str
    cache: str
    redirect: str
    pause_after: bool
    disconnect: bool
    magic_locations: bool
    magic_ims: bool
    rfc850date: list[str]
    response_status: tuple[int, str]
    response_headers: list[list[Member]]
    response_body: str | None
    check_body: bool
    expected_type: Literal["cached", "not_cached", "lm_validated", "etag_validated"]
    expected_method: str
    expected_status: int | None
    expected_request_headers: list[str | list[str]]
    expected_request_headers_missing: list[str | list[str]]
    expected_response_headers: list[str | list[Member]]
    expected_response_headers_missing: list[str | list[str]]
    expected_response_text: str | None
    expected_interim_responses: list[list[object]]
    setup: bool
    setup_tests: list[str]
    name: str
    id: str


class Case(TypedDict):
    """A test: requests to be sent one after another, all to one URI of its own."""

    id: str
    name: str
    requests: list[Step]
    kind: NotRequired[Kind]
    depends_on: NotRequired[list[str]]
    browser_only: NotRequired[bool]
    browser_skip: NotRequired[bool]
    cdn_only: NotRequired[bool]


class Suite(TypedDict):
    """Tests of one subject."""

    id: str
    name: str
    tests: list[Case]


class Published(TypedDict):
    """Whose results come with the suite: the file they are in, and what was tested ("browser", "rev-proxy", "cdn")."""

    file: str
    name: str
    type: str
    version: NotRequired[str]


SPARED: Final = frozenset({"conditional-lm", "conditional-inm", "status"})
"""Suites of which browsers are spared tests since `fetch()` takes conditional requests past the cache and hides
redirects: neither is so in Python."""


def fetched(folder: Path) -> Path:
    """Give the folder that the suite lies in; fetches it into `folder` if it is not there yet.

    Raises:
        SystemExit: npm is missing, or cannot fetch it, or what it brought is not what this tool was made for.
    """
    unpacked = folder / "package"
    if unpacked.exists():
        return unpacked
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        packed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    except FileNotFoundError:
        raise SystemExit("npm is missing, which fetches the tests: it comes with Node (https://nodejs.org)") from None
    except subprocess.SubprocessError as error:
        raise SystemExit(f"npm could not fetch {PACKAGE}: {getattr(error, 'stderr', '') or error}") from None
    archive = folder / packed.stdout.split()[-1]
    if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != SHA512:
        archive.unlink()
        raise SystemExit(f"what npm fetched as {PACKAGE} has another checksum than it should have")
    with tarfile.open(archive) as tar, tempfile.TemporaryDirectory(dir=folder) as scratch:
        tar.extractall(scratch, filter="data")
        (Path(scratch) / "package").rename(unpacked)  # at once: an interrupted run leaves no half of it
    return unpacked


def load(checkout: Path) -> list[Suite]:
    """Read the tests of a checkout.

    Raises:
        SystemExit: it is none.
    """
    suites: list[Suite] = json.loads(_exported(checkout, "tests"))
    return suites


def load_published(checkout: Path) -> list[Published]:
    """Read whose results come with a checkout.

    Raises:
        SystemExit: it is none.
    """
    published: list[Published] = json.loads(_exported(checkout, "results"))
    return published


def _exported(checkout: Path, folder: str) -> str:
    command = ["node", str(HERE / "export.mjs"), str(checkout / folder / "index.mjs")]
    exported = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if exported.returncode:
        raise SystemExit(f"{checkout} is no checkout of the HTTP cache tests:\n{exported.stderr}")
    return exported.stdout


def revision_of(suites: Iterable[Suite]) -> Revision:
    """Tell revisions apart: later ones have a suite about interim responses."""
    return "later" if any(suite["id"] == "interim" for suite in suites) else "npm"


def kind_of(test: Case) -> Kind:
    """What a test is about."""
    return test.get("kind", "required")


def by_id(suites: Iterable[Suite]) -> dict[str, Case]:
    """Every test by its name."""
    return {test["id"]: test for suite in suites for test in suite["tests"]}


def is_for(suite: Suite, test: Case, mode: Mode) -> bool:
    """Whether a test is one of a mode."""
    if test.get("cdn_only"):
        return False
    if mode == "shared":
        return not test.get("browser_only")
    skipped = bool(test.get("browser_skip"))
    return not skipped if mode == "private" else skipped and suite["id"] in SPARED


def selected(suites: Iterable[Suite], mode: Mode) -> list[Suite]:
    """Give the suites with the tests of one mode only; without those that have none."""
    kept: list[Suite] = []
    for suite in suites:
        tests = [test for test in suite["tests"] if is_for(suite, test, mode)]
        if tests:
            kept.append({"id": suite["id"], "name": suite["name"], "tests": tests})
    return kept


def with_dependencies(wanted: Iterable[Case], every: Mapping[str, Case]) -> list[Case]:
    """Give the tests, and those that they depend on: without these, they mean nothing."""
    found: dict[str, Case] = {}
    todo = list(wanted)
    while todo:
        test = todo.pop()
        if test["id"] not in found:
            found[test["id"]] = test
            todo += [every[name] for name in test.get("depends_on", ())]
    return list(found.values())
