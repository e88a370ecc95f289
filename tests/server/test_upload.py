"""The rest of a large body, without HTTP."""

import asyncio
import logging

import pytest

from nbchannels.exceptions import ChannelFull
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.server import upload as module
from nbchannels.server.exchange import Exchange
from nbchannels.server.upload import WINDOW, Upload
from tests.server.answering import Router

pytestmark = pytest.mark.asyncio


@pytest.fixture
def layer():
    return InMemoryChannelLayer()


@pytest.fixture
def make(layer):
    def made(patience=10):
        return Upload(layer, patience), Exchange(layer, Router(layer), "http.response")

    return made


async def waiting(layer, upload):
    return (await layer.channel_statistics(upload.channel))["waiting"]


async def test_chunks(layer, make):
    upload, exchange = make()
    await upload.send(b"a", True, exchange)
    await upload.send(b"b", False, exchange)
    assert [await layer.receive(upload.channel) for _ in range(2)] == [
        {"content": b"a", "closed": False, "more_content": True},
        {"content": b"b", "closed": False, "more_content": False},
    ]
    await exchange.close()


async def test_it_waits_for_room(layer, make):
    upload, exchange = make()
    for _ in range(WINDOW):
        await upload.send(b"a", True, exchange)
    fifth = asyncio.ensure_future(upload.send(b"b", True, exchange))
    await asyncio.sleep(0.05)
    assert not fifth.done()
    assert await waiting(layer, upload) == WINDOW
    told = upload.told
    await layer.receive(upload.channel)
    async with asyncio.timeout(5):
        await fifth
    assert upload.told > told
    assert await waiting(layer, upload) == WINDOW
    await exchange.close()


async def test_no_room_in_time(make):
    upload, exchange = make(patience=0.05)
    for _ in range(WINDOW):
        await upload.send(b"a", True, exchange)
    with pytest.raises(TimeoutError):
        await upload.send(b"b", True, exchange)
    await exchange.close()


@pytest.mark.parametrize("how", ["reply", "leave"])
async def test_who_has_answered_or_gone_is_sent_nothing(layer, make, how):
    upload, exchange = make()
    for _ in range(WINDOW):
        await upload.send(b"a", True, exchange)
    fifth = asyncio.ensure_future(upload.send(b"b", True, exchange))
    await asyncio.sleep(0.01)
    if how == "reply":
        await layer.send(exchange.reply_channel, {"status": 200})
    else:
        exchange.leave()
    async with asyncio.timeout(5):
        await fifth
    assert await waiting(layer, upload) == WINDOW
    await exchange.close()


async def test_a_layer_that_is_full_is_tried_again(layer, make, monkeypatch):
    upload, exchange = make()
    submit, refusals = layer.submit, [ChannelFull(), ChannelFull()]

    def refusing(*args, **kwargs):
        if refusals:
            raise refusals.pop()
        return submit(*args, **kwargs)

    monkeypatch.setattr(layer, "submit", refusing)
    await upload.send(b"a", False, exchange)
    assert (await layer.receive(upload.channel))["content"] == b"a"
    assert refusals == []
    await exchange.close()


async def test_abort_is_told_and_the_channel_stays_to_be_read(layer, make, monkeypatch):
    monkeypatch.setattr(module, "LINGER", 0.03)
    upload, exchange = make()
    await upload.abort()
    await upload.abort()
    await upload.close()
    await upload.send(b"more", True, exchange)
    assert await waiting(layer, upload) == 1
    assert (await layer.receive(upload.channel))["closed"] is True
    await asyncio.sleep(0.1)
    assert upload.channel not in (await layer.names())["channels"]
    await exchange.close()


async def test_abort_where_there_is_no_room_is_logged(layer, make, monkeypatch, caplog):
    upload, exchange = make()

    def refuse(*args, **kwargs):
        raise ChannelFull(channel="x", capacity=1)

    monkeypatch.setattr(layer, "submit", refuse)
    with caplog.at_level(logging.WARNING, "nbchannels"):
        await upload.abort()
    assert "is not told" in caplog.text
    await exchange.close()


async def test_close_drops_what_waits(layer, make):
    upload, exchange = make()
    await upload.send(b"a", True, exchange)
    await upload.close()
    assert upload.channel not in (await layer.names())["channels"]
    await exchange.close()
