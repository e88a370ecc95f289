"""Wires that only remember, for responses and WebSockets without a network."""

import asyncio

from nbchannels.server.asgi.responses import ClientDisconnected


class Wire:
    """A connection whose client reads when `ready` is set."""

    def __init__(self):
        self.out = []
        self.status = None
        self.headers = []
        self.ended = None
        self.aborted = False
        self.refused = None
        self.gone = False
        self.ready = asyncio.Event()
        self.ready.set()

    @property
    def body(self):
        return b"".join(self.out)

    def begin(self, status, headers, chunk):
        assert self.status is None
        self.status, self.headers = status, list(headers)
        self.write(chunk)

    def write(self, chunk):
        self.out.append(chunk)

    async def drain(self):
        await self.ready.wait()
        if self.gone:
            raise ClientDisconnected("gone")

    def end(self, *, keep_alive):
        assert self.ended is None
        self.ended = keep_alive

    def abort(self):
        self.aborted = True

    def refuse(self, status, sentence):
        assert self.status is None
        self.refused = (status, sentence)


class SocketWire:
    """A WebSocket whose client reads when `ready` is set."""

    def __init__(self):
        self.accepted = None
        self.out = []
        self.closed = None
        self.gone = False
        self.ready = asyncio.Event()
        self.ready.set()

    async def accept(self, subprotocol, headers):
        self.accepted = (subprotocol, headers)
        await self.ready.wait()
        if self.gone:
            raise ClientDisconnected("gone")

    async def send(self, data):
        self.out.append(data)
        await self.ready.wait()
        if self.gone:
            raise ClientDisconnected("gone")

    def close(self, code, reason):
        assert self.closed is None
        self.closed = (code, reason)


def start(status=200, *headers):
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(chunk=b"", more=False):
    return {"type": "http.response.body", "body": chunk, "more_body": more}


async def turn():
    """Let the loop turn: what was called soon has been called."""
    for _ in range(3):
        await asyncio.sleep(0)
