"""WebSocket consumers, asynchronous and synchronous."""

import asyncio
import json
import threading

import pytest

from nbchannels.bridge import async_to_sync
from nbchannels.diagnoses import diagnoses
from nbchannels.exceptions import AcceptConnection, DenyConnection, InvalidChannelLayerError
from nbchannels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from nbchannels.layers.manager import channel_layers, get_channel_layer
from nbchannels.testing.application import ApplicationCommunicator
from nbchannels.testing.websocket import WebsocketCommunicator

pytestmark = pytest.mark.asyncio

ACCEPT = {"type": "websocket.accept", "subprotocol": None}


@pytest.fixture(autouse=True)
def layer():
    channel_layers.configure(
        {"default": {"BACKEND": "nbchannels.layers.memory.InMemoryChannelLayer"}}
    )
    diagnoses.clear()
    yield get_channel_layer()
    channel_layers.configure({})
    diagnoses.clear()


def kinds():
    return [told.kind for told in diagnoses.recent()]


def opened(consumer, **options):
    return WebsocketCommunicator(consumer.as_asgi(), "/index/", **options)


# The article: its consumer as it is printed there, with other imports.


class IndexConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.channel_layer.group_add("index", self.channel_name)

    async def disconnect(self, code):
        await self.channel_layer.group_discard("index", self.channel_name)
        print(f"removed {self.channel_name}")  # noqa: T201

    async def websocket_receive(self, message):
        return super().websocket_receive(message)

    async def websocket_ingest(self, event):
        await self.send_json(event)


class SyncIndexConsumer(JsonWebsocketConsumer):
    def connect(self):
        self.accept()
        async_to_sync(self.channel_layer.group_add)("index", self.channel_name)

    def disconnect(self, code):
        async_to_sync(self.channel_layer.group_discard)("index", self.channel_name)
        print(f"removed {self.channel_name}")  # noqa: T201

    def websocket_receive(self, message):
        return super().websocket_receive(message)

    def websocket_ingest(self, event):
        self.send_json(event)


def post():
    """What the article's view does."""
    channel_layer = get_channel_layer()
    text = [6, 3, 10, 2, 10, 1, 10]
    async_to_sync(channel_layer.group_send)("index", {"type": "websocket.ingest", "text": text})


@pytest.mark.parametrize("consumer", [IndexConsumer, SyncIndexConsumer])
@pytest.mark.parametrize("place", ["this thread, with a loop", "a thread without one"])
async def test_the_article(layer, consumer, place, capsys):
    browser = opened(consumer)
    assert await browser.connect() == (True, None)
    async with asyncio.timeout(5):
        while not await layer.group_channels("index"):  # noqa: ASYNC110 - it joins after accepting
            await asyncio.sleep(0.001)
    if place.startswith("this"):
        post()
    else:
        await asyncio.to_thread(post)
    seen = await browser.receive_json_from()
    assert seen == {"type": "websocket.ingest", "text": [6, 3, 10, 2, 10, 1, 10]}
    await browser.disconnect()
    assert await layer.group_channels("index") == []
    assert capsys.readouterr().out.startswith("removed specific.")
    assert diagnoses.recent() == []


@pytest.mark.parametrize(
    ("base", "expected"), [(IndexConsumer, ["not-awaited"]), (SyncIndexConsumer, [])]
)
async def test_the_articles_unawaited_super_is_awaited(base, expected):
    if base is IndexConsumer:

        class Own(IndexConsumer):
            async def receive_json(self, content):
                await self.send_json({"got": content})
    else:

        class Own(SyncIndexConsumer):
            def receive_json(self, content):
                self.send_json({"got": content})

    browser = opened(Own)
    await browser.connect()
    await browser.send_json_to({"x": 1})
    assert await browser.receive_json_from() == {"got": {"x": 1}}
    assert kinds() == expected
    await browser.disconnect()


# Text and binary frames, in both colours.


