"""WebSockets as messages, through a real Jupyter server; consumers on its own layer."""

import asyncio
import dataclasses
import logging

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from nbchannels.diagnoses import tell_again
from nbchannels.exceptions import ChannelFull
from nbchannels.server import websocket
from tests.server.answering import Router, until

CONNECT, RECEIVE, DISCONNECT = (f"websocket.{x}" for x in ("connect", "receive", "disconnect"))
PATIENCE = 10


@pytest.fixture
def router(host, jp_asyncio_loop):
    host.router = Router(host.layer)
    tell_again()
    host.router.served.update((RECEIVE, DISCONNECT))
    yield host.router
    jp_asyncio_loop.run_until_complete(host.router.stop())


@pytest.fixture
def limit(host):
    def change(**limits):
        host.limits = dataclasses.replace(host.limits, **limits)

    return change


@pytest.fixture
def dial(jp_serverapp, http_server, http_server_port, jp_base_url, jp_auth_header, jp_asyncio_loop):
    """The open socket, or the HTTP status that refused it and what was said."""
    sockets = []
    base = f"ws://127.0.0.1:{http_server_port[1]}{jp_base_url}nbchannels/http"

    async def begin(path="/chat?room=1", *, login=True, subprotocols=None, **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = HTTPRequest(base + path, headers=sent | (jp_auth_header if login else {}))
        try:
            socket = await websocket_connect(request, subprotocols=subprotocols)
        except HTTPClientError as error:
            return error.code, error.response.body.decode() if error.response else ""
        sockets.append(socket)
        return socket

    yield begin

    async def close():
        for socket in sockets:
            socket.close()
            if socket.protocol is not None:
                socket.protocol.stream.close()
        await asyncio.sleep(0)

    jp_asyncio_loop.run_until_complete(close())


def accepts(router, **reply):
    async def consumer(message):
        await message.reply_channel.asend(reply or {"accept": True})

    router.consume(CONNECT, consumer)


def echoes(router):
    accepts(router)

    async def consumer(message):
        kind = "text" if message["text"] is not None else "bytes"
        await message.reply_channel.asend({kind: message[kind]})

    router.consume(RECEIVE, consumer)


async def hear(socket):
    async with asyncio.timeout(PATIENCE):
        return await socket.read_message()


async def closed(socket):
    """Read to the end; the close code."""
    async with asyncio.timeout(PATIENCE):
        while await socket.read_message() is not None:
            pass
    return socket.close_code


# The messages.


async def test_connect_receive_disconnect(router, dial, jp_base_url):
    dialling = asyncio.ensure_future(dial("/ch%C3%A4t?room=1", X_Own="1"))
    connect = await router.first(CONNECT)
    headers = connect["headers"]
    assert [b"x-own", b"1"] in headers
    assert b"authorization" not in dict(headers)
    port = int(dict(headers)[b"host"].rpartition(b":")[2])
    told = {key: value for key, value in connect.items() if key not in ("headers", "client")}
    reply = connect["reply_channel"]
    assert told == {
        "reply_channel": reply,
        "scheme": "ws",
        "path": "/chät",
        "query_string": b"room=1",
        "root_path": f"{jp_base_url}nbchannels/http",
        "server": ["127.0.0.1", port],
        "order": 0,
    }
    assert connect["client"][0] == "127.0.0.1"
    assert not dialling.done()
    await connect.reply_channel.asend({"accept": True})
    socket = await dialling
    await socket.write_message("hello")
    await socket.write_message(b"\x00\xff", binary=True)
    common = {"reply_channel": reply, "path": "/chät"}
    text, data = [await router.first(RECEIVE) for _ in range(2)]
    assert text.content == {**common, "text": "hello", "bytes": None, "order": 1}
    assert data.content == {**common, "text": None, "bytes": b"\x00\xff", "order": 2}
    socket.close(3001, "bye")
    gone = await router.first(DISCONNECT)
    assert gone.content == {**common, "order": 3, "code": 3001}


async def test_replies_are_sent_as_what_they_are(router, dial):
    echoes(router)
    socket = await dial()
    for frame in ("text", "", b"bytes", b"", "🐟"):
        await socket.write_message(frame, binary=isinstance(frame, bytes))
        assert await hear(socket) == frame


async def test_a_thousand_frames_keep_their_order(router, dial):
    got = []
    accepts(router)

    async def consumer(message):
        got.append((message["order"], message["text"]))
        if len(got) == 1000:
            await message.reply_channel.asend({"text": "enough"})

    router.consume(RECEIVE, consumer)
    socket = await dial()
    for number in range(1000):
        await socket.write_message(str(number))
    assert await hear(socket) == "enough"
    assert got == [(number + 1, str(number)) for number in range(1000)]


async def test_two_sockets_do_not_mix(router, dial):
    echoes(router)
    one, two = await dial("/a"), await dial("/b")
    await one.write_message("one")
    await two.write_message("two")
    assert (await hear(two), await hear(one)) == ("two", "one")
    assert len(router.conversations) == 2


@pytest.mark.parametrize(("said", "told"), [((), 1005), ((1000,), 1000), ((4321, "x"), 4321)])
async def test_the_close_code_of_the_client(router, dial, said, told):
    accepts(router)
    socket = await dial()
    socket.close(*said)
    assert (await router.first(DISCONNECT))["code"] == told


async def test_a_client_that_vanishes(router, dial):
    accepts(router)
    socket = await dial()
    socket.protocol.stream.close()
    assert (await router.first(DISCONNECT))["code"] == 1006


async def test_a_close_of_the_consumer_is_told_too(router, dial):
    accepts(router, accept=True, close=4000)
    socket = await dial()
    assert await closed(socket) == 4000
    assert (await router.first(DISCONNECT))["code"] == 4000


# The handshake.


@pytest.mark.parametrize(
    ("reply", "frames", "code"),
    [
        ({"accept": True}, [], None),
        ({"accept": True, "text": "hi"}, ["hi"], None),
        ({"accept": True, "text": "hi", "close": True}, ["hi"], 1000),
        ({"accept": True, "close": 3000}, [], 3000),
        ({"text": "hi"}, ["hi"], None),
        ({"bytes": b"hi"}, [b"hi"], None),
        ({"text": "hi", "close": 4001}, ["hi"], 4001),
    ],
)
async def test_what_accepts(router, dial, reply, frames, code):
    accepts(router, **reply)
    socket = await dial()
    assert not isinstance(socket, tuple)
    assert [await hear(socket) for _ in frames] == frames
    if code is not None:
        assert await closed(socket) == code


@pytest.mark.parametrize(
    "reply",
    [
        {"accept": False},
        {"accept": False, "text": "hi"},
        {"accept": False, "bytes": b"hi", "close": True},
        {"close": True},
        {"close": 4000},
        {"close": True, "text": ""},
    ],
)
async def test_what_refuses(router, dial, reply):
    accepts(router, **reply)
    code, said = await dial()
    assert (code, "refused" in said) == (403, True)
    conversation = router.conversations[0]
    assert [channel for channel, _ in conversation.sent] == [CONNECT]


async def test_a_reply_that_says_nothing_leaves_the_client_waiting(router, dial):
    dialling = asyncio.ensure_future(dial())
    connect = await router.first(CONNECT)
    for reply in ({}, {"text": ""}, {"accept": None, "close": False}):
        await connect.reply_channel.asend(reply)
    await asyncio.sleep(0.05)
    assert not dialling.done()
    await connect.reply_channel.asend({"accept": True})
    assert not isinstance(await dialling, tuple)


async def test_accept_again_is_ignored(router, dial):
    accepts(router, accept=True)

    async def consumer(message):
        await message.reply_channel.asend({"accept": False, "text": "still here"})

    router.consume(RECEIVE, consumer)
    socket = await dial()
    await socket.write_message("x")
    assert await hear(socket) == "still here"


async def test_a_subprotocol_that_the_consumer_chooses(router, dial):
    accepts(router, accept=True, subprotocol="b")
    socket = await dial(subprotocols=["a", "b"])
    assert socket.selected_subprotocol == "b"


async def test_no_accept_in_time(router, dial, limit):
    limit(handshake_timeout=0.1)
    router.served.add(CONNECT)
    code, said = await dial()
    assert (code, "within 0.1 s" in said) == (504, True)
    assert router.conversations[0].sent[-1][1]["code"] == 1006


async def test_nobody_serves(router, dial):
    code, said = await dial("/a/b")
    assert (code, "/a/b" in said, "@nb.consume('websocket.connect')" in said) == (503, True, True)


@pytest.mark.parametrize(("why", "code"), [("died", 503), ("failed", 500), ("expired", 503)])
async def test_lost_before_it_was_accepted(router, dial, why, code):
    async def consumer(message):
        router.conversations[-1].lost(why, "what has happened")

    router.consume(CONNECT, consumer)
    answered, said = await dial()
    assert (answered, "what has happened" in said) == (code, True)


async def test_a_full_channel(router, dial):
    accepts(router)
    router.error = ChannelFull(channel=CONNECT, capacity=3)
    assert (await dial())[0] == 503


async def test_a_client_that_goes_before_the_answer(router, dial, host):
    dialling = asyncio.ensure_future(dial())
    connect = await router.first(CONNECT)
    [handler] = host.sockets
    handler.request.connection.stream.close()
    gone = await router.first(DISCONNECT)
    assert gone["reply_channel"] == connect["reply_channel"]
    assert gone["code"] == 1006
    assert (await dialling)[0] == 599  # tornado's client: the stream was closed


async def test_too_many(router, dial, limit):
    accepts(router)
    limit(connections=1)
    socket = await dial()
    assert (await dial())[0] == 503
    socket.close()
    await router.first(DISCONNECT)
    assert not isinstance(await dial(), tuple)


# Who may come in.


async def test_credentials_and_origin(router, dial, http_server_port):
    accepts(router)
    assert (await dial(login=False))[0] == 403
    assert (await dial(Origin="http://evil.example"))[0] == 403
    assert (await dial(Origin="null"))[0] == 403
    assert router.conversations == []
    own = f"http://127.0.0.1:{http_server_port[1]}"
    assert not isinstance(await dial(Origin=own), tuple)


async def test_it_takes_the_right_to_execute(router, dial, host, monkeypatch):
    accepts(router)

    async def allows(user, action, kind, name):
        return action != "execute"

    monkeypatch.setattr(host.policy, "allows", allows)
    assert (await dial())[0] == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Connection": "keep-alive"}, 400),
        ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Version": "8"}, 426),
    ],
)
async def test_what_is_no_handshake(router, call, headers, status):
    accepts(router)
    good = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "x" * 22 + "=="}  # fmt: skip
    answer = await call("GET", "http/x", **{**good, **headers})
    assert answer.status == status
    assert router.conversations == []
    assert (status != 426) or answer.headers["Sec-WebSocket-Version"] == "13"


