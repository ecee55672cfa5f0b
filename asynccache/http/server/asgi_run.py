"""One run of an ASGI application, for one request, seen from outside.

Decides what the application is told. A run whose answer others may wait for too has no client: it gets a request
without a body, and hears of a disconnect when nobody waits for its response any more. What a server offers beyond plain
responses (`http.response.pathsend`, trailers, early hints) is not passed on, as it could not be kept.
"""

import asyncio
import contextvars
from typing import Final

from asynccache.http.answering.spool import SHORT
from asynccache.http.answering.tasks import OwnedTasks
from asynccache.http.server.asgi_listening import Listening
from asynccache.http.server.asgi_types import App, Message, Receive, Scope
from asynccache.http.server.pieces import Pieces
from asynccache.http.settings.reading import read_words

TAGS: Final = "cache_tags"
"""Under this an application may put tags into the state of its scope: `request.state.cache_tags = ["product:1"]`."""


class NobodyReads(OSError):
    """Raised in an application that sends what nobody will read, as ASGI asks for (2.4: after a disconnect)."""

    def __init__(self) -> None:
        super().__init__("the client has gone")


class BrokenOff(RuntimeError):
    """Raised for an application that has returned before its response was complete."""

    def __init__(self) -> None:
        super().__init__("the ASGI application has returned before its response was complete")


class AsgiRun:
    """One call of an application.

    Args:
        app: is called.
        scope: for it; changed.
        receive: for it; None for a request without a body, whose client is the cache.
        client: the one whose request it is, if it is no other's, and the application does not listen itself.
        wants_whole: whether to wait, with the head, for a body that comes in one piece.

    Attributes:
        scope: of the call; the application may have put something into it.
        task: of the call.
        status: of the response.
        headers: of the response, as they were sent.
        body: comes piece by piece.
        whole: all of the body, if it was waited for and is there.
    """

    def __init__(
        self, app: App, scope: Scope, receive: Receive | None, client: Listening | None, *, wants_whole: bool = False
    ) -> None:
        self._app = app
        self._client = client
        self.scope = scope
        self._receive = self._wait_for_the_end if receive is None else receive
        self._wants_whole = wants_whole
        loop = asyncio.get_running_loop()
        self._head: asyncio.Future[None] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()
        self._is_told = self._is_complete = False
        self.task: asyncio.Task[None]  # once it has been started
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = Pieces()
        self.whole: bytes | None = None
        self._is_discarded = False
        self._unread = 0
        """How many bytes may still be sent to nobody."""

    @property
    def tags(self) -> tuple[str, ...]:
        """What the application has put into its scope's state.

        Raises:
            TypeError: that is something else than several strings.
        """
        return read_words('scope["state"]["cache_tags"]', self.scope["state"].get(TAGS, ()))

    @property
    def length(self) -> int | None:
        """How many bytes the response says that it has."""
        values = [value for name, value in self.headers if name.lower() == b"content-length"]
        return int(values[0]) if len(values) == 1 and values[0].isdigit() else None

    async def start(self, runs: OwnedTasks, context: contextvars.Context | None = None) -> None:
        """Call the application, and return when it has sent the head of its response.

        If nobody waits for that any more, an application whose client has gone hears of a disconnect, and goes on as
        it would without a cache; otherwise it is cancelled, as who waited was.

        Args:
            runs: see it to its end.
            context: for the call if it is made behind, for nobody; None: that of whoever calls.

        Raises:
            Exception: what it has raised before that.
        """
        loop = asyncio.get_running_loop()
        if self._client is not None:
            self._client.stay()
        self.task = loop.create_task(self._run(), name="ASGI application", context=context)
        runs.own(self.task, is_wanted=lambda: context is None)
        try:
            await self._head
        except asyncio.CancelledError:
            if self._client is not None and self._client.is_gone:
                self.discard()
                self._tell_the_end()
            else:
                self.task.cancel()
                await asyncio.wait({self.task})
            raise

    async def wait(self) -> None:
        """Return when the application has returned: after its response it may have more to do.

        Who is cancelled meanwhile takes the application along, unless others read its response.

        Raises:
            Exception: what it has raised after that.
        """
        try:
            await asyncio.wait({self.task})
        except asyncio.CancelledError:
            if self._is_complete or self._is_discarded:
                self.task.cancel()
            raise
        self.task.result()

    def cancel(self) -> None:
        """The only one for whom it runs was cancelled: so is the application."""
        self.task.cancel()

    def discard(self) -> None:
        """The response is not needed, though its client is there: a short one may be sent to its end unnoticed."""
        self._is_discarded = True
        self._unread = SHORT
        self.body.leave()

    def hang_up(self) -> None:
        """Nobody is there for the response, or the rest of it."""
        self._is_discarded = True
        self._unread = 0
        self.body.leave()
        self._tell_the_end()

    async def _run(self) -> None:
        try:
            await self._app(self.scope, self._receive, self._send)
        except BaseException as error:
            if not self._end(error) and not (self._is_discarded and isinstance(error, Exception)):
                raise  # after the response: for whoever waits for the end
        else:
            self._end(BrokenOff())
        finally:
            self._tell_the_end()

    def _end(self, error: BaseException) -> bool:
        """Tell who waits for the response that it will not come, or not to its end; tell whether anybody was told."""
        if self._is_complete:
            return False
        told = error if isinstance(error, Exception) else ConnectionResetError("the ASGI application was cancelled")
        if self._head.done():
            self.body.fail(told)
        else:
            self._head.set_exception(told)
        return isinstance(error, Exception)

    async def _send(self, message: Message) -> None:
        """Take what the application sends."""
        if self._is_discarded:
            self._send_to_nobody(message)
        elif message["type"] == "http.response.start":
            self.status = int(message["status"])
            self.headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            if not self._expects_whole():
                self._tell_head()
        elif message["type"] == "http.response.body":
            await self._take(message.get("body", b""), is_last=not message.get("more_body", False))

    async def _take(self, chunk: bytes, *, is_last: bool) -> None:
        if not self._head.done():
            if is_last or len(chunk) == self.length:
                self.whole = chunk
            self._tell_head()
        self.body.feed(chunk)
        if is_last:
            self._is_complete = True
            self.body.finish()
            self._tell_the_end()
        await self.body.wait_for_room()

    def _send_to_nobody(self, message: Message) -> None:
        self._unread -= len(message.get("body", b""))
        if self._unread <= 0:
            self._tell_the_end()
            raise NobodyReads
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_complete = True
            self._tell_the_end()

    def _expects_whole(self) -> bool:
        return self._wants_whole and self.length is not None

    def _tell_head(self) -> None:
        if not self._head.done():
            self._head.set_result(None)

    async def _wait_for_the_end(self) -> Message:
        if not self._is_told:
            self._is_told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._client is not None:
            self._client.may_go()
        await asyncio.shield(self._over)
        return {"type": "http.disconnect"}

    def _tell_the_end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
