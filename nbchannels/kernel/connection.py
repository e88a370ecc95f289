"""The one connection of this process to its server, on the bridge's thread.

Any thread sends: the message is numbered and queued under a lock, and the loop is woken once per
batch. One coroutine connects, reads and writes; when the connection is lost it comes back by itself
and resumes. A kernel and a script share all of this; only their credentials differ.

The lock guards the session and nothing else. Whoever waits is told without it: what a user hangs
on a future or a cursor may send in turn.
"""

import asyncio
import contextlib
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal

from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketError

from nbchannels.bridge import bridge
from nbchannels.exceptions import (
    ChannelsError,
    LayerUnavailable,
    PermissionDenied,
    ServerNotFound,
)
from nbchannels.kernel import diagnoses
from nbchannels.kernel.backoff import Backoff, chance
from nbchannels.kernel.credentials import Found
from nbchannels.kernel.outbox import Outbox
from nbchannels.kernel.questions import Answer, ConnectionLost, Questions
from nbchannels.kernel.sockets import open_socket
from nbchannels.protocol.client import ClientSession
from nbchannels.protocol.events import Event

__all__ = ["Connection", "Status"]

#: Seconds to wait for an answer to a call.
CALL_TIMEOUT = 10.0
#: Seconds for which a refusal stands before the server is asked again.
REFUSED = 5.0
#: What is not asked a second time when the connection is lost: it would empty what came since.
_ONCE = ("clear", "flush")

Status = Literal["idle", "connecting", "open", "reconnecting", "refused", "closed"]


