"""The one connection of this process to its server, on the bridge's thread.

Any thread sends: the message is numbered and queued under a lock, and the loop is woken once per
batch. One coroutine connects, reads and writes; when the connection is lost it comes back by itself
and resumes. A kernel and a script share all of this; only their credentials differ.
"""

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal

from tornado.httpclient import HTTPClientError
from tornado.simple_httpclient import HTTPTimeoutError
from tornado.websocket import WebSocketClientConnection

from nbchannels.bridge import bridge
from nbchannels.encoding import Encoded
from nbchannels.exceptions import (
    ChannelsError,
    LayerUnavailable,
    PermissionDenied,
    SendTimeout,
    WouldDeadlock,
    from_wire,
)
from nbchannels.kernel import diagnoses
from nbchannels.kernel.backoff import Backoff
from nbchannels.kernel.discovery import Found
from nbchannels.kernel.questions import Questions
from nbchannels.kernel.sockets import open_socket
from nbchannels.protocol.client import ClientSession, Outgoing
from nbchannels.protocol.events import Event
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["Connection", "Status"]

#: Messages and bytes that wait for acknowledgement at most; then `publish` waits for room.
MOST_WAITING, MOST_WAITING_BYTES = 1000, 8 * 2**20
#: Seconds to wait for an answer to a call.
CALL_TIMEOUT = 10.0
#: Seconds between two looks at the session's clock.
TICK = 0.25

Status = Literal["idle", "connecting", "open", "reconnecting", "refused", "closed"]


