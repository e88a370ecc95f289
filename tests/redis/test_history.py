"""A history is written as a layer is used, and the checker takes it as it is."""

import pytest

from nbchannels.exceptions import ChannelFull
from nbchannels.layers.cursor import Anchor
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.protocol.events import Position
from nbchannels.testing.reading import drain
from tests.redis.checker import check
from tests.redis.history import History, identity


@pytest.fixture
def layer():
    return InMemoryChannelLayer(capacity=3, history=5)


async def sent_to(layer, history, group, count):
    """The last acknowledged offset."""
    for _ in range(count):
        sent = history.send("p", group)
        receipt = await layer.group_send(group, sent.message)
        sent.acknowledged(receipt)
    return receipt.offset


@pytest.mark.asyncio
async def test_a_group_of_a_real_layer(layer):
    history = History()
    cursors = [await layer.subscribe("orders") for _ in range(2)]
    readers = [history.subscriber(name, "orders") for name in "ab"]
    for cursor, seen in zip(cursors, readers, strict=True):
        seen.anchored(cursor.anchor)
    top = await sent_to(layer, history, "orders", 3)
    assert readers[0].take(await drain(cursors[0], top), layer.decode) == 3
    top = await sent_to(layer, history, "orders", 6)  # the second one falls behind the log
    for cursor, seen in zip(cursors, readers, strict=True):
        seen.take(await drain(cursor, top), layer.decode)
    await layer.clear("orders")
    top = await sent_to(layer, history, "orders", 1)
    for cursor, seen in zip(cursors, readers, strict=True):
        seen.take(await drain(cursor, top), layer.decode)
        cursor.close()
    check(history)
    happened = [(event.who, event.what) for event in history.events]
    assert happened.count(("b", "gap")) == 1
    assert happened.count(("a", "anchored")) == 2


@pytest.mark.asyncio
async def test_a_channel_of_a_real_layer(layer):
    history = History()
    for _ in range(4):
        sent = history.send("p", "work")
        try:
            sent.acknowledged(await layer.send("work", sent.message))
        except ChannelFull as error:
            sent.raised(error)
    worker = history.worker("w", "work")
    for _ in range(3):
        lease = await layer.lease("work")
        worker.did(lease)
        await layer.settle(lease)
    check(history)
    assert [event.what for event in history.events].count("failed") == 1


def test_a_message_tells_which_it_is():
    history = History()
    assert identity(history.send("p", "orders").message) == ("p", 1)
    assert identity(history.send("p", "orders").message) == ("p", 2)
    assert identity(history.send("p", "other").message) == ("p", 1)
    assert identity(history.send("p", "orders", 1).message) == ("p", 1)


def test_an_event_is_one_line_that_tells_all():
    history = History()
    seen = history.subscriber("a", "orders")
    event = history.record(
        "acknowledged", "p", "orders", message=("p", 3), position=Position("e", 7, 9)
    )
    assert str(event).endswith("p acknowledged 3 of p in orders at e:7 (tag 9)")
    seen.anchored(Anchor("e", 3, 9, 8))
    assert str(history.events[-1]).endswith("a anchored in orders at e:3 (tag 9) recovered")
    seen.gap(4, 6, "trimmed")
    assert str(history.events[-1]).endswith(
        "a gap in orders from 4 to 6 in epoch e because: trimmed"
    )
