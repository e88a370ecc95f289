"""Talking to an application over a WebSocket."""

import pytest

from nbchannels.generic.websocket import AsyncWebsocketConsumer
from nbchannels.testing.websocket import WebsocketCommunicator

pytestmark = pytest.mark.asyncio


async def echo(scope, receive, send):
    await receive()
    await send(
        {"type": "websocket.accept", "subprotocol": "v1", "headers": [(b"path", scope["raw_path"])]}
    )
    while (event := await receive())["type"] == "websocket.receive":
        await send({**event, "type": "websocket.send"})
    await send({"type": "closed", "code": event["code"]})


def sending(*events):
    async def application(scope, receive, send):
        await receive()
        for event in events:
            await send(event)
        await receive()

    return WebsocketCommunicator(application, "/")


async def test_a_conversation():
    browser = WebsocketCommunicator(
        echo, "/a%20b/?q=1", headers=[(b"h", b"1")], subprotocols=["v1"], spec_version="2.4"
    )
    assert browser.scope["path"] == "/a b/"
    assert browser.scope["query_string"] == b"q=1"
    assert browser.scope["headers"] == [(b"h", b"1")]
    assert browser.scope["subprotocols"] == ["v1"]
    assert browser.scope["spec_version"] == "2.4"
    assert browser.response_headers is None
    assert await browser.connect() == (True, "v1")
    assert browser.response_headers == [(b"path", b"/a%20b/")]
    await browser.send_to(text_data="")
    assert await browser.receive_from() == ""
    await browser.send_to(bytes_data=b"x")
    assert await browser.receive_from() == b"x"
    await browser.send_json_to({"a": [1]})
    assert await browser.receive_json_from() == {"a": [1]}
    assert await browser.receive_nothing(0.01)
    await browser.disconnect(code=4000)
    assert await browser.receive_output() == {"type": "closed", "code": 4000}


async def test_without_options():
    browser = WebsocketCommunicator(echo, "/")
    assert (browser.scope["headers"], browser.scope["subprotocols"]) == ([], [])
    assert "spec_version" not in browser.scope


@pytest.mark.parametrize(("event", "code"), [({}, 1000), ({"code": 4003}, 4003)])
async def test_a_refusal(event, code):
    browser = sending({"type": "websocket.close", **event})
    assert await browser.connect() == (False, code)
    await browser.disconnect()


async def test_neither_accepted_nor_refused():
    browser = sending({"type": "websocket.send", "text": "x"})
    with pytest.raises(AssertionError, match=r"expected 'websocket\.accept'"):
        await browser.connect()
    browser.stop()


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "websocket.close", "code": 4001}, "code 4001"),
        ({"type": "websocket.send"}, "text or bytes"),
        ({"type": "websocket.send", "text": "a", "bytes": b"b"}, "text or bytes"),
        ({"type": "websocket.send", "text": b"a"}, "it is a str"),
        ({"type": "websocket.send", "bytes": "a"}, "they are bytes"),
    ],
)
async def test_what_is_no_frame(event, words):
    browser = sending({"type": "websocket.accept"}, event)
    assert await browser.connect() == (True, None)
    with pytest.raises(AssertionError, match=words):
        await browser.receive_from()
    browser.stop()


class Failing(AsyncWebsocketConsumer):
    channel_layer_alias = None

    async def connect(self):
        if self.scope["path"] == "/connect":
            raise ValueError("no connection")
        await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        raise ValueError("no frame")


async def test_what_a_consumer_fails_with_is_raised_here():
    with pytest.raises(ValueError, match="no connection"):
        await WebsocketCommunicator(Failing, "/connect").connect()
    browser = WebsocketCommunicator(Failing, "/receive")
    await browser.connect()
    await browser.send_to(text_data="x")
    with pytest.raises(ValueError, match="no frame"):
        await browser.receive_from()
    with pytest.raises(ValueError, match="no frame"):
        await browser.disconnect()


async def test_json_in_a_binary_frame():
    browser = sending({"type": "websocket.accept"}, {"type": "websocket.send", "bytes": b"{}"})
    await browser.connect()
    with pytest.raises(AssertionError, match="binary"):
        await browser.receive_json_from()
    browser.stop()


async def test_a_frame_of_both_kinds_sent_as_none():
    browser = sending(
        {"type": "websocket.accept"}, {"type": "websocket.send", "text": None, "bytes": b"x"}
    )
    await browser.connect()
    assert await browser.receive_from() == b"x"
    browser.stop()


@pytest.mark.parametrize(
    "frame",
    [{}, {"text_data": "a", "bytes_data": b"b"}, {"text_data": b"a"}, {"bytes_data": "b"}],
)
async def test_what_cannot_be_sent(frame):
    browser = WebsocketCommunicator(echo, "/")
    with pytest.raises(TypeError):
        await browser.send_to(**frame)


async def test_a_path_that_is_none():
    with pytest.raises(TypeError, match="'/index/'"):
        WebsocketCommunicator(echo, None)