# When it goes wrong.


@pytest.mark.parametrize(("why", "code"), [("died", 1011), ("failed", 1011), ("expired", 1013)])
async def test_lost_while_open(router, dial, why, code, caplog):
    accepts(router)
    socket = await dial()
    with caplog.at_level(logging.ERROR, "nbchannels"):
        router.conversations[0].lost(why, "what has happened " + "é" * 200)
        assert await closed(socket) == code
    assert "what has happened" in socket.close_reason
    assert ("its consumer failed" in caplog.text) == (why == "failed")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"txt": "a"}, "did you mean 'text'"),
        ({"text": b"a"}, "'text' is"),
        ({"text": "a", "bytes": b"b"}, "both"),
        ({"close": 999}, "'close' is"),
    ],
)
async def test_a_bad_reply(router, dial, reply, said, caplog):
    accepts(router)

    async def consumer(message):
        await message.reply_channel.asend(reply)

    router.consume(RECEIVE, consumer)
    socket, neighbour = await dial(), await dial()
    with caplog.at_level(logging.WARNING, "nbchannels"):
        await socket.write_message("x")
        assert await closed(socket) == 1011
    assert "bad reply" in socket.close_reason
    assert said in caplog.text
    await router.conversations[1].router.layer.send(
        router.conversations[1].sent[0][1]["reply_channel"], {"text": "alive"}
    )
    assert await hear(neighbour) == "alive"


