"""A cache between those who ask and an origin, whatever frameworks they are made with (RFC 9111, 4).

Decides the way of a request: is there something kept that answers it, may that be used as it is, has it to be
validated, or fetched. What is allowed, `rfc9111` says; who goes to the origin for all that ask the same, `collapsing`;
what becomes of what comes, `forwarding`; how an answer is made of it, `serving`.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from asynccache.http import rfc9111
from asynccache.http.answering.background import Background
from asynccache.http.answering.collapsing import Collapsing
from asynccache.http.answering.counts import HttpStats
from asynccache.http.answering.errands import CONDITIONS, Coming, Errand, Landing, Passed
from asynccache.http.answering.exchange import Answer, Arrival, Origin
from asynccache.http.answering.forwarding import Forwarding
from asynccache.http.answering.outages import Outages
from asynccache.http.answering.serving import answer_from, coming, only_if_cached, open_body, passed
from asynccache.http.answering.spool import Spool
from asynccache.http.answering.tasks import OwnedTasks
from asynccache.http.kept.response_store import ResponseStore, Variants
from asynccache.http.kept.stored import ChunkedBody, StoredResponse
from asynccache.http.settings.policy import Policy
from asynccache.http.settings.rules import Rules, Ruling
from asynccache.http.syntax.message import SAFE_METHODS, Fields, Request, WallClock, Without
from asynccache.http.syntax.status import CacheStatus, Forwarded

UNDECODED: Final = "undecoded"
"""The mark of requests whose bodies are wanted as they were sent. No tag is needed to find what is kept for them."""

_HIT: Final = CacheStatus(hit=True)


class HttpCache:
    """Answers requests from what is kept, and keeps what the origin answers.

    Args:
        store: keeps responses.
        rules: how those of each URL are judged.
        clock: tells the wall time.
        counts: what is counted.
        name: what errors call the cache.
    """

    def __init__(self, store: ResponseStore, rules: Rules, *, clock: WallClock, counts: HttpStats, name: str) -> None:
        self.store = store
        self.counts = counts
        self._rules = rules
        self.clock = clock
        self._tasks = OwnedTasks()
        self._has_marks = False
        outages = Outages(name)
        self._background = Background(self._tasks, counts, clock, outages)
        self._forwarding = Forwarding(store, clock, self._tasks, outages)
        self._collapsing = Collapsing(self._forwarding, clock, name)

    # --- a request --------------------------------------------------------------------------------------------------

    async def respond(
        self,
        request: Request,
        origin: Origin,
        mark: str = "",
        *,
        ruling: Ruling | None = None,
        group: object = None,
    ) -> Answer:
        """Answer a request.

        Args:
            request: what is asked; its URI as `rfc9111.cache_uri` gives it.
            origin: the way to where the answer is made.
            mark: what else is part of what is asked for: the digest of a body, or how an answer is wanted.
            ruling: what holds for it; None: what the rules say.
            group: requests of one group have their ways to the origin, and so their errors, in common.

        Raises:
            Exception: what the origin, or the way there, raised.
        """
        if ruling is None:
            ruling = self._rules.of(request.uri)
        if not ruling.is_cached or request.method not in ruling.policy.methods:
            return await self._forward(request, origin, ruling)
        uri = ruling.key(request.uri)
        key = cache_key(request.method, uri, mark)
        tags: tuple[str, ...] = ()
        if mark and mark != UNDECODED:
            tags, self._has_marks = (_tag_of(uri),), True
        found = await self.store.find(key)
        kept = _choose(request, found, ruling.policy) if found.responses else None
        answer, reuse = None, rfc9111.Reuse.VALIDATE
        if kept is not None:
            now = self.clock()
            reuse = rfc9111.reuse(request, kept[1], now, ruling.policy)
            if reuse is rfc9111.Reuse.REVALIDATE_BEHIND and self._background.is_stranded(key):
                self._background.begin_in_foreground(key)
                errand = Errand(request, key, ruling.policy, origin, found, tags, group, kept, old_will_do=True)
                return await self._fetch(errand)
            if reuse is not rfc9111.Reuse.VALIDATE:
                answer = answer_from(request, *kept, now, _HIT)
        if answer is not None and (type(answer.body) is not ChunkedBody or await self._open(answer, key, found)):
            self.counts.hits += 1
            if reuse is rfc9111.Reuse.FRESH:
                return answer
            self._serve_old(reuse, Errand(request, key, ruling.policy, origin, found, tags, group, kept))
            return answer
        if rfc9111.wants_only_stored(request, ruling.policy):
            return only_if_cached(CacheStatus(fwd="miss"))
        return await self._fetch(Errand(request, key, ruling.policy, origin, found, tags, group, kept))

    async def forward(self, request: Request, origin: Origin) -> Answer:
        """Hand a request on without looking at what is kept: its answer is not to be kept either."""
        return await self._forward(request, origin, Ruling(self._rules.of(request.uri).policy, is_cached=False))

    def _serve_old(self, reuse: rfc9111.Reuse, errand: Errand) -> None:
        """An old response is being served: fetch a new one behind, if that is what allows it."""
        self.counts.stale += 1
        request, policy = errand.request, errand.policy
        is_wanted = reuse is rfc9111.Reuse.REVALIDATE_BEHIND and not rfc9111.wants_only_stored(request, policy)
        later = errand.origin.later() if is_wanted and request.method == "GET" else None
        if later is not None:
            headers = Without(request.headers, (*CONDITIONS, "range"))
            behind = replace(errand, request=Request("GET", request.uri, headers), origin=later)
            self._background.start(errand.key, lambda: self._collapsing.send(behind))

    async def _fetch(self, errand: Errand) -> Answer:
        landing = await self._collapsing.send(errand)
        if isinstance(landing, Passed) and landing.leader is errand and errand.request.method not in SAFE_METHODS:
            await self._note_change(errand.request, landing.arrival)
        answer = self._answer(landing, errand)
        if answer is not None and (answer.body is None or await self._open(answer, errand.key, errand.found)):
            return answer
        # What is kept was confirmed, but its body is lost, or is not the part that is asked for.
        found = Variants(errand.found.stamp, errand.found.generation, (), errand.found.marks)
        again = replace(errand, found=found, kept=None)
        return self._anew(await self._collapsing.send_alone(again), again)

    def _anew(self, landing: Landing, errand: Errand) -> Answer:
        """Make an answer of what came where nothing was kept."""
        answer = self._answer(landing, errand)
        if answer is None:
            raise RuntimeError("a response that has just come is no answer to its own request")
        return answer

    async def _open(self, answer: Answer, key: str, found: Variants) -> bool:
        """Begin to read a body that lies in pieces; tell whether it is there. One that is not is forgotten."""
        body = answer.body
        if not isinstance(body, ChunkedBody):
            return True

        async def forget() -> None:
            for each in found.responses:
                if each.body is body:
                    await self.store.replace(key, found, each, None, ttl=0.0)

        opened = await open_body(self.store, body, answer.first, answer.last, forget)
        if isinstance(opened, Spool):
            self._tasks.own(opened.start(), is_wanted=lambda: opened.is_wanted)
            answer.spool = opened
        elif opened is not None:
            answer.body, answer.first, answer.last = opened, 0, None
        return opened is not None

    def _answer(self, landing: Landing, errand: Errand) -> Answer | None:
        """Make an answer of what came; None if that is a part of a response only, and another one is asked for."""
        now, is_leader = self.clock(), landing.leader is errand
        self._count(landing, is_leader)
        reason = _reason(errand, now)
        if isinstance(landing, Passed):
            return passed(landing.arrival, reason, landing.refusal)
        if isinstance(landing, Coming):
            return coming(landing, reason, now, is_leader=is_leader)
        status = CacheStatus(fwd=reason, fwd_status=landing.status, stored=not landing.is_old, collapsed=not is_leader)
        answer = answer_from(errand.request, landing.stored, landing.terms, now, status)
        if answer is not None and landing.cookies and is_leader:
            answer.fields = Fields((*answer.fields.without(("set-cookie",)), *landing.cookies))
        return answer

    def _count(self, landing: Landing, is_leader: bool) -> None:
        counts = self.counts
        if not is_leader:
            counts.collapsed += 1
        elif isinstance(landing, Passed):
            counts.passed += 1
        elif isinstance(landing, Coming):
            counts.misses += 1
        elif landing.is_old:
            counts.hits += 1
            counts.stale += 1
        else:
            counts.validated += 1

    # --- what changes something ---------------------------------------------------------------------------------

    async def _forward(self, request: Request, origin: Origin, ruling: Ruling) -> Answer:
        """Hand a request on; what it changes, nothing that is kept tells any more (RFC 9111, 4.4)."""
        if rfc9111.wants_only_stored(request, ruling.policy):
            return only_if_cached(CacheStatus(fwd="miss"))
        arrival = await origin.fetch(())
        await self._note_change(request, arrival)
        if ruling.is_cached and rfc9111.answers_get(request, arrival.response):
            return await self._take_as_get(request, origin, arrival, ruling)
        self.counts.passed += 1
        return passed(arrival, "method" if ruling.is_cached else "bypass")

    async def _note_change(self, request: Request, arrival: Arrival) -> None:
        """Let nothing be used any more that a request has changed, whoever is cancelled meanwhile."""
        uris = () if request.method in SAFE_METHODS else rfc9111.invalidated_uris(request, arrival.response)
        if uris:
            task = asyncio.get_running_loop().create_task(self.invalidate(*uris))
            self._tasks.own(task, is_wanted=lambda: True)
            try:
                await asyncio.shield(task)
            except BaseException:
                arrival.discard()
                raise

    async def _take_as_get(self, request: Request, origin: Origin, arrival: Arrival, ruling: Ruling) -> Answer:
        """Keep what came for a POST, and says that a GET would be answered so (RFC 9110, 9.3.3)."""
        policy = replace(ruling.policy, methods=ruling.policy.methods | {"POST"})
        key = cache_key("GET", ruling.key(request.uri), "")
        try:
            errand = Errand(request, key, policy, origin, await self.store.find(key))
        except BaseException:
            arrival.discard()
            raise
        return self._anew(await self._forwarding.take(errand, arrival), errand)

    async def invalidate(self, *uris: str) -> None:
        """Let nothing that is kept for these URIs be used any more, and nothing that is on its way be kept."""
        known = [self._rules.of(uri).key(uri) for uri in map(rfc9111.cache_uri, uris)]
        self._collapsing.detach(known)
        self.counts.invalidated += len(known)
        await self.store.invalidate(*(cache_key("GET", uri, mark) for uri in known for mark in ("", UNDECODED)))
        if self._has_marks or self._rules.cache_bodies:
            await self.store.purge(map(_tag_of, known))

    async def purge(self, tags: Iterable[str]) -> None:
        """Do the same for all responses with one of these tags."""
        self._collapsing.detach()
        await self.store.purge(tags)

    async def clear(self) -> None:
        """Do the same for all responses."""
        self._collapsing.detach()
        await self.store.clear()

    def stats(self) -> HttpStats:
        """Tell what became of requests so far."""
        store = self.store.counts
        return replace(
            self.counts,
            store_errors=store.errors,
            bad_records=store.unreadable.total(),
            lost_bodies=store.lost,
            too_large=store.too_large,
            overtaken=store.overtaken,
        )

    async def aclose(self) -> None:
        """End what is fetched behind. Callers who are waiting, or reading, are served to the end."""
        await self._tasks.drain(cancel=True)


def cache_key(method: str, uri: str, mark: str) -> str:
    """Give what responses are kept under; HEAD asks for what GET gets (RFC 9111, 2)."""
    if method in {"GET", "HEAD"}:
        return f"GET {mark} {uri}" if mark else uri
    return f"{method} {mark} {uri}"


def _tag_of(uri: str) -> str:
    """Give what finds responses again that are kept under more than their URI, when that is invalidated."""
    return f"of {uri}"


def _choose(request: Request, found: Variants, policy: Policy) -> tuple[StoredResponse, rfc9111.Terms] | None:
    """Choose among what is kept for a URI (RFC 9111, 4.1)."""
    judged: _Judged | None = found.judged
    if judged is None or judged.policy is not policy:
        judged = found.judged = _Judged(found, policy)
    chosen = rfc9111.choose(request.headers, judged.wholes)
    if chosen is None and judged.parts and request.method == "GET" and "range" in request.headers:
        chosen = rfc9111.choose(request.headers, judged.parts)
    return None if chosen is None else (chosen, judged.terms[chosen])


class _Judged:
    """What a policy makes of the responses that are kept for a URI: worked out once, as long as they are the same."""

    __slots__ = ("parts", "policy", "terms", "wholes")

    def __init__(self, found: Variants, policy: Policy) -> None:
        self.policy = policy
        self.parts = tuple(each for each in found.responses if each.span is not None)
        self.wholes = tuple(each for each in found.responses if each.span is None)
        self.terms = {each: rfc9111.terms(each, policy) for each in found.responses}


def _reason(errand: Errand, now: float) -> Forwarded:
    """Say why a request goes to the origin (RFC 9211, 2.2)."""
    if errand.kept is None:
        parts = any(each.span is not None for each in errand.found.responses)
        return "partial" if parts else "vary-miss" if errand.found.responses else "uri-miss"
    stored, terms = errand.kept
    if now >= terms.fresh_until:
        return "stale"
    return "partial" if stored.span is not None else "request"
