"""One HTTP request and its response.

Source: the ASGI specification 3.0, "HTTP & WebSocket ASGI Message Format", HTTP.
"""

import asyncio
import logging

from nbchannels.server.asgi.exchanges import BROKEN, Exchange
from nbchannels.server.asgi.responses import Response
from nbchannels.typing import MessageDict

__all__ = ["HttpExchange"]

log = logging.getLogger("nbchannels")


class HttpExchange(Exchange):
    """A request whose body comes in parts, each read from the socket when the last was taken.

    Args:
        response: what the application sends.
        summary: for the log.
    """

    def __init__(self, response: Response, summary: str) -> None:
        super().__init__(summary)
        self.response = response
        self._chunk = b""
        self._whole = False  # all of the body is here
        self._told = False  # and the application knows
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    # The client's side.

    async def put(self, chunk: bytes) -> None:
        """A part of the body has come; returns when the next may be read."""
        while self._chunk and not self.is_over:
            self._room.clear()
            await self._room.wait()
        if not self.is_over:  # otherwise nobody will read it
            self._chunk = chunk
            self._news.set()

    def put_end(self) -> None:
        """The body is whole."""
        self._whole = True
        self._news.set()

    def lose(self) -> None:
        """The client has gone."""
        self.response.lose()
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._room.set()

    # The application's side.

    @property
    def is_over(self) -> bool:
        """Whether the response is complete, or nobody waits for it."""
        return self.response.complete or self.response.lost

    async def receive(self) -> MessageDict:
        """``http.request`` with the next part of the body, then ``http.disconnect``."""
        while not self.is_over:
            if not self._told and (self._chunk or self._whole):
                chunk, self._chunk = self._chunk, b""
                self._room.set()
                self._told = self._whole
                return {"type": "http.request", "body": chunk, "more_body": not self._whole}
            self._news.clear()
            await self._news.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MessageDict) -> None:
        """``http.response.start`` and ``http.response.body``; see `Response.send`."""
        await self.response.send(message)
        if self.response.complete:
            self._wake()

    def fail(self, status: int, sentence: str) -> None:
        """Answer in the application's place, or cut what has begun."""
        self.response.fail(status, sentence)
        self._wake()

    def leave(self) -> None:
        """An application that did not answer has a fault."""
        if not self.is_over:
            what = "completing its response" if self.response.started else "a response"
            log.error("%s: the ASGI application returned without %s", self.summary, what)
            self.fail(500, BROKEN)

    def shut_down(self) -> None:
        """A request under way has until its task is cancelled."""
