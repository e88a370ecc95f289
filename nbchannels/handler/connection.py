"""Where tornado's handlers write: a queue of reply messages in a socket's place."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from tornado.httputil import HTTPConnection, HTTPHeaders, RequestStartLine, ResponseStartLine
from tornado.iostream import StreamClosedError

from nbchannels.typing import MessageDict

__all__ = ["MessageConnection"]


class MessageConnection(HTTPConnection):
    """Where a handler writes its response. For one event loop.

    Args:
        chunk_bytes: cuts content into pieces of one message each.

    Attributes:
        root_path: the mount of the request.
    """

    def __init__(self, chunk_bytes: Callable[[bytes], Iterator[tuple[bytes, bool]]]) -> None:
        self.root_path = ""
        self._chunk_bytes = chunk_bytes
        self._queue: deque[MessageDict] = deque()
        self._news = asyncio.Event()
        self._writes: list[asyncio.Future[None]] = []
        self._is_finished = self._is_muted = self._is_closed = False
        self._close_callback: Callable[[], None] | None = None
        self._error: BaseException | None = None

    # What tornado calls.

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Have ``callback`` called when nobody takes the response any more."""
        self._close_callback = callback

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> "asyncio.Future[None]":
        """See tornado; a redirect to a path is made one within the mount."""
        assert isinstance(start_line, ResponseStartLine)
        location = headers.get("Location", "")
        if self._is_outside(location):
            headers["Location"] = self.root_path + location
        pairs = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.get_all()
        ]
        return self._put(chunk or b"", {"status": start_line.code, "headers": pairs})

    def _is_outside(self, location: str) -> bool:
        """Whether a redirect to a path would lead out of the mount, which no handler knows of."""
        if not location.startswith("/") or location.startswith("//") or not self.root_path:
            return False
        return not f"{location}/".startswith((f"{self.root_path}/", f"{self.root_path}?"))

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        """More of the body; the future is done when all that was written has been taken."""
        return self._put(chunk, {})

    def finish(self) -> None:
        """The response is complete."""
        self._is_finished = True
        if self._queue:  # not taken yet: of a response that was written at once, it is all
            self._queue[-1]["more_content"] = False
        else:
            self._queue.append({"content": b"", "more_content": False})
        self._news.set()

    def detach(self) -> Any:
        """What a WebSocket would ask for.

        Raises:
            NotImplementedError: there is no stream.
        """
        raise NotImplementedError(
            "a request that came as a message has no stream: WebSockets are 'websocket.connect'"
        )

    def _put(self, content: bytes, head: MessageDict) -> "asyncio.Future[None]":
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._is_closed:
            written.set_exception(StreamClosedError())
            written.exception()  # looked at, if the handler does not
            return written
        for part, _ in self._chunk_bytes(content):
            self._queue.append({**head, "content": part, "more_content": True})
            head = {}
        self._writes.append(written)
        self._news.set()
        return written

    # What the iteration calls.

    async def take(self) -> MessageDict | None:
        """The next message; ``None`` at the end."""
        while not self._queue and not self._is_muted and self._error is None:
            if self._is_finished:
                return None
            self._news.clear()
            await self._news.wait()
        if self._is_muted:
            return None
        if not self._queue and self._error is not None:
            raise self._error
        message = self._queue.popleft()
        if not self._queue:
            for write in self._writes:
                if not write.done():
                    write.set_result(None)
            self._writes.clear()
        return message

    def fail(self, error: BaseException) -> None:
        """Nothing more is written: `take` raises this."""
        self._error = error
        self._news.set()

    def mute(self) -> None:
        """Somebody else answers."""
        self._is_muted = True
        self._news.set()

    def close(self) -> None:
        """Nobody takes any more: the handler is told, as if its client were gone."""
        if self._is_closed or self._is_finished:
            return
        self._is_closed = True
        for write in self._writes:
            if not write.done():
                write.set_exception(StreamClosedError())
                write.exception()
        if self._close_callback is not None:
            self._close_callback()