async def test_a_bad_reply_before_the_accept(router, dial):
    accepts(router, acept=True)
    code, said = await dial()
    assert (code, "did you mean 'accept'" in said) == (500, True)


async def test_a_frame_over_the_limit(router, dial, limit):
    limit(message=1000)
    accepts(router)
    socket = await dial()
    await socket.write_message("x" * 1001)
    assert await closed(socket) == 1009
    await router.first(DISCONNECT)


async def test_a_stuck_consumer_holds_the_client_up(router, dial, monkeypatch):
    monkeypatch.setattr(websocket, "RETRY", 0.01)
    echoes(router)
    socket = await dial()
    router.error = ChannelFull(channel=RECEIVE, capacity=1)
    for number in range(3):
        await socket.write_message(str(number))
    await asyncio.sleep(0.1)
    router.error = None
    assert [await hear(socket) for _ in range(3)] == ["0", "1", "2"]
    assert [content["order"] for _, content in router.conversations[0].sent] == [0, 1, 2, 3]


async def test_a_consumer_that_stays_stuck(router, dial, monkeypatch):
    monkeypatch.setattr(websocket, "RETRY", 0.01)
    monkeypatch.setattr(websocket, "PATIENCE", 0.1)
    accepts(router)
    socket = await dial()
    router.error = ChannelFull(channel=RECEIVE, capacity=1)
    await socket.write_message("x")
    assert await closed(socket) == 1013


async def test_nothing_is_left_behind(router, dial, host):
    accepts(router)
    socket = await dial()
    assert [name for name in (await host.layer.names())["channels"] if "!" in name]
    socket.close()
    await router.first(DISCONNECT)
    await until(lambda: not host.sockets)
    await asyncio.sleep(0.01)
    assert [name for name in (await host.layer.names())["channels"] if "!" in name] == []


async def test_a_plain_get_at_the_same_address(router, call, dial):
    echoes(router)

    async def consumer(message):
        await message.reply_channel.asend({"status": 200, "content": b"page"})

    router.consume("http.request", consumer)
    socket = await dial("/x")
    assert (await call("GET", "http/x")).value == b"page"
    await socket.write_message("frame")
    assert await hear(socket) == "frame"


async def test_when_the_server_stops(router, dial, host):
    accepts(router)
    socket = await dial()
    await host.close()
    assert await closed(socket) == 1001
