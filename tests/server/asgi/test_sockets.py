"""WebSockets: the decision before the upgrade, messages both ways, every end."""

import asyncio

import pytest

from nbchannels.server.asgi import sockets
from nbchannels.server.asgi.responses import ClientDisconnected, Response
from nbchannels.server.asgi.sockets import SocketExchange, State
from tests.server.asgi.rig import SocketWire, Wire, turn

pytestmark = pytest.mark.asyncio
ACCEPT = {"type": "websocket.accept"}


class Rig:
    def __init__(self):
        self.http, self.wire = Wire(), SocketWire()
        response = Response(self.http, "GET")
        self.exchange = SocketExchange(self.wire, response, ["a", "b"], "GET /app/ws")

    async def open(self):
        assert await self.exchange.receive() == {"type": "websocket.connect"}
        await self.exchange.send(ACCEPT)
        return self.exchange


@pytest.fixture
def rig():
    return Rig()


def end(code, reason=""):
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


async def test_it_is_decided_before_the_upgrade(rig):
    assert rig.wire.accepted is None
    await rig.open()
    assert rig.wire.accepted == (None, [])


async def test_accepting_with_a_subprotocol_and_headers(rig):
    headers = [(b"X-A", b"1"), (b"Set-Cookie", b"a=1"), (b"Sec-WebSocket-Extensions", b"x")]
    await rig.exchange.send(ACCEPT | {"subprotocol": "b", "headers": headers})
    assert rig.wire.accepted == ("b", [("x-a", "1"), ("set-cookie", "a=1")])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"subprotocol": "c"}, "subprotocol is a str: 'c'; the client offers"),
        ({"subprotocol": "a", "headers": [(b"Sec-WebSocket-Protocol", b"a")]}, "name it once"),
        ({"headers": [(b"a", b"\n")]}, "cannot be a header"),
    ],
)
async def test_what_cannot_be_accepted(rig, message, said):
    with pytest.raises(ValueError, match=said):
        await rig.exchange.send(ACCEPT | message)
    assert rig.exchange.state is State.CONNECTING


async def test_closing_before_is_a_refusal(rig):
    await rig.exchange.receive()
    await rig.exchange.send({"type": "websocket.close"})
    assert rig.http.refused == (403, "the application refused this WebSocket")
    assert await rig.exchange.receive() == end(1006)
    rig.exchange.leave()
    assert rig.wire.closed is None


async def test_a_refusal_of_its_own(rig):
    start = {"type": "websocket.http.response.start", "status": 402, "headers": [(b"a", b"b")]}
    await rig.exchange.send(start)
    assert rig.exchange.state is State.DENYING
    with pytest.raises(RuntimeError, match="is denying"):
        await rig.exchange.send(ACCEPT)
    await rig.exchange.send({"type": "websocket.http.response.body", "body": b"pay first"})
    assert (rig.http.status, rig.http.body, rig.http.ended) == (402, b"pay first", True)
    assert rig.exchange.is_over
    with pytest.raises(ClientDisconnected):
        await rig.exchange.send(ACCEPT)


async def test_a_refusal_that_is_not_complete(rig, caplog):
    start = {"type": "websocket.http.response.start", "status": 402}
    await rig.exchange.send(start)
    await turn()
    rig.exchange.leave()
    assert rig.http.aborted
    assert "returned without an answer" in caplog.text


async def test_messages_both_ways(rig):
    exchange = await rig.open()
    await exchange.put("text")
    await exchange.put(b"bytes")
    assert await exchange.receive() == {"type": "websocket.receive", "text": "text"}
    assert await exchange.receive() == {"type": "websocket.receive", "bytes": b"bytes"}
    await exchange.send({"type": "websocket.send", "text": "one"})
    await exchange.send({"type": "websocket.send", "bytes": b"two", "text": None})
    assert rig.wire.out == ["one", b"two"]


@pytest.mark.parametrize(
    "message", [{}, {"text": b"x"}, {"bytes": "x"}, {"text": "x", "bytes": b"x"}, {"text": None}]
)
async def test_messages_without_content(rig, message):
    exchange = await rig.open()
    with pytest.raises(ValueError, match="a str as text or bytes as bytes"):
        await exchange.send({"type": "websocket.send"} | message)