class Echo(AsyncWebsocketConsumer):
    groups = ["chat"]

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data, bytes_data=bytes_data)

    async def chat_message(self, event):
        await self.send(text_data=event["text"])

    async def chat_close(self, event):
        await self.close(event.get("code"), event.get("reason"))

    async def chat_last(self, event):
        await self.send(text_data="bye", close=event["close"])

    async def chat_nothing(self, event):
        await self.send()


class SyncEcho(WebsocketConsumer):
    groups = ["chat"]

    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data=text_data, bytes_data=bytes_data)

    def chat_message(self, event):
        self.send(text_data=event["text"])

    def chat_close(self, event):
        self.close(event.get("code"), event.get("reason"))

    def chat_last(self, event):
        self.send(text_data="bye", close=event["close"])

    def chat_nothing(self, event):
        self.send()


BOTH = pytest.mark.parametrize("consumer", [Echo, SyncEcho])


def derived(consumer, **methods):
    """A subclass with async or plain methods, each given as (async, sync)."""
    colour = 0 if issubclass(consumer, AsyncWebsocketConsumer) else 1
    return type("Own", (consumer,), {name: both[colour] for name, both in methods.items()})


@BOTH
async def test_frames_of_both_kinds(consumer):
    browser = opened(consumer)
    assert await browser.connect() == (True, None)
    await browser.send_to(text_data="text")
    assert await browser.receive_from() == "text"
    await browser.send_to(bytes_data=b"bytes")
    assert await browser.receive_from() == b"bytes"
    await browser.send_to(text_data="")
    assert await browser.receive_from() == ""
    await browser.disconnect()
    assert diagnoses.recent() == []


@BOTH
async def test_a_server_that_sends_text_none_with_bytes(consumer):
    communicator = ApplicationCommunicator(consumer.as_asgi(), {"type": "websocket"})
    await communicator.send_input({"type": "websocket.connect"})
    assert await communicator.receive_output() == ACCEPT
    await communicator.send_input({"type": "websocket.receive", "text": None, "bytes": b"x"})
    assert await communicator.receive_output() == {"type": "websocket.send", "bytes": b"x"}
    communicator.stop()


@BOTH
async def test_groups_are_joined_before_connect_and_left_before_disconnect(layer, consumer):
    members = []

    async def note(self, code=None):
        members.append(await layer.group_channels("chat") == [self.channel_name])
        if code is None:
            await self.accept()

    def note_sync(self, code=None):
        found = async_to_sync(layer.group_channels)("chat")
        members.append(found == [self.channel_name])
        if code is None:
            self.accept()

    own = derived(consumer, connect=(note, note_sync), disconnect=(note, note_sync))
    browser = opened(own)
    await browser.connect()
    await browser.disconnect()
    assert members == [True, False]
    assert diagnoses.recent() == []


@BOTH
async def test_messages_of_the_group_arrive(layer, consumer):
    browsers = [opened(consumer) for _ in range(3)]
    for browser in browsers:
        await browser.connect()
    await layer.group_send("chat", {"type": "chat.message", "text": "hello"})
    for browser in browsers:
        assert await browser.receive_from() == "hello"
        await browser.disconnect()
    assert await layer.group_channels("chat") == []


@BOTH
@pytest.mark.parametrize(
    ("message", "close"),
    [
        ({}, {}),
        ({"code": 4001}, {"code": 4001}),
        ({"code": 4001, "reason": "full"}, {"code": 4001, "reason": "full"}),
    ],
)
async def test_closing(layer, consumer, message, close):
    browser = opened(consumer)
    await browser.connect()
    await layer.group_send("chat", {"type": "chat.close"} | message)
    assert await browser.receive_output() == {"type": "websocket.close"} | close
    await browser.disconnect()


@BOTH
@pytest.mark.parametrize(("close", "code"), [(True, {}), (4002, {"code": 4002})])
async def test_sending_and_closing(layer, consumer, close, code):
    browser = opened(consumer)
    await browser.connect()
    await layer.group_send("chat", {"type": "chat.last", "close": close})
    assert await browser.receive_from() == "bye"
    assert await browser.receive_output() == {"type": "websocket.close"} | code
    await browser.disconnect()


