"""Consumers of a layer in this process."""

import asyncio
import threading

import pytest

from nbchannels.bridge import user_bridge
from nbchannels.consuming import services_of
from nbchannels.encoding import JSON, Encoded
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.routes import Route
from nbchannels.service import Service

pytestmark = pytest.mark.asyncio
PATIENCE = 10.0


class Collected:
    """What a consumer got; `until` waits for so many."""

    def __init__(self):
        self.got = []
        self._more = threading.Condition()

    def __call__(self, message):
        with self._more:
            self.got.append((message.content, message.redelivered, message.retries))
            self._more.notify_all()

    async def until(self, count):
        def wait():
            with self._more:
                assert self._more.wait_for(lambda: len(self.got) >= count, PATIENCE)

        await asyncio.to_thread(wait)
        return self.got


async def serve(layer, channel, consumer, **options):
    service = Service(Route(channel, consumer), consumer, **options)
    await services_of(layer).add(service)
    return service


async def test_messages_come_one_at_a_time_in_order():
    layer, got = InMemoryChannelLayer(), Collected()
    await layer.send("work", {"n": 0})
    await serve(layer, "work", got)
    for n in range(1, 20):
        await layer.send("work", {"n": n})
    assert [content["n"] for content, *_ in await got.until(20)] == list(range(20))
    await services_of(layer).remove()


async def test_what_ended_gets_nothing_more():
    layer, got = InMemoryChannelLayer(), Collected()
    await serve(layer, "work", got)
    await services_of(layer).remove("work")
    await layer.send("work", {"n": 1})
    assert (await layer.channel_statistics("work"))["waiting"] == 1
    assert got.got == []


async def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_next_is_served():
    layer, got = InMemoryChannelLayer(), Collected()
    layer.submit("channel", "work", Encoded(JSON, b"{"))
    await layer.send("work", {"n": 1})
    await serve(layer, "work", got)
    await got.until(1)
    (dead,) = await layer.dead_letters()
    assert dead["reason"] == "failed"
    assert "unreadable" in dead["content"]
    await services_of(layer).remove()


async def test_it_is_described_as_a_kernels_consumer_is():
    layer, got = InMemoryChannelLayer(), Collected()
    await serve(layer, "work", got)
    (scout,) = layer.enlisted()
    told = scout.describe()
    assert (told["channel"], told["where"], told["connected"]) == ("work", "server", True)
    assert told["function"] == "Collected"
    await services_of(layer).remove()
    assert layer.enlisted() == []


async def test_the_consumer_runs_beside_this_loop():
    layer, here = InMemoryChannelLayer(), threading.get_ident()
    threads = []

    async def where(message):
        threads.append(threading.get_ident())
        return {"done": True}

    await serve(layer, "where", where, on="thread", reply=True)
    name = await layer.new_channel()
    await layer.send("where", {"reply_channel": name})
    assert await layer.receive(name) == {"done": True}
    assert threads != [here]
    await services_of(layer).remove()
    assert user_bridge.loop.is_running()


async def test_it_wants_one_message_when_it_has_none():
    layer, begun, go = InMemoryChannelLayer(), asyncio.Event(), threading.Event()
    heard, loop = asyncio.Queue(), asyncio.get_running_loop()
    layer.wants_more = lambda scout: loop.call_soon_threadsafe(heard.put_nowait, scout.wants)

    def work(message):
        loop.call_soon_threadsafe(begun.set)
        assert go.wait(PATIENCE)

    await serve(layer, "work", work)
    (scout,) = layer.enlisted()
    assert scout.wants == 1
    await layer.send("work", {})
    await asyncio.wait_for(begun.wait(), PATIENCE)
    assert scout.wants == 0
    go.set()
    assert await asyncio.wait_for(heard.get(), PATIENCE) == 1
    await services_of(layer).remove()
    assert scout.wants == 0
