"""A consumer of HTTP requests."""

import pytest

from nbchannels.diagnoses import diagnoses
from nbchannels.generic.http import AsyncHttpConsumer
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.testing.application import ApplicationCommunicator
from nbchannels.testing.http import HttpCommunicator

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def layer():
    layer = InMemoryChannelLayer()
    old = channel_layers.set("default", layer)
    diagnoses.clear()
    yield layer
    channel_layers.set("default", old)
    diagnoses.clear()


class Echo(AsyncHttpConsumer):
    ended: list

    async def handle(self, body):
        await self.send_response(
            201, body, headers={"Content-Type": "text/plain", b"X-Raw": b"\xff"}
        )

    async def disconnect(self):
        ended.append(type(self).__name__)


ended: list[str] = []


@pytest.fixture(autouse=True)
def forget():
    ended.clear()


async def test_a_request_gets_its_response(layer):
    response = await HttpCommunicator(Echo.as_asgi(), "POST", "/x", b"body").get_response()
    assert response == {
        "status": 201,
        "headers": [(b"Content-Type", b"text/plain"), (b"X-Raw", b"\xff")],
        "body": b"body",
    }
    assert ended == ["Echo"]
    assert diagnoses.recent() == []


async def test_nothing_is_left_behind(layer):
    communicator = HttpCommunicator(Echo.as_asgi(), "GET", "/")
    await communicator.get_response()
    await communicator.wait()
    assert (await layer.names())["channels"] == []


async def test_a_body_in_parts_is_collected():
    communicator = ApplicationCommunicator(Echo.as_asgi(), {"type": "http"})
    await communicator.send_input({"type": "http.request", "body": b"a", "more_body": True})
    await communicator.send_input({"type": "http.request", "more_body": True})
    await communicator.send_input({"type": "http.request", "body": b"b"})
    await communicator.receive_output()
    assert (await communicator.receive_output())["body"] == b"ab"
    await communicator.wait()


async def test_a_response_in_parts():
    class Stream(Echo):
        async def handle(self, body):
            await self.send_headers(headers=[(b"a", b"1"), (b"a", b"2")])
            await self.send_body(b"one ", more_body=True)
            await self.send_body(bytearray(b"two"))

    response = await HttpCommunicator(Stream.as_asgi(), "GET", "/").get_response()
    assert response == {"status": 200, "headers": [(b"a", b"1"), (b"a", b"2")], "body": b"one two"}


async def test_a_client_that_leaves_before_its_request_is_read():
    communicator = ApplicationCommunicator(Echo.as_asgi(), {"type": "http"})
    await communicator.send_input({"type": "http.request", "body": b"a", "more_body": True})
    await communicator.send_input({"type": "http.disconnect"})
    await communicator.wait()
    assert ended == ["Echo"]
    assert await communicator.receive_nothing(0.01)


async def test_a_handle_that_fails_is_told_and_the_server_gets_the_exception():
    class Own(Echo):
        async def handle(self, body):
            raise ValueError("no")

    communicator = HttpCommunicator(Own.as_asgi(), "GET", "/")
    with pytest.raises(ValueError, match="no"):
        await communicator.get_response()
    assert ended == ["Own"]
    assert [d.kind for d in diagnoses.recent()] == ["handler-failed"]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_handle_that_does_not_answer_is_told(begun):
    class Own(Echo):
        async def handle(self, body):
            if begun:
                await self.send_headers()
                await self.send_body(b"x", more_body=True)

    communicator = HttpCommunicator(Own.as_asgi(), "GET", "/")
    with pytest.raises(TimeoutError, match=r"has ended.*Own\.handle"):
        await communicator.get_response()
    assert [d.kind for d in diagnoses.recent()] == ["no-response"]
    assert ("before the end" in diagnoses.recent()[0].sentence) is begun


async def test_without_a_handle():
    communicator = HttpCommunicator(AsyncHttpConsumer.as_asgi(), "GET", "/")
    with pytest.raises(NotImplementedError, match="async def handle"):
        await communicator.get_response()


async def test_a_body_of_text_is_an_error():
    class Own(Echo):
        async def handle(self, body):
            await self.send_response(200, "text")

    communicator = HttpCommunicator(Own.as_asgi(), "GET", "/")
    await communicator.send_input({"type": "http.request"})
    with pytest.raises(TypeError, match="text"):
        await communicator.wait()


async def test_a_message_of_the_layer_reaches_it_while_the_body_comes(layer):
    class Own(Echo):
        async def http_request(self, message):
            await self.channel_layer.group_add("index", self.channel_name)
            await super().http_request(message)

        async def index_tick(self, event):
            await self.send({"type": "http.response.start", "status": 299, "headers": []})

    communicator = ApplicationCommunicator(Own.as_asgi(), {"type": "http"})
    await communicator.send_input({"type": "http.request", "body": b"", "more_body": True})
    assert await communicator.receive_nothing(0.02)
    for sent in ("http.request", "handle", "disconnect", "http.disconnect", "send.response"):
        await layer.group_send("index", {"type": sent})
    await layer.group_send("index", {"type": "index.tick"})
    assert (await communicator.receive_output())["status"] == 299
    assert [d.kind for d in diagnoses.recent()] == ["not-reachable"] * 5
    communicator.stop()