class Connection:
    """A client session over a WebSocket that comes back.

    Args:
        find: finds the server; raises `ServerNotFound`. Called on the sender's thread at first.
        version: of nbchannels.
        handle: gets the session's events that concern groups and channels, on the bridge's thread.

    Attributes:
        status: for people; see ``detail`` for the sentence.
        detail: what happened last.
        found: the server; ``None`` before the first send.
        version: of nbchannels here.
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
        self.lock = threading.RLock()
        self._room = threading.Condition(self.lock)
        self.session: ClientSession
        self._error: ChannelsError | None = None
        self._refused_at = 0.0
        self._task: Future[None] | None = None
        self._socket: WebSocketClientConnection | None = None
        self._news: asyncio.Event | None = None
        self._opened: asyncio.Event | None = None
        self._wanted = False
        self._questions = Questions()

    # Beginning and end.

    def start(self) -> None:
        """Find the server and begin to connect, unless that was done.

        Raises:
            ServerNotFound: there is none; the sentence says what to run, and where.
            PermissionDenied: the server refused us a moment ago.
        """
        with self.lock:
            if self._task is not None and not self._task.done():
                return
            if self._error is not None and time.monotonic() - self._refused_at < 5:
                raise self._error
            self.found = found = self._find()
            self._error = None
            self.session = ClientSession(
                "kernel" if found.kernel else "script",
                self.version,
                secrets.token_hex(16),
                identity=found.kernel,
                label=found.label,
            )
            self._questions = Questions()
            self.status, self.detail = "connecting", f"connecting to {found.url}"
            self._news, self._opened = asyncio.Event(), asyncio.Event()
            self._task = bridge.start(self._run(found))

    def close(self) -> None:
        """Flush what is queued, for up to 1 s, and close. Idempotent."""
        task = self._task
        if task is None or task.done():
            return
        deadline = time.monotonic() + 1.0
        with self._room:
            while self.session.publisher.unacknowledged and self.status == "open":
                left = deadline - time.monotonic()
                if left <= 0 or not self._room.wait(left):
                    break
        self.status, self.detail = "closed", "closed"
        task.cancel()

    # Sending, from any thread.

    def publish(
        self, kind: Kind, name: str, encoded: Encoded, receipt: bool, patience: float
    ) -> Future[Receipt]:
        """Queue a message; while too much waits for acknowledgement, wait for room.

        Raises:
            ServerNotFound, PermissionDenied: see `start`.
            SendTimeout: no room within ``patience`` seconds; the message was not queued.
        """
        future: Future[Receipt] = Future()
        with self._room:
            self.start()
            if self._is_full(encoded):
                if bridge.here:
                    raise WouldDeadlock(
                        "the queue is full, and this is the thread that empties it; await asend()"
                    )
                if not self._room.wait_for(lambda: not self._is_full(encoded), patience):
                    waiting = self.session.publisher.unacknowledged
                    raise SendTimeout(
                        f"{waiting:,} messages wait to be acknowledged and none was within "
                        f"{patience:g} s ({self.detail}); this one was not queued"
                    )
            self._raise_error()
            outgoing = self.session.publish(kind, name, encoded.codec, encoded.body, receipt)
            outgoing.waiter = future
            future.outgoing = outgoing  # type: ignore[attr-defined]
        self.wake()
        return future

    def _is_full(self, encoded: Encoded) -> bool:
        if self._error is not None:
            return False
        publisher = self.session.publisher
        waiting = publisher.unacknowledged
        size = publisher.unacknowledged_bytes + len(encoded.body)
        return waiting >= MOST_WAITING or (waiting > 0 and size > MOST_WAITING_BYTES)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def withdraw(self, future: Future[Receipt]) -> bool:
        """Give a message up; whether it is certain that the server does not have it."""
        outgoing: Outgoing | None = getattr(future, "outgoing", None)
        if outgoing is None:
            return False
        with self._room:
            certain = outgoing.withdrawable
            if certain:
                self.session.withdraw(outgoing)
                self._room.notify_all()
        if certain:
            self.wake()
        return certain

    def wake(self) -> None:
        """Have the writer look; once per batch."""
        with self.lock:
            if self._wanted or self._news is None:
                return
            self._wanted = True
        bridge.call(self._news.set)

    async def call(self, method: str, arguments: dict[str, Any]) -> Any:
        """Ask the server; asked again after a reconnect. Awaitable on any loop."""
        value, _ = await self.call_with_entries(method, arguments)
        return value

    async def call_with_entries(self, method: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
        """`call`, with the ENTRY records that came before the answer."""
        self.start()
        return await asyncio.wrap_future(bridge.start(self._ask(method, arguments)))

    async def _ask(self, method: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
        """On the bridge's thread."""
        deadline = time.monotonic() + CALL_TIMEOUT
        while True:
            left = deadline - time.monotonic()
            try:
                async with asyncio.timeout(max(left, 0)):
                    assert self._opened is not None
                    await self._opened.wait()
                    self._raise_error()
                    question = None
                    with self.lock:
                        if self.session.state == "OPEN":
                            number = self.session.call(method, arguments)
                            question = self._questions.ask(number)
                    if question is None:  # it closes just now
                        await asyncio.sleep(0.01)
                        continue
                    self.wake()
                    return await question.future, question.entries
            except TimeoutError:
                raise LayerUnavailable(
                    f"no answer to {method!r} within {CALL_TIMEOUT:g} s: {self.detail}"
                ) from None
            except LayerUnavailable:
                self._raise_error()
                if time.monotonic() >= deadline:
                    raise

    # The connection itself, on the bridge's thread.

    async def _run(self, found: Found) -> None:
        backoff = Backoff()
        try:
            while True:
                try:
                    self._socket = await open_socket(found)
                except (OSError, HTTPClientError, HTTPTimeoutError, TimeoutError) as error:
                    if self._refuse(error):
                        return
                else:
                    if await self._converse(self._socket):
                        return
                    backoff.was_open(time.monotonic())
                    self.reconnects += 1
                pause = backoff.next(time.monotonic())
                self.status = "reconnecting"
                diagnoses.note(f"{self.detail}; trying again in {pause:.1f} s")
                await asyncio.sleep(pause)
        finally:
            socket = self._socket
            if socket is not None:
                socket.close(1000)
            self._questions.fail(self._error or LayerUnavailable(self.detail))

    def _refuse(self, error: Exception) -> bool:
        """A connection that did not come about; whether there is no use in trying again."""
        assert self.found is not None
        code = getattr(error, "code", None)
        self.detail = f"the server at {self.found.url} cannot be reached: {error}"
        if code in (401, 403):
            self._stop(
                PermissionDenied(
                    f"the server at {self.found.url} refused this {self.found.what} "
                    f"(HTTP {code}); {self.found.remedy}"
                )
            )
            return True
        return False

    async def _converse(self, socket: WebSocketClientConnection) -> bool:
        """Read and write until the connection ends; whether that was for good."""
        assert self._news is not None
        with self.lock:
            self.session.connected(time.monotonic())
        reading = asyncio.ensure_future(self._read(socket))
        writing = asyncio.ensure_future(self._write(socket))
        try:
            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)
            socket.close()
            assert self._opened is not None
            self._opened.clear()
            with self.lock:
                self._dispatch(self.session.disconnected())
        assert self.found is not None
        code, reason = socket.close_code, socket.close_reason
        what = f"closed with {code}: {reason}" if code else "was lost"
        self.detail = f"the connection to {self.found.url} {what}"
        if code is not None and 4500 <= code <= 4999:
            self._stop(PermissionDenied(f"{self.detail}; {self.found.remedy}"))
            return True
        return False

    async def _read(self, socket: WebSocketClientConnection) -> None:
        while True:
            data = await socket.read_message()
            if data is None:
                return
            with self._room:
                events = self.session.receive(data, time.monotonic())
                self._dispatch(events)
                self._room.notify_all()
            self._news_if_needed()
            if any(event.name == "close" for event in events):
                return

    async def _write(self, socket: WebSocketClientConnection) -> None:
        assert self._news is not None
        while True:
            with self.lock:
                self._wanted = False
                self._news.clear()
                self._dispatch(self.session.tick(time.monotonic()))
                if self.session.state == "CLOSED":
                    return
                data = self.session.take()
            if data is not None:
                await socket.write_message(data, binary=isinstance(data, bytes))
                continue
            # Not wait_for: of Python 3.11 it swallows a cancellation that meets the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._news.wait()

    def _news_if_needed(self) -> None:
        if self._news is not None:
            self._news.set()

    def _stop(self, error: ChannelsError) -> None:
        """Refused for good: everyone who waits is told."""
        diagnoses.note(str(error))
        with self._room:
            self._error, self._refused_at = error, time.monotonic()
            self.status, self.detail = "refused", str(error)
            waiting = list(self.session.publisher.outstanding())
            for outgoing in waiting:
                self.session.withdraw(outgoing)
            self._room.notify_all()
        if self._opened is not None:
            self._opened.set()
        for outgoing in waiting:
            _fail(outgoing.waiter, error)
        self._handle(Event("refused", detail=error))

    # What came.

    def _dispatch(self, events: list[Event]) -> None:
        for event in events:
            match event.name:
                case "accepted":
                    outgoing = event.subject
                    receipt = (
                        Receipt.from_wire(event.detail)
                        if event.detail
                        else Receipt(outgoing.kind, outgoing.name)
                    )
                    if outgoing.waiter is not None and not outgoing.waiter.done():
                        outgoing.waiter.set_result(receipt)
                case "rejected":
                    _fail(event.subject.waiter, from_wire(event.detail))
                case "welcomed":
                    self._welcomed()
                case "result" | "error" | "entry":
                    self._questions.answer(event)
                case "goaway":
                    diagnoses.note(f"the server goes away: {event.control.reason}")
                case "close":
                    diagnoses.note(f"closing the connection ({event.detail[0]}): {event.detail[1]}")
                case _:
                    self._handle(event)

    def _welcomed(self) -> None:
        assert self.found is not None
        assert self._opened is not None
        self.status, self.detail = "open", f"connected to {self.found.url}"
        diagnoses.note(self.detail)
        self._opened.set()


def _fail(future: Future[Receipt] | None, error: ChannelsError) -> None:
    if future is not None and not future.done():
        future.set_exception(error)
