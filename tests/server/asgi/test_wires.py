"""Tornado's connections below: written, drained, cut, lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from tornado import httpserver, web
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.websocket import WebSocketHandler, websocket_connect

from nbchannels.server.asgi import wires
from nbchannels.server.asgi.responses import ClientDisconnected
from nbchannels.server.asgi.wires import HttpWire, SocketWire

pytestmark = pytest.mark.asyncio
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
Play = Callable[[HttpWire], Awaitable[None]]


class Server:
    """A tornado server whose one handler plays what a test wants, on a wire."""

    play: Play
    port = 0

    def __init__(self) -> None:
        self.wire: HttpWire | None = None
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.writers: list[asyncio.StreamWriter] = []

    async def ask(self, play: Play, head: bytes = GET) -> Any:
        self.play = play
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(head)
        return reader, writer


@pytest_asyncio.fixture
async def server():
    found = Server()

    @web.stream_request_body
    class Handler(web.RequestHandler):
        async def prepare(self) -> None:
            found.wire = self.wire = HttpWire(self)
            self.playing = asyncio.create_task(self.tell())

        async def tell(self) -> None:
            try:
                found.done.set_result(await found.play(self.wire))
            except Exception as error:
                found.done.set_exception(error)

        def data_received(self, chunk: bytes) -> None:
            """Not wanted."""

        async def _serve(self) -> None:
            self.wire.read()
            await asyncio.wait(
                {self.wire.over, self.wire.gone}, return_when=asyncio.FIRST_COMPLETED
            )

        get = post = head = _serve

        def on_connection_close(self) -> None:
            super().on_connection_close()
            self.wire.lose()

    (listener,) = bind_sockets(0, "127.0.0.1")
    found.port = listener.getsockname()[1]
    http = httpserver.HTTPServer(web.Application([("/", Handler)]))
    http.add_socket(listener)
    yield found
    for writer in found.writers:
        writer.transport.abort()
    http.stop()
    await http.close_all_connections()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """A response with a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    line, *rest = head.strip().split(b"\r\n")
    headers = dict(each.lower().split(b": ", 1) for each in rest)
    return line, headers, await reader.readexactly(int(headers.get(b"content-length", 0)))


async def hello(wire: HttpWire) -> None:
    headers = [("content-length", "5"), ("x-a", "1"), ("x-a", "2"), ("server", "mine")]
    wire.begin(200, headers, b"he")
    await wire.drain()
    wire.write(b"llo")
    await wire.drain()
    wire.end(keep_alive=True)


async def test_a_response_and_the_next_on_the_same_connection(server):
    reader, writer = await server.ask(hello)
    for n in range(2):
        if n:
            server.done = asyncio.get_running_loop().create_future()
            writer.write(GET)
        line, headers, body = await answer(reader)
        assert (line, body) == (b"HTTP/1.1 200 OK", b"hello")
        assert headers[b"server"] == b"mine"
        assert headers[b"x-a"] == b"2"  # the last of two lines
        assert b"content-type" not in headers
        await server.done


