"""A small client, written as if there were no cache: pages, changes, and a word about the rate limit."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import aiohttp

from asynccache.http import CacheMiddleware, cache_status

Issue: TypeAlias = dict[str, Any]


class GitHub:
    """Asks for one user.

    Args:
        base: the address of the API, without a slash at the end.
        token: the user's.
        cache: shared with other users, if you like: it tells them apart by their tokens.
    """

    def __init__(self, base: str, token: str, cache: CacheMiddleware) -> None:
        self._base = base
        self._cache = cache
        self._pages: set[str] = set()
        self._session = aiohttp.ClientSession(
            base,
            middlewares=(cache,),
            headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
            raise_for_status=True,
        )
        self.remaining: int | None = None

    async def __aenter__(self) -> "GitHub":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._session.close()

    async def login(self) -> str:
        """Give the name of the user."""
        async with self._session.get("/user") as response:
            self._take_note(response)
            user: dict[str, str] = await response.json()
            return user["login"]

    async def issues(self, repository: str) -> AsyncIterator[Issue]:
        """Give all open issues of "owner/name", page by page."""
        url = f"{self._base}/repos/{repository}/issues"
        while url:
            self._pages.add(url)
            async with self._session.get(url) as response:
                self._take_note(response)
                for issue in await response.json():
                    yield issue
                following = response.links.get("next")
                url = str(following["url"]) if following else ""

    async def issue(self, repository: str, number: int) -> Issue:
        """Give one issue."""
        async with self._session.get(f"/repos/{repository}/issues/{number}") as response:
            self._take_note(response)
            issue: Issue = await response.json()
            return issue

    async def close_issue(self, repository: str, number: int) -> None:
        """Close an issue."""
        url = f"/repos/{repository}/issues/{number}"
        async with self._session.patch(url, json={"state": "closed"}) as response:
            self._take_note(response)
        # The cache knows that this issue has changed. That it is in lists too, only we know.
        await self._cache.invalidate(*self._pages)

    def _take_note(self, response: aiohttp.ClientResponse) -> None:
        """Remember what is left of the rate limit: a response that was kept tells of another time."""
        status = cache_status(response)
        if status is not None and status.fwd is not None:
            self.remaining = int(response.headers["X-RateLimit-Remaining"])
