"""The page about conformance: written anew from each run, the same text for the same results.

Decides how results are shown; what they mean, `scoring` decides.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tools.conformance.scoring import Counts, Known, Verdict, counts, verdicts
from tools.conformance.steps import Results
from tools.conformance.suite import KINDS, PACKAGE, Case, Kind, Suite, by_id, kind_of


class Scored(NamedTuple):
    """The results of one column.

    Attributes:
        name: the column's, as `known_failures.toml` has it.
        title: its heading.
        suites: the tests that are meant for it.
        results: how they ended, and those that they depend on.
    """

    name: str
    title: str
    suites: Sequence[Suite]
    results: Results

    def verdicts(self, every: Mapping[str, Case]) -> dict[str, Verdict]:
        """How each of its tests ended."""
        return verdicts(self.suites, self.results, every)


class Peer(NamedTuple):
    """Results that somebody has published.

    Attributes:
        title: what was tested.
        is_private: whether it is a private cache; all others are shared.
        results: how the tests ended.
    """

    title: str
    is_private: bool
    results: Results


INTRODUCTION: Final = f"""\
# How the HTTP caches do in the public cache tests

The [HTTP cache tests](https://github.com/http-tests/cache-tests) show how browsers, proxies and content delivery
networks cache: [cache-tests.fyi](https://cache-tests.fyi) has their results. `make conformance` runs the same tests
against `asynccache.http`, and writes this page. It needs [Node](https://nodejs.org) 18 or newer, which runs the suite's
own origin server; the tests ({PACKAGE.replace("@", " ")}) come from npm, into `.conformance/`.
`make conformance SUITE=path/to/checkout` runs another revision of them instead; of a later one, the totals stand below.

Their author warns against taking them for a certificate: they are there to see how caches differ. A *required* test is
about something that RFC 9111 says a cache must do or must not do; an *optimal* one, about a response that a cache could
have reused; a *check* asks how a cache behaves where the standard leaves it free, so that *no* is as good an answer
as *yes*. A test that depends on another counts only if that one passes too.

Four things are tested. The clients' caches have no options; those on servers are told to do what proxies do: to guess
how long a response is fresh that does not say it (`heuristic_fraction=0.1`), and to serve an old one if the origin
fails (`stale_if_error=60`).

- **client**: `CacheMiddleware` in an `aiohttp.ClientSession`, with the tests for the private caches of browsers.
- **client, further tests**: likewise, with tests that browsers are spared because `fetch()` takes conditional requests
  past their caches, and hides redirects.
- **aiohttp.web**: `ResponseCache`, a shared cache, in front of a handler that hands requests on to the origin, with the
  tests for proxies.
- **ASGI**: `ASGICacheMiddleware` on uvicorn without a date of its own (`date=True`), in front of an application that
  does the same.
"""

PUBLISHED: Final = """
## What others have published

The suite comes with results of browsers and proxies; these are their totals over the same tests. They are of versions
that were new when this revision of the suite was.
"""

LATER: Final = """
## A later revision of the tests

npm's revision is an old one, and some of its tests have been corrected since. This is how those end that
`make conformance SUITE=...` ran last, {tests} of them, and what others have published about them:
"""

NOT_PASSED: Final = """
## Tests that are not passed, and why

The run fails if a test fails for which nothing is said here, and if one passes for which something is. What depends on
one of these tests is not listed.
"""


def page(
    tested: Sequence[Scored],
    every: Mapping[str, Case],
    known: Iterable[Known],
    peers: Iterable[Peer],
    about_later: str = "",
) -> str:
    """Write the page; `about_later` is what `later` wrote when a later revision was run."""
    lines = [INTRODUCTION, *summary(tested, every), PUBLISHED, *comparison(tested, every, peers)]
    lines += [about_later] if about_later else []
    lines += ["\n## Suite by suite\n", *by_suite(tested, every), NOT_PASSED, *explained(tested, every, known)]
    return "\n".join(lines) + "\n"


def later(tested: Sequence[Scored], every: Mapping[str, Case], peers: Iterable[Peer]) -> str:
    """Write what the page says of a later revision."""
    tables = [*summary(tested, every), "", *comparison(tested, every, peers)]
    return "\n".join([LATER.format(tests=len(every)), *tables])


def row(*cells: object) -> str:
    """One row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*cells: str) -> list[str]:
    """The first two rows of a table."""
    return [row(*cells), row(*("---" for _ in cells))]


def passes(counted: Counts, kind: Kind) -> str:
    """How many of how many tests of a kind are passed."""
    counter = counted.get(kind)
    return f"{counter['pass']} of {counter.total()}" if counter else ""


def summary(tested: Iterable[Scored], every: Mapping[str, Case]) -> Iterator[str]:
    """A row for each column: how many tests of each kind are passed."""
    yield from head("", *KINDS)
    for each in tested:
        counted = counts(by_id(each.suites).values(), each.verdicts(every))
        yield row(each.title, *(passes(counted, kind) for kind in KINDS))


def comparison(tested: Iterable[Scored], every: Mapping[str, Case], peers: Iterable[Peer]) -> Iterator[str]:
    """A row for each of those who have published theirs, over the same tests."""
    yield from head("", "tests", *KINDS)
    ours = {each.name: each for each in tested}
    for peer in peers:
        same = ours.get("client") if peer.is_private else ours.get("web")
        if same is not None:
            counted = counts(by_id(same.suites).values(), verdicts(same.suites, peer.results, every))
            tests = "for private caches" if peer.is_private else "for shared caches"
            yield row(peer.title, tests, *(passes(counted, kind) for kind in KINDS))


def by_suite(tested: Sequence[Scored], every: Mapping[str, Case]) -> Iterator[str]:
    """A row for each suite and kind, a column for each thing that is tested."""
    yield from head("suite", "kind", *(each.title for each in tested))
    ended = [each.verdicts(every) for each in tested]
    names = dict.fromkeys(suite["id"] for each in tested for suite in each.suites)
    for name in names:
        cells: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
        for each, how in zip(tested, ended, strict=True):
            tests = [test for suite in each.suites if suite["id"] == name for test in suite["tests"]]
            counted = counts(tests, how)
            for kind in KINDS:
                cells[kind].append(passes(counted, kind))
        for kind in KINDS:
            if any(cells[kind]):
                yield row(name, kind, *cells[kind])


def explained(tested: Sequence[Scored], every: Mapping[str, Case], known: Iterable[Known]) -> Iterator[str]:
    """The reasons that are written down, each with its tests, and where they fail."""
    titles = {each.name: each.title for each in tested}
    by_reason: dict[str, list[Known]] = {}
    for each in known:
        by_reason.setdefault(each.reason, []).append(each)
    for reason, alike in by_reason.items():
        where = [title for name, title in titles.items() if any(name in each.columns for each in alike)]
        tests = sorted({test for each in alike for test in each.tests if test in every})
        if where and tests:
            kinds = [kind for kind in KINDS if any(kind_of(every[test]) == kind for test in tests)]
            yield f"- {reason}\n  *{', '.join(kinds)}; {', '.join(where)}:* {', '.join(f'`{test}`' for test in tests)}"