@pytest.mark.parametrize(
    ("message", "count"), [("x", sockets.MOST), (b"x" * (sockets.MOST_BYTES // 2), 2)]
)
async def test_an_application_that_is_behind_stops_the_reading(rig, message, count):
    exchange = await rig.open()
    for _ in range(count - 1):
        await exchange.put(message)
    assert not exchange.is_full
    last = asyncio.create_task(exchange.put(message))
    await turn()
    assert exchange.is_full
    assert not last.done()
    await exchange.receive()
    await last
    assert not exchange.is_full


async def test_a_message_of_any_size_passes(rig):
    exchange = await rig.open()
    putting = asyncio.create_task(exchange.put(b"x" * 10 * sockets.MOST_BYTES))
    assert len((await exchange.receive())["bytes"]) == 10 * sockets.MOST_BYTES
    await putting


async def test_a_slow_client_slows_the_application(rig):
    exchange = await rig.open()
    rig.wire.ready.clear()
    sending = asyncio.create_task(exchange.send({"type": "websocket.send", "text": "x"}))
    await turn()
    assert not sending.done()
    rig.wire.ready.set()
    await sending


async def test_the_client_closes_and_what_it_sent_before_comes_first(rig):
    exchange = await rig.open()
    await exchange.put("last words")
    exchange.lose(4001, "bye")
    exchange.lose(1006)
    await exchange.put("a ghost's")
    assert (await exchange.receive())["text"] == "last words"
    assert await exchange.receive() == end(4001, "bye")
    assert await exchange.receive() == end(4001, "bye")
    with pytest.raises(OSError, match="closed"):
        await exchange.send({"type": "websocket.send", "text": "late"})
    await exchange.send({"type": "websocket.close"})  # no fault
    exchange.leave()
    assert rig.wire.closed is None


async def test_the_client_goes_before_the_decision(rig):
    await rig.exchange.receive()
    waiting = asyncio.create_task(rig.exchange.receive())
    await turn()
    rig.exchange.lose()
    assert await waiting == end(1006)
    with pytest.raises(ClientDisconnected):
        await rig.exchange.send(ACCEPT)
    assert (rig.wire.accepted, rig.http.refused) == (None, None)


async def test_the_client_goes_while_it_is_accepted(rig):
    rig.wire.ready.clear()
    accepting = asyncio.create_task(rig.exchange.send(ACCEPT))
    await turn()
    rig.wire.gone = True
    rig.exchange.lose()
    rig.wire.ready.set()
    with pytest.raises(ClientDisconnected):
        await accepting


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, (1000, "")),
        ({"code": None, "reason": None}, (1000, "")),
        ({"code": 4321, "reason": "enough"}, (4321, "enough")),
    ],
)
async def test_the_application_closes(rig, message, expected):
    exchange = await rig.open()
    await exchange.send({"type": "websocket.close"} | message)
    assert rig.wire.closed == expected
    assert await exchange.receive() == end(*expected)
    with pytest.raises(ClientDisconnected):
        await exchange.send({"type": "websocket.send", "text": "late"})
    exchange.lose(1006)  # the socket follows
    assert await exchange.receive() == end(*expected)


@pytest.mark.parametrize("code", [1005, 1006, 999, 5000, "1000"])
async def test_codes_that_cannot_be_sent(rig, code):
    exchange = await rig.open()
    with pytest.raises(ValueError, match="it takes 1000"):
        await exchange.send({"type": "websocket.close", "code": code})
    assert rig.wire.closed is None


async def test_messages_out_of_their_place(rig):
    with pytest.raises(RuntimeError, match="'websocket.send'; the WebSocket is connecting"):
        await rig.exchange.send({"type": "websocket.send", "text": "x"})
    exchange = await rig.open()
    for wrong in ({"type": "websocket.accept"}, {"type": "websocket.http.response.start"}, {}):
        with pytest.raises(RuntimeError, match="the WebSocket is open"):
            await exchange.send(wrong)


async def test_an_application_that_only_returns(rig, caplog):
    rig.exchange.leave()
    assert rig.http.refused[0] == 500
    assert "GET /app/ws: the ASGI application returned without an answer" in caplog.text


async def test_an_application_that_leaves_an_open_socket(rig, caplog):
    exchange = await rig.open()
    exchange.leave()
    assert rig.wire.closed == (1000, "")
    assert caplog.text == ""


async def test_an_application_that_fails(rig):
    rig.exchange.fail(404, "nothing here")
    assert rig.http.refused == (404, "nothing here")
    other = Rig()
    exchange = await other.open()
    exchange.fail(500, "sorry")
    exchange.fail(500, "again")
    assert other.wire.closed == (1011, "sorry")


async def test_the_server_stops(rig):
    rig.exchange.shut_down()
    assert rig.http.refused == (503, "the server stops")
    other = Rig()
    exchange = await other.open()
    await exchange.put("before")
    exchange.shut_down()
    exchange.shut_down()
    assert other.wire.closed == (1012, "the server stops")
    await exchange.receive()
    assert await exchange.receive() == end(1012, "the server stops")
    third = Rig()
    await third.open()
    third.exchange.fail(503, "the server stops")
    assert third.wire.closed == (1012, "the server stops")


async def test_the_end_frees_who_waits(rig):
    exchange = await rig.open()
    putting = asyncio.create_task(exchange.put(b"x" * sockets.MOST_BYTES))
    await turn()
    assert not putting.done()
    exchange.lose()
    await putting
