"""The site of tests/article.py in this process: what its author could not see, is seen."""

import asyncio

import pytest
import pytest_asyncio

from nbchannels import Group
from nbchannels.diagnoses import diagnoses
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.testing import HttpCommunicator, WebsocketCommunicator
from tests.article import AsyncChatConsumer, ChatConsumer, Echoing, article, chat, post

pytestmark = pytest.mark.asyncio

HOST = [(b"host", b"testserver"), (b"origin", b"http://testserver")]


@pytest.fixture
def layer():
    layer = InMemoryChannelLayer()
    old = channel_layers.set("default", layer)
    diagnoses.clear()
    yield layer
    channel_layers.set("default", old)
    diagnoses.clear()


@pytest_asyncio.fixture
async def browse(layer):
    """``await browse(application, path)``: a browser that is connected."""
    opened = []

    async def browse(application, path):
        browser = WebsocketCommunicator(application, path, headers=HOST)
        opened.append(browser)
        assert await browser.connect() == (True, None)
        return browser

    yield browse
    for browser in opened:
        await browser.disconnect()


async def members(group, count):
    """Wait until the group has so many: a consumer may accept before it joins."""
    async with asyncio.timeout(5):
        while len(await Group(group).achannels()) != count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)


async def test_the_post_reaches_the_browser(browse, layer):
    browser = await browse(article, "/index/")
    await members("index", 1)
    answer = await HttpCommunicator(article, "POST", "/ingest/").get_response()
    assert answer["status"] == 200
    event = await browser.receive_json_from()
    assert event["type"] == "websocket.ingest"
    assert len(event["text"]) == 7
    assert set(event["text"]) <= set(range(1, 11))
    assert diagnoses.recent() == []


async def test_the_line_is_plain_python(browse, layer):
    browser = await browse(article, "/index/")
    await members("index", 1)
    here = post()  # on the thread of this running loop
    beside = await asyncio.to_thread(post)
    assert (await browser.receive_json_from())["text"] == here
    assert (await browser.receive_json_from())["text"] == beside


async def test_all_browsers_see_it_and_who_left_does_not(browse, layer, capsys):
    first, second = await browse(article, "/index/"), await browse(article, "/index/")
    gone = WebsocketCommunicator(article, "/index/")
    await gone.connect()
    await members("index", 3)
    await gone.disconnect()
    assert capsys.readouterr().out.startswith("removed specific.")
    assert len(await Group("index").achannels()) == 2
    text = await asyncio.to_thread(post)
    for browser in (first, second):
        assert (await browser.receive_json_from())["text"] == text


async def test_what_it_does_not_await_is_awaited_and_told(browse, layer):
    browser = await browse(Echoing, "/echo/index/")
    await browser.send_json_to({"frame": 1})
    assert await browser.receive_json_from() == {"echo": {"frame": 1}}
    (told,) = diagnoses.recent()
    assert told.kind == "not-awaited"
    assert "Echoing.websocket_receive returned a coroutine that it did not await" in told.sentence


async def test_the_synchronous_consumer_works_too(browse, layer):
    browser = await browse(chat, "/sync/index/")
    await members("index", 1)
    text = await asyncio.to_thread(post)
    event = await browser.receive_json_from()
    assert event == {"type": "websocket.ingest", "text": text}
    await browser.send_json_to({"frame": 1})
    assert await browser.receive_json_from() == {"echo": {"frame": 1}}
    assert diagnoses.recent() == []


async def test_a_mistyped_type_is_told(browse, layer):
    browser = await browse(article, "/index/")
    await members("index", 1)
    await layer.group_send("index", {"type": "websocket.ingset", "text": []})
    await layer.group_send("index", {"type": "websocket.ingest", "text": [1]})
    assert (await browser.receive_json_from())["text"] == [1]
    (told,) = diagnoses.recent()
    assert told.kind == "no-handler"
    assert "did you mean type 'websocket.ingest'" in told.sentence


@pytest.mark.parametrize("path", ["chat", "async_chat"])
async def test_the_chat(browse, layer, path):
    first, second = [await browse(chat, f"/ws/{path}/lobby/") for _ in range(2)]
    elsewhere = await browse(chat, f"/ws/{path}/kitchen/")
    await first.send_json_to({"message": "hello"})
    for browser in (first, second):
        assert await browser.receive_json_from() == {"message": "hello"}
    assert await elsewhere.receive_nothing(timeout=0.05)
    assert diagnoses.recent() == []


@pytest.mark.parametrize("consumer", [ChatConsumer, AsyncChatConsumer])
async def test_the_chats_rooms_are_left(layer, consumer):
    name = {ChatConsumer: "chat", AsyncChatConsumer: "async_chat"}[consumer]
    browser = WebsocketCommunicator(chat, f"/ws/{name}/lobby/", headers=HOST)
    await browser.connect()
    assert len(await Group("chat_lobby").achannels()) == 1
    await browser.disconnect()
    assert await Group("chat_lobby").achannels() == []


async def test_the_chat_refuses_pages_from_elsewhere(layer):
    browser = WebsocketCommunicator(
        chat, "/ws/chat/lobby/", headers=[(b"host", b"testserver"), (b"origin", b"http://evil")]
    )
    assert await browser.connect() == (False, 1000)