class Connection:
    """A client session over a WebSocket that comes back.

    Args:
        find: finds the server; raises `ServerNotFound`. May take seconds; called on the thread of
            the first sender, later on a thread of its own.
        version: of nbchannels.
        handle: gets the session's events that concern groups and channels, on the bridge's thread;
            and ``begun`` (another session), ``opened`` and ``lost`` (a connection begins, ends),
            ``refused`` (for good: ``detail`` says why) and ``complaint`` (``detail``: an error of
            the server that answers no question).

    Attributes:
        status: for people; see ``detail`` for the sentence.
        detail: what happened last.
        version: of nbchannels here.
        found: the server; ``None`` before the first send.
        reconnects: how often the connection was lost.
        trouble: why the server's layer does not answer, as the server told; ``None`` while it does.
        lock: guards the session.
        session: the protocol; another one after a refusal.
        outbox: what is sent.
        error: why nothing can be sent; ``None`` while it can.
    """

    def __init__(
        self, find: Callable[[], Found], version: str, handle: Callable[[Event], None]
    ) -> None:
        self._find = find
        self.version = version
        self._handle = handle
        self.status: Status = "idle"
        self.detail = "not used yet"
        self.found: Found | None = None
        self.reconnects = 0
        self.trouble: str | None = None
        self.lock = threading.Lock()
        self.session = ClientSession("script", version, secrets.token_hex(16))
        self._starting = threading.Lock()
        self.error: ChannelsError | None = None
        self._refused_at = 0.0
        self._task: Future[None] | None = None
        self.outbox = Outbox(self)
        self._news = asyncio.Event()
        self._opened = asyncio.Event()
        self._wanted = False
        self._questions = Questions()
        self._farewell: tuple[int, str] | None = None
        self._spread = 0.0

    # Beginning and end.

    def start(self) -> None:
        """Find the server and begin to connect, unless that was done.

        Raises:
            ServerNotFound: there is none; the sentence says what to run, and where.
            PermissionDenied: the server refused us a moment ago.
        """
        if self._is_running:
            return
        with self._starting:
            if self._is_running:
                return
            if self.error is not None and time.monotonic() - self._refused_at < REFUSED:
                raise self.error
            found = self._find()
            with self.lock:
                self.found, self.error = found, None
                self.session = ClientSession(
                    "kernel" if found.kernel else "script", self.version, secrets.token_hex(16),
                    identity=found.kernel, label=found.label,
                )  # fmt: skip
                self._news, self._opened = asyncio.Event(), asyncio.Event()
                self._wanted = False
                self._questions = Questions()
            self._handle(Event("begun"))
            self.status, self.detail = "connecting", f"connecting to {found.url}"
            self._task = bridge.start(self._run(found))

    @property
    def _is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def astart(self) -> None:
        """`start`, without holding up the loop."""
        if not self._is_running:
            await asyncio.to_thread(self.start)

    def close(self) -> None:
        """Flush what is queued, for up to 1 s, and close. Idempotent."""
        task = self._task
        if task is None or task.done():
            return
        if self.status in ("open", "connecting") and not bridge.here:
            self.outbox.flush(1.0)
        self.status, self.detail = "closed", "closed"
        task.cancel()

    # Sending and asking, from any thread.

    def wake(self) -> None:
        """Have the writer look; the loop is woken once per batch."""
        with self.lock:
            if self._wanted:
                return
            self._wanted = True
            news = self._news
        bridge.call(news.set)

    async def call(self, method: str, arguments: dict[str, Any]) -> Any:
        """Ask the server; asked again after a reconnect. Awaitable on any loop."""
        return (await self.call_with_entries(method, arguments)).value

    async def call_with_entries(self, method: str, arguments: dict[str, Any]) -> Answer:
        """`call`, with the ENTRY records that came before the answer."""
        await self.astart()
        return await asyncio.wrap_future(bridge.start(self._ask(method, arguments)))

    @property
    def is_open(self) -> bool:
        """Whether the server hears us now."""
        return self.status == "open"

    async def tell(self, method: str, arguments: dict[str, Any]) -> None:
        """`call`, on the bridge's thread and on an open connection only: it makes none.

        Raises:
            LayerUnavailable: it is not open, or was lost.
        """
        if not self.is_open:
            raise LayerUnavailable(self.detail)
        await self._ask(method, arguments)

    async def _ask(self, method: str, arguments: dict[str, Any]) -> Answer:
        """On the bridge's thread."""
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                while True:
                    await self._opened.wait()
                    with self.lock:
                        if self.error is not None:
                            raise self.error
                        answer = self._questions.add(self.session.call(method, arguments))
                    self.wake()
                    try:
                        return await answer
                    except ConnectionLost:
                        if method in _ONCE:
                            raise LayerUnavailable(
                                f"{self.detail} before {method!r} was answered; it may have been "
                                "done: look, and ask again"
                            ) from None
        except TimeoutError:
            raise LayerUnavailable(
                f"no answer to {method!r} within {CALL_TIMEOUT:g} s: {self.detail}"
            ) from None

    # The connection itself, on the bridge's thread.

    async def _run(self, found: Found) -> None:
        backoff = Backoff()
        try:
            while True:
                try:
                    socket = await open_socket(found)
                except (OSError, HTTPClientError, WebSocketError, ValueError) as error:
                    self.detail = f"the server at {found.url} cannot be reached: {error}"
                    found = await self._look_again(found, getattr(error, "code", None))
                else:
                    await self._converse(socket)
                    if self.error is None:
                        self.status = "reconnecting"
                    self.reconnects += 1
                if self.error is not None:
                    return
                pause = backoff.next(time.monotonic()) + self._spread * chance()
                self._spread = 0.0
                self.status = "reconnecting"
                diagnoses.note(f"{self.detail}; trying again in {pause:.1f} s")
                await asyncio.sleep(pause)
        except asyncio.CancelledError:
            self._stop(LayerUnavailable("the connection was closed"))
            self.status, self._refused_at = "closed", -REFUSED
            raise
        except Exception as error:
            diagnoses.note(traceback.format_exc())
            self._stop(LayerUnavailable(f"an error in nbchannels itself: {error!r}"))

    async def _look_again(self, found: Found, code: int | None) -> Found:
        """The server was not there or refused us: it may have moved, or have another token."""
        try:
            again = await asyncio.to_thread(self._find)
        except ServerNotFound as error:
            self.detail = str(error)
            return found  # it may be on its way up
        if again == found and code in (401, 403):
            self._stop(
                PermissionDenied(
                    f"the server at {found.url} refused this {found.what} (HTTP {code}); "
                    f"{found.remedy}"
                )
            )
        if (again.kernel is None) is (found.kernel is None):
            self.found = again
            return again
        return found

    async def _converse(self, socket: WebSocketClientConnection) -> None:
        """Read and write until the connection ends."""
        assert self.found is not None
        with self.lock:
            self.session.connected(time.monotonic())
        self._farewell = None
        tasks = [asyncio.ensure_future(end(socket)) for end in (self._read, self._write)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # At once: at exit this task is cancelled twice, and waits no more the second time.
            code = self._leave(socket)
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            self._disconnected()
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, (OSError, WebSocketError)):
                raise error
        if code is not None and 4500 <= code <= 4999 and code != 4501:
            self._stop(PermissionDenied(f"{self.detail}; {self.found.remedy}"))

    def _leave(self, socket: WebSocketClientConnection) -> int | None:
        """Close our end, and note how the connection ended: our close code, or the server's."""
        assert self.found is not None
        if self._farewell is not None:
            code, reason = self._farewell
            socket.close(code, reason[:100])
            self.detail = f"left {self.found.url} with {code}: {reason}"
            return code
        their_code, their_reason = socket.close_code, socket.close_reason
        # 1000 says that this client does not come back: what is its own need not wait for it.
        socket.close(1000 if self.status == "closed" else 4006)
        what = f"closed with {their_code}: {their_reason}" if their_code else "lost"
        self.detail = f"the connection to {self.found.url} was {what}"
        return their_code

    def _disconnected(self) -> None:
        self._opened.clear()
        self._questions.lost()
        with self.lock:
            events = self.session.disconnected()
        self._dispatch(events)
        self._handle(Event("lost"))

    async def _read(self, socket: WebSocketClientConnection) -> None:
        while True:
            data = await socket.read_message()
            if data is None:
                return
            with self.lock:
                events = self.session.receive(data, time.monotonic())
            self._dispatch(events)
            self.outbox.make_room()
            self._news.set()
            if self.session.state == "CLOSED":
                return

    async def _write(self, socket: WebSocketClientConnection) -> None:
        while True:
            with self.lock:
                self._wanted = False
                self._news.clear()
                now = time.monotonic()
                events = self.session.tick(now)
                data = self.session.take()
                deadline = self.session.deadline()
            self._dispatch(events)
            if deadline is None:
                return
            if data is not None:
                try:
                    await socket.write_message(data, binary=isinstance(data, bytes))
                except WebSocketClosedError:
                    return
                continue
            # Not wait_for: of Python 3.11 it swallows a cancellation that meets the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(deadline - now, 0.01)):
                    await self._news.wait()

    def _stop(self, error: ChannelsError) -> None:
        """Refused for good: everyone who waits is told."""
        diagnoses.note(str(error))
        with self.lock:
            self.error, self._refused_at = error, time.monotonic()
            self.status, self.detail = "refused", str(error)
        self._opened.set()
        self.outbox.fail(error)
        self._handle(Event("refused", detail=error))

    def _layer_is(self, trouble: str | None) -> None:
        if trouble != self.trouble:
            diagnoses.note(f"the server's layer: {trouble or 'answers again'}")
        self.trouble = trouble

    # What came.

    def _dispatch(self, events: list[Event]) -> None:
        for event in events:
            match event.name:
                case "accepted" | "rejected":
                    self.outbox.answered(event)
                case "welcomed":
                    assert self.found is not None
                    self.status, self.detail = "open", f"connected to {self.found.url}"
                    diagnoses.note(self.detail)
                    self._layer_is(event.control.layer.get("trouble"))
                    self._opened.set()
                    self._handle(Event("opened"))
                case "result" | "error" | "entry":
                    error = self._questions.take(event)
                    if error is not None:
                        diagnoses.note(f"the server says: {error}")
                        self._handle(Event("complaint", detail=error))
                case "layer":
                    self._layer_is(event.control.trouble)
                case "goaway":
                    self._spread = min(event.control.spread, 60.0)
                    diagnoses.note(f"the server goes away: {event.control.reason}")
                case "close":
                    self._farewell = event.detail
                    self._opened.clear()
                    self._questions.lost()
                    diagnoses.note(f"closing the connection ({event.detail[0]}): {event.detail[1]}")
                case _:
                    self._handle(event)