async def test_the_connection_can_end_with_the_response(server):
    async def play(wire: HttpWire) -> None:
        wire.begin(200, [], b"all")
        await wire.drain()
        wire.end(keep_alive=False)

    reader, writer = await server.ask(play, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (await reader.read()).endswith(b"\r\n\r\nall")


async def test_an_abort_is_seen(server):
    async def play(wire: HttpWire) -> None:
        wire.begin(200, [], b"half")
        await wire.drain()
        wire.abort()
        wire.abort()
        wire.refuse(500, "too late")

    reader, writer = await server.ask(play)
    text = await reader.read()
    assert text.endswith(b"4\r\nhalf\r\n")  # and no last chunk


async def test_a_refusal(server):
    async def play(wire: HttpWire) -> None:
        wire.refuse(503, "the sentence")
        wire.refuse(500, "once")

    reader, writer = await server.ask(play)
    line, headers, body = await answer(reader)
    assert line == b"HTTP/1.1 503 Service Unavailable"
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert body == b"the sentence\n"


async def test_the_refusal_of_a_head_has_no_body(server):
    async def play(wire: HttpWire) -> None:
        wire.refuse(404, "the sentence")

    reader, writer = await server.ask(
        play, b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    text = await reader.read()
    assert b"Content-Length: 13\r\n" in text
    assert text.endswith(b"\r\n\r\n")


async def test_drain_waits_for_a_slow_client(server):
    written = asyncio.Event()

    async def play(wire: HttpWire) -> None:
        wire.begin(200, [], b"")
        await wire.drain()
        wire.write(b"x" * 2**25)
        written.set()
        await wire.drain()
        wire.end(keep_alive=True)

    reader, writer = await server.ask(play)
    await written.wait()
    await asyncio.sleep(0.05)
    assert not server.done.done()
    total = 0
    while not server.done.done():
        total += len(await reader.read(2**20))
    assert total > 2**20


async def test_drain_ends_with_the_client(server):
    written = asyncio.Event()

    async def play(wire: HttpWire) -> None:
        wire.begin(200, [], b"")
        wire.write(b"x" * 2**25)
        written.set()
        await wire.drain()

    _, writer = await server.ask(play)
    await written.wait()
    writer.transport.abort()
    with pytest.raises(ClientDisconnected):
        await asyncio.wait_for(server.done, 5)
    with pytest.raises(ClientDisconnected):
        await server.wire.drain()


async def test_drain_ends_with_the_client_while_it_still_sends(server):
    """Tornado leaves the future of a write alone then."""
    written = asyncio.Event()

    async def play(wire: HttpWire) -> None:
        wire.begin(200, [], b"")
        wire.write(b"x" * 2**25)
        written.set()
        await wire.drain()

    _, writer = await server.ask(play, POST + b"x")
    await written.wait()
    writer.transport.abort()
    with pytest.raises(ClientDisconnected):
        await asyncio.wait_for(server.done, 5)


async def test_an_early_answer_waits_for_the_rest_of_the_body(server):
    reader, writer = await server.ask(hello, POST)
    assert (await answer(reader))[2] == b"hello"
    assert not server.wire.over.done()
    writer.write(b"x" * 1000 + GET)  # it is no part of the next request
    server.done = asyncio.get_running_loop().create_future()
    assert (await answer(reader))[2] == b"hello"


async def test_but_not_for_ever(server, monkeypatch):
    monkeypatch.setattr(wires, "LINGER", 0.05)
    reader, writer = await server.ask(hello, POST)
    assert (await answer(reader))[2] == b"hello"
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_a_client_that_goes_after_an_early_answer(server):
    reader, writer = await server.ask(hello, POST)
    await answer(reader)
    writer.transport.abort()
    await asyncio.wait_for(server.wire.gone, 5)
    server.wire.end(keep_alive=True)
    assert not server.wire.over.done()


class Socket:
    """A WebSocket of tornado's with our wire above it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.opened: asyncio.Future[SocketWire] = loop.create_future()


@pytest_asyncio.fixture
async def socket():
    found = Socket()

    class Handler(WebSocketHandler):
        def open(self) -> None:
            found.opened.set_result(SocketWire(self, found.gone))

        def on_message(self, message: str | bytes) -> None:
            """Not wanted."""

    (listener,) = bind_sockets(0, "127.0.0.1")
    http = httpserver.HTTPServer(web.Application([("/", Handler)]))
    http.add_socket(listener)
    found.client = await websocket_connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
    found.wire = await found.opened
    stream = found.client.protocol.stream
    yield found
    found.client.close()
    stream.close()
    await asyncio.sleep(0.01)  # its reader sees it
    http.stop()
    await http.close_all_connections()


async def test_messages(socket):
    await socket.wire.send("text")
    await socket.wire.send(b"bytes")
    assert await socket.client.read_message() == "text"
    assert await socket.client.read_message() == b"bytes"


async def test_the_reason_fits_into_its_frame(socket):
    socket.wire.close(4000, "ü" * 100)
    assert await socket.client.read_message() is None
    assert (socket.client.close_code, socket.client.close_reason) == (4000, "ü" * 61)
    with pytest.raises(ClientDisconnected):
        await socket.wire.send("late")


async def test_a_socket_that_is_lost_while_it_is_written(socket):
    sending = asyncio.create_task(socket.wire.send(b"x" * 2**25))
    await asyncio.sleep(0)
    socket.client.protocol.stream.close()
    with pytest.raises(ClientDisconnected):
        await asyncio.wait_for(sending, 5)
    assert isinstance(StreamClosedError(), OSError)


async def test_accepting_waits_for_the_open_socket(socket):
    accepting = asyncio.create_task(socket.wire.accept("a", [("x", "1")]))
    assert await socket.wire.accepted == ("a", [("x", "1")])
    assert not accepting.done()
    socket.wire.opened.set_result(None)
    await accepting


async def test_a_socket_that_was_open_for_a_moment_was_accepted(socket):
    accepting = asyncio.create_task(socket.wire.accept(None, []))
    await asyncio.sleep(0)
    socket.wire.opened.set_result(None)
    socket.gone.set_result(None)
    assert await accepting is None


async def test_accepting_ends_with_the_client(socket):
    accepting = asyncio.create_task(socket.wire.accept(None, []))
    await asyncio.sleep(0)
    socket.gone.set_result(None)
    with pytest.raises(ClientDisconnected):
        await accepting
