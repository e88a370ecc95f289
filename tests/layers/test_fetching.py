"""Fetched is what somebody here wants; elsewhere is Channels' own layer in memory."""

import asyncio

import pytest
import pytest_asyncio
from channels.layers import InMemoryChannelLayer

from nbchannels.bridge import bridge
from nbchannels.diagnoses import diagnoses
from nbchannels.layers.foreign import ForeignChannelLayer
from tests.layers.scouting import FakeScout

pytestmark = pytest.mark.asyncio

PATIENCE = 20


@pytest_asyncio.fixture
async def layer():
    found = ForeignChannelLayer(InMemoryChannelLayer(capacity=10))
    yield found
    await found.close()


async def elsewhere(layer, channel, *messages):
    """Somebody else sends."""
    for message in messages:
        await asyncio.wrap_future(bridge.start(layer.inner.send(channel, message)))


def waiting(layer, channel):
    """How many wait elsewhere."""
    queue = layer.inner.channels.get(channel)
    return 0 if queue is None else queue.qsize()


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def test_one_that_receives_gets_one_and_the_rest_stays_there(layer):
    await elsewhere(layer, "work", {"n": 1}, {"n": 2}, {"n": 3})
    assert await asyncio.wait_for(layer.receive("work"), PATIENCE) == {"n": 1}
    assert waiting(layer, "work") == 2
    lease = await asyncio.wait_for(layer.lease("work"), PATIENCE)
    await layer.settle(lease, "return")  # it is here now, and in front
    assert await asyncio.wait_for(layer.receive("work"), PATIENCE) == {"n": 2}
    assert await asyncio.wait_for(layer.receive("work"), PATIENCE) == {"n": 3}


async def test_a_scout_that_wants_more_says_so(layer):
    scout = FakeScout("work")
    scout.wants = 0
    layer.enlist(scout)
    await elsewhere(layer, "work", {"n": 1}, {"n": 2})
    scout.wants = 1
    layer.wants_more(scout)
    await until(lambda: scout.news == ["work"])
    assert waiting(layer, "work") == 1
    layer.dismiss(scout)
    await until(lambda: "work" not in layer._pulls)


async def test_what_no_filter_here_takes_holds_nothing_up(layer):
    scout = FakeScout("work", ("kind", "^x$"))
    layer.enlist(scout)
    await elsewhere(layer, "work", {"kind": "y"}, {"kind": "x"})
    await until(lambda: scout.news)
    assert layer.take_for(scout, "work")[0] is None
    await until(lambda: len(scout.news) == 2)
    letter, _ = layer.take_for(scout, "work")
    assert letter.encoded.body == b'{"kind":"x"}'
    layer.dismiss(scout)


async def test_a_glob_has_the_channels_that_are_sent_to_from_here(layer):
    scout = FakeScout("sensor.*")
    layer.enlist(scout)
    assert [d for d in diagnoses.recent() if d.kind == "glob" and d.subject == "sensor.*"]
    await layer.send("sensor.a", {"n": 1})
    await until(lambda: scout.news == ["sensor.a"])
    layer.take_for(scout, "sensor.a")
    await elsewhere(layer, "sensor.a", {"n": 2})
    await until(lambda: len(scout.news) == 2)
    layer.dismiss(scout)


async def test_what_was_fetched_and_not_worked_on_is_reported_at_the_end():
    layer = ForeignChannelLayer(InMemoryChannelLayer())
    scout = FakeScout("report")
    layer.enlist(scout)
    await elsewhere(layer, "report", {"n": 1})
    await until(lambda: scout.news)
    await layer.close()
    (told,) = [d for d in diagnoses.recent() if d.kind == "lost" and d.subject == "report"]
    assert told.sentence.startswith("1 message(s) of channel 'report' are lost")