@BOTH
async def test_sending_nothing_is_an_error_and_text_wins(layer, consumer):
    async def both(self, event):
        await self.send(text_data="text", bytes_data=b"bytes")

    def both_sync(self, event):
        self.send(text_data="text", bytes_data=b"bytes")

    browser = opened(derived(consumer, chat_both=(both, both_sync)))
    await browser.connect()
    await layer.group_send("chat", {"type": "chat.nothing"})
    await layer.group_send("chat", {"type": "chat.both"})
    assert await browser.receive_from() == "text"
    assert kinds() == ["handler-failed"]
    assert "neither text_data nor bytes_data" in diagnoses.recent()[0].sentence
    await browser.disconnect()


@BOTH
@pytest.mark.parametrize("way", ["close", "DenyConnection"])
async def test_a_connection_is_refused(consumer, way):
    async def refuse(self):
        if way == "close":
            await self.close(4003)
        else:
            raise DenyConnection

    def refuse_sync(self):
        if way == "close":
            self.close(4003)
        else:
            raise DenyConnection

    browser = opened(derived(consumer, connect=(refuse, refuse_sync)))
    assert await browser.connect() == (False, 4003 if way == "close" else 1000)
    await browser.disconnect()
    assert diagnoses.recent() == []


@BOTH
async def test_a_connection_is_accepted_by_raising(consumer):
    async def accept(self):
        raise AcceptConnection

    def accept_sync(self):
        raise AcceptConnection

    browser = opened(derived(consumer, connect=(accept, accept_sync)))
    assert await browser.connect() == (True, None)
    await browser.disconnect()


@BOTH
async def test_subprotocol_and_headers(consumer):
    async def choose(self):
        await self.accept(self.scope["subprotocols"][1], headers=[(b"x-a", b"1")])

    def choose_sync(self):
        self.accept(self.scope["subprotocols"][1], headers=[(b"x-a", b"1")])

    own = derived(consumer, connect=(choose, choose_sync))
    browser = opened(own, subprotocols=["v1", "v2"])
    assert await browser.connect() == (True, "v2")
    assert browser.response_headers == [(b"x-a", b"1")]
    await browser.disconnect()


@BOTH
async def test_disconnect_gets_the_code(consumer):
    codes = []

    async def note(self, code):
        codes.append(code)

    def note_sync(self, code):
        codes.append(code)

    browser = opened(derived(consumer, disconnect=(note, note_sync)))
    await browser.connect()
    await browser.disconnect(code=4009)
    assert codes == [4009]


@BOTH
@pytest.mark.parametrize("place", ["connect", "receive"])
async def test_a_failure_closes_with_1011_and_still_calls_disconnect(layer, consumer, place):
    codes = []

    async def fail(self, **data):
        raise ValueError("broken")

    def fail_sync(self, **data):
        raise ValueError("broken")

    async def note(self, code):
        codes.append(code)

    def note_sync(self, code):
        codes.append(code)

    own = derived(consumer, **{place: (fail, fail_sync)}, disconnect=(note, note_sync))
    browser = opened(own)
    if place == "receive":
        assert await browser.connect() == (True, None)
        await browser.send_to(text_data="x")
    else:
        await browser.send_input({"type": "websocket.connect"})
    assert await browser.receive_output() == {"type": "websocket.close", "code": 1011}
    with pytest.raises(ValueError, match="broken"):
        await browser.wait()
    assert codes == [1011]
    assert kinds() == ["handler-failed"]
    assert await layer.group_channels("chat") == []
    assert (await layer.names())["channels"] == []


@BOTH
async def test_a_layer_that_fails_at_the_end_does_not_keep_disconnect_from_running(
    layer, consumer, monkeypatch
):
    codes = []

    async def note(self, code):
        codes.append(code)

    def note_sync(self, code):
        codes.append(code)

    async def fail(group, channel):
        raise ConnectionError("gone")

    browser = opened(derived(consumer, disconnect=(note, note_sync)))
    await browser.connect()
    monkeypatch.setattr(layer, "group_discard", fail)
    with pytest.raises(ConnectionError):
        await browser.disconnect()
    assert codes == [1000]
    assert kinds() == ["handler-failed"]


