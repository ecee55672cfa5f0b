"""Stands for GitHub's API, as far as caching and limits go.

It sends ETags, lists in pages, and responses that are private and fresh for a minute. It counts what a token has asked
for; a "304 Not Modified" counts for nothing. Nothing here knows of a cache.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web

LIMIT = 60
PER_PAGE = 2
VARY = "Accept, Authorization, Cookie, X-GitHub-OTP"


class Server:
    """Answers as the API does.

    Args:
        clock: tells the wall time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.issues = {number: {"number": number, "title": f"Bug {number}", "state": "open"} for number in range(1, 6)}
        self.used: Counter[str] = Counter()
        self.log: list[str] = []

    def application(self) -> web.Application:
        """Make the application."""
        app = web.Application()
        app.router.add_get("/repos/{owner}/{name}/issues", self.list_issues)
        app.router.add_get("/repos/{owner}/{name}/issues/{number}", self.get_issue)
        app.router.add_patch("/repos/{owner}/{name}/issues/{number}", self.change_issue)
        app.router.add_get("/user", self.get_user)
        return app

    async def list_issues(self, request: web.Request) -> web.Response:
        """GET /repos/{owner}/{name}/issues?page=1."""
        page = int(request.query.get("page", "1"))
        there = [issue for _, issue in sorted(self.issues.items()) if issue["state"] == "open"]
        headers = {}
        if page * PER_PAGE < len(there):
            headers["Link"] = f'<{request.url.update_query(page=page + 1)}>; rel="next"'
        return self._answer(request, there[(page - 1) * PER_PAGE : page * PER_PAGE], headers)

    async def get_issue(self, request: web.Request) -> web.Response:
        """GET /repos/{owner}/{name}/issues/{number}."""
        return self._answer(request, self.issues[int(request.match_info["number"])])

    async def change_issue(self, request: web.Request) -> web.Response:
        """PATCH /repos/{owner}/{name}/issues/{number}."""
        issue = self.issues[int(request.match_info["number"])]
        issue.update(await request.json())
        return self._answer(request, issue)

    async def get_user(self, request: web.Request) -> web.Response:
        """GET /user: another answer for each token."""
        return self._answer(request, {"login": request.headers["Authorization"].removeprefix("Bearer token-of-")})

    def _answer(self, request: web.Request, content: object, more: dict[str, str] | None = None) -> web.Response:
        body = json.dumps(content, indent=1).encode()
        headers = {
            "Date": formatdate(self._clock(), usegmt=True),
            "Cache-Control": "private, max-age=60, s-maxage=60",
            "ETag": f'W/"{hashlib.sha256(body).hexdigest()}"',
            "Vary": VARY,
            **(more or {}),
        }
        token = request.headers["Authorization"]
        is_known = request.method == "GET" and request.headers.get("If-None-Match") == headers["ETag"]
        if not is_known and self.used[token] >= LIMIT:
            self.log.append(f"{request.method} {request.path_qs} 403")
            return web.json_response({"message": "API rate limit exceeded"}, status=403, headers=self._counts(token))
        status = 304 if is_known else 200
        self.used[token] += not is_known
        self.log.append(f"{request.method} {request.path_qs} {status}")
        headers |= self._counts(token)
        return web.Response(
            status=status, body=b"" if is_known else body, content_type="application/json", headers=headers
        )

    def _counts(self, token: str) -> dict[str, str]:
        return {"X-RateLimit-Limit": str(LIMIT), "X-RateLimit-Remaining": str(LIMIT - self.used[token])}
