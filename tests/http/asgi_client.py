"""An ASGI server in miniature: calls an application, and notes what it sends, and when."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict


@dataclass(eq=False)
class Call:
    """One request to an application."""

    method: str = "GET"
    path: str = "/"
    headers: Iterable[tuple[str, str]] = ()
    pieces: Iterable[bytes] = (b"",)
    scope: dict[str, Any] = field(default_factory=dict)
    sent: list[dict[str, Any]] = field(default_factory=list)
    has_gone: asyncio.Event = field(default_factory=asyncio.Event)
    something_came: asyncio.Event = field(default_factory=asyncio.Event)

    async def to(self, app: Any) -> "Call":
        """Call an application, to its end."""
        path, _, query = self.path.partition("?")
        headers = CIMultiDict(self.headers)
        headers.setdefault("host", "shop.example")
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "server": ("127.0.0.1", 80),
            **self.scope,
        }
        pieces = list(self.pieces)

        async def receive() -> dict[str, Any]:
            if pieces:
                return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
            await self.has_gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            self.sent.append(dict(message))
            self.something_came.set()

        await app(self.scope, receive, send)
        return self

    @property
    def status(self) -> int:
        """Of the response."""
        return int(self.sent[0]["status"])

    @property
    def fields(self) -> "CIMultiDict[str]":
        """Of the response."""
        return CIMultiDict((name.decode(), value.decode("latin-1")) for name, value in self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        """All of it that has come."""
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def is_complete(self) -> bool:
        """Whether the response has come to its end, once."""
        ends = [not message.get("more_body", False) for message in self.sent[1:]]
        return ends.count(True) == 1 and ends[-1]

    @property
    def is_hit(self) -> bool:
        """Whether the cache has answered alone."""
        return "; hit" in self.fields.get("cache-status", "")


def get(path: str = "/", **headers: str) -> Call:
    """Ask for a path; names of fields are written with underscores."""
    return Call(path=path, headers=[(name.replace("_", "-"), value) for name, value in headers.items()])


class Numbered:
    """An ASGI application that numbers its answers, in one piece or several, and waits if it is told to."""

    def __init__(
        self, cache_control: str = "max-age=60", *, pieces: Iterable[bytes] | None = None, **headers: str
    ) -> None:
        self.headers = [(name.replace("_", "-").lower(), value) for name, value in headers.items()]
        if cache_control:
            self.headers.append(("cache-control", cache_control))
        self.pieces = None if pieces is None else list(pieces)
        self.status = 200
        self.runs = 0
        self.scopes: list[dict[str, Any]] = []
        self.began = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.error: Exception | None = None
        self.late_error: Exception | None = None
        self.after = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        self.runs += 1
        number = self.runs
        self.scopes.append(scope)
        self.began.set()
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        pieces = [f"answer {number}".encode()] if self.pieces is None else self.pieces
        headers = [(name.encode(), value.encode("latin-1")) for name, value in self.headers]
        if self.pieces is None:
            headers.append((b"content-length", b"%d" % len(pieces[0])))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for position, piece in enumerate(pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": position + 1 < len(pieces)})
        if self.late_error is not None:
            raise self.late_error
        self.after += 1