@BOTH
async def test_the_layer_cannot_call_what_is_ours(layer, consumer):
    browser = opened(consumer)
    await browser.connect()
    for sent in ("close", "send", "accept", "receive", "connect", "disconnect", "groups",
                 "websocket.disconnect", "websocket.receive", "websocket.connect"):  # fmt: skip
        await layer.group_send("chat", {"type": sent, "text": "x"})
    await layer.group_send("chat", {"type": "chat.message", "text": "alive"})
    assert await browser.receive_from() == "alive"
    assert kinds() == ["not-reachable"] * 10
    await browser.disconnect()


@pytest.mark.parametrize("consumer", [AsyncWebsocketConsumer, WebsocketConsumer])
async def test_without_any_override(consumer):
    browser = opened(consumer)
    assert await browser.connect() == (True, None)
    await browser.send_to(text_data="x")
    assert await browser.receive_nothing(0.02)
    await browser.disconnect()
    assert diagnoses.recent() == []


@BOTH
async def test_groups_without_a_layer(consumer):
    own = type("Own", (consumer,), {"channel_layer_alias": None})
    browser = opened(own)
    with pytest.raises(InvalidChannelLayerError, match="alias is None"):
        await browser.connect()
    assert kinds() == ["handler-failed"]


async def test_groups_that_are_a_str():
    class Own(AsyncWebsocketConsumer):
        groups = "chat"

    with pytest.raises(TypeError, match=r"write groups = \['chat'\]"):
        Own()


async def test_groups_are_a_list_in_every_instance():
    assert AsyncWebsocketConsumer().groups == []
    assert WebsocketConsumer().groups == []
    assert Echo().groups == ["chat"]


# Colours of the methods that one overrides.


async def test_a_plain_connect_on_an_async_consumer(layer):
    class Own(AsyncWebsocketConsumer):
        def connect(self):
            pass

        async def receive(self, text_data=None, bytes_data=None):
            await self.accept()

    browser = opened(Own)
    await browser.send_input({"type": "websocket.connect"})
    await browser.send_to(text_data="x")
    assert await browser.receive_output() == ACCEPT
    assert kinds() == ["wrong-colour"]
    assert "Own.connect is a plain def" in diagnoses.recent()[0].sentence
    browser.stop()


async def test_an_async_connect_on_a_synchronous_consumer(layer):
    class Own(WebsocketConsumer):
        async def connect(self):
            await self.channel_layer.group_add("index", self.channel_name)
            await self.accept()

    browser = opened(Own)
    assert await browser.connect() == (True, None)
    assert len(await layer.group_channels("index")) == 1
    assert kinds() == ["wrong-colour"]
    assert "AsyncWebsocketConsumer" in diagnoses.recent()[0].sentence
    await browser.disconnect()


async def test_an_async_websocket_receive_on_a_synchronous_consumer():
    class Own(SyncEcho):
        async def websocket_receive(self, message):
            return super().websocket_receive(message)

    browser = opened(Own)
    await browser.connect()
    await browser.send_to(text_data="x")
    assert await browser.receive_from() == "x"
    assert kinds() == ["wrong-colour"]
    await browser.disconnect()


async def test_an_unawaited_accept_in_an_async_connect_is_awaited_if_it_is_returned():
    class Own(AsyncWebsocketConsumer):
        async def connect(self):
            return self.accept()

    browser = opened(Own)
    assert await browser.connect() == (True, None)
    assert kinds() == ["not-awaited"]
    await browser.disconnect()


async def test_synchronous_methods_run_on_a_thread_with_the_context_of_the_connection():
    seen = []

    class Own(WebsocketConsumer):
        def connect(self):
            seen.append(threading.current_thread())
            self.accept()

    browser = opened(Own)
    await browser.connect()
    assert seen[0] is not threading.current_thread()
    await browser.disconnect()


# JSON


class JsonEcho(AsyncJsonWebsocketConsumer):
    groups = ["chat"]

    async def receive_json(self, content):
        await self.send_json(content)

    async def chat_nan(self, event):
        await self.send_json({"y": float("nan")})

    async def chat_last(self, event):
        await self.send_json({"bye": True}, close=4001)


