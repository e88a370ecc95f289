"""What every hosted layer has; what it may do later, and what not."""

import asyncio

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import InvalidChannelLayerError, LayerUnavailable, OutOfOrder
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.layers.producers import Producer
from nbchannels.layers.registry import Bounds
from nbchannels.receipt import Receipt
from tests.layers.distant import Distant

pytestmark = pytest.mark.asyncio

MESSAGE = Encoded(JSON, b"{}")


@pytest.fixture
def distant():
    found = Distant()
    yield found
    found.end()


async def outcome(future):
    return await asyncio.wait_for(asyncio.wrap_future(future), 10)


async def test_the_memory_layer_says_where_it_lives():
    layer = InMemoryChannelLayer(history=3)
    assert (layer.backend, layer.trouble) == ("memory", None)
    assert layer.bounds == Bounds()._replace(history=3)
    with pytest.raises(InvalidChannelLayerError, match="max_groups|groups"):
        InMemoryChannelLayer(max_groups=0)


async def test_process_local_channels_answer_at_once(distant):
    own = await distant.new_channel()
    assert isinstance(distant.submit("channel", own, MESSAGE), Receipt)
    assert (await outcome(distant.submit("channel", "work", MESSAGE))).offset == 1


async def test_what_was_refused_for_a_time_is_overtaken_by_nobody_of_its_producer(distant):
    ada, eve = Producer("ada", 1), Producer("eve", 1)
    distant.errors[b"{}"] = LayerUnavailable("just now")
    first = distant.submit("group", "index", MESSAGE, producer=ada)
    with pytest.raises(LayerUnavailable):
        await outcome(first)
    with pytest.raises(OutOfOrder, match="group 'index'"):
        distant.submit("group", "index", MESSAGE, producer=ada._replace(sequence=2))
    for free in (
        distant.submit("group", "index", MESSAGE, producer=eve),
        distant.submit("group", "other", MESSAGE, producer=ada),
        distant.submit("channel", "index", MESSAGE, producer=ada),
        distant.submit("group", "index", MESSAGE),
    ):
        await outcome(free)
    distant.refusal_told("group", "index", ada)
    again = distant.submit("group", "index", MESSAGE, producer=ada)
    assert not (await outcome(again)).duplicate


async def test_what_is_cancelled_is_sent_all_the_same(distant):
    distant.gate.clear()
    future = distant.submit("channel", "work", MESSAGE)
    future.cancel()
    distant.gate.set()
    assert await asyncio.wait_for(distant.receive("work"), 10) == {}


async def test_a_dead_letter_whose_resend_fails_later_stays(distant):
    distant.submit("channel", "work", MESSAGE)
    lease = await asyncio.wait_for(distant.lease("work"), 10)
    await distant.settle(lease, "fail", "broken")
    distant.errors[b"{}"] = LayerUnavailable("just now")
    with pytest.raises(LayerUnavailable):
        await distant.resend(1)
    assert await distant.channel_of_dead(1) == "work"
    assert (await distant.resend(1)).name == "work"
    assert await distant.dead(10) == []


async def test_what_is_held_can_be_bounded_later():
    layer = InMemoryChannelLayer()
    layer.keep(layer.bounds._replace(history=2))
    for n in range(3):
        await layer.group_send("index", {"n": n})
    assert (await layer.group_statistics("index"))["messages"] == 2
    with pytest.raises(InvalidChannelLayerError):
        layer.keep(layer.bounds._replace(history=0))