class SyncJsonEcho(JsonWebsocketConsumer):
    groups = ["chat"]

    def receive_json(self, content):
        self.send_json(content)

    def chat_nan(self, event):
        self.send_json({"y": float("nan")})

    def chat_last(self, event):
        self.send_json({"bye": True}, close=4001)


JSON = pytest.mark.parametrize("consumer", [JsonEcho, SyncJsonEcho])


@JSON
@pytest.mark.parametrize("content", [{"a": [1, None, "ü"]}, [], 5, None, "x"])
async def test_json_goes_there_and_back(consumer, content):
    browser = opened(consumer)
    await browser.connect()
    await browser.send_json_to(content)
    assert await browser.receive_json_from() == content
    await browser.disconnect()
    assert diagnoses.recent() == []


@JSON
@pytest.mark.parametrize("frame", [{"bytes_data": b"{}"}, {"text_data": ""}, {"text_data": "{"}])
async def test_a_frame_that_is_no_json_ends_this_connection(consumer, frame):
    browser, other = opened(consumer), opened(consumer)
    await browser.connect()
    await other.connect()
    await browser.send_to(**frame)
    assert await browser.receive_output() == {"type": "websocket.close", "code": 1011}
    assert kinds() == ["handler-failed"]
    await other.send_json_to(1)
    assert await other.receive_json_from() == 1
    await other.disconnect()


@JSON
async def test_nan_is_an_error_here_and_not_in_the_browser(layer, consumer):
    browser = opened(consumer)
    await browser.connect()
    await layer.group_send("chat", {"type": "chat.nan"})
    await browser.send_json_to("next")
    assert await browser.receive_json_from() == "next"
    assert "send None instead" in diagnoses.recent()[0].sentence
    await browser.disconnect()


@JSON
async def test_json_and_close(layer, consumer):
    browser = opened(consumer)
    await browser.connect()
    await layer.group_send("chat", {"type": "chat.last"})
    assert await browser.receive_json_from() == {"bye": True}
    assert await browser.receive_output() == {"type": "websocket.close", "code": 4001}
    await browser.disconnect()


async def test_another_encoding_in_an_async_consumer():
    class Own(JsonEcho):
        @classmethod
        async def encode_json(cls, content):
            return "!" + json.dumps(content)

        @classmethod
        async def decode_json(cls, text_data):
            return json.loads(text_data[1:])

    browser = opened(Own)
    await browser.connect()
    await browser.send_to(text_data='!{"a": 1}')
    assert await browser.receive_from() == '!{"a": 1}'
    await browser.disconnect()
    assert diagnoses.recent() == []


async def test_another_encoding_in_a_synchronous_consumer():
    class Own(SyncJsonEcho):
        @classmethod
        def encode_json(cls, content):
            return "!" + json.dumps(content)

        @classmethod
        def decode_json(cls, text_data):
            return json.loads(text_data[1:])

    browser = opened(Own)
    await browser.connect()
    await browser.send_to(text_data='!{"a": 1}')
    assert await browser.receive_from() == '!{"a": 1}'
    await browser.disconnect()
    assert diagnoses.recent() == []


@JSON
async def test_receive_takes_the_keywords_that_a_subclass_passes(consumer):
    async def receive(self, text_data=None, bytes_data=None):
        await super(own, self).receive(text_data, bytes_data, extra=5)

    def receive_sync(self, text_data=None, bytes_data=None):
        super(own, self).receive(text_data, bytes_data, extra=5)

    async def receive_json(self, content, extra):
        await self.send_json([content, extra])

    def receive_json_sync(self, content, extra):
        self.send_json([content, extra])

    own = derived(
        consumer,
        receive=(receive, receive_sync),
        receive_json=(receive_json, receive_json_sync),
    )
    browser = opened(own)
    await browser.connect()
    await browser.send_json_to(1)
    assert await browser.receive_json_from() == [1, 5]
    await browser.disconnect()
