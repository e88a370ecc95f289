"""Rows of what is in a layer."""

import pytest

from nbchannels.layers import survey
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.names import PROBLEMS

pytestmark = pytest.mark.asyncio


async def test_rows():
    now = 100.0
    layer = InMemoryChannelLayer(clock=lambda: now)
    await layer.group_send("index", {"y": 1})
    await layer.send("work", {"n": 1})
    now = 103.0
    ((name, offset, messages, size, subscribers, members, last, epoch),) = survey.groups(layer)
    assert (name, offset, messages, subscribers, members, last) == ("index", 1, 1, 0, 0, 100.0)
    assert size > 0
    assert epoch
    (channel,) = survey.channels(layer)
    assert channel == ("work", 1, 7, 3.0, 100, 0, 1, 0, 0, 0)


async def test_totals_and_the_buried():
    layer = InMemoryChannelLayer()
    await layer.group_send("index", {"y": 1})
    await layer.send("work", {"n": 1})
    lease = await layer.lease("work")
    assert survey.totals(layer) == await layer.statistics()
    assert survey.totals(layer)["leased"] == 1
    assert survey.buried(layer) == (0, {})
    await layer.settle(lease, "fail", "ValueError: no")
    assert survey.totals(layer)["failed"] == 1
    assert survey.buried(layer) == (1, {"failed": 1})
    await layer.flush()
    assert survey.buried(layer) == (1, {"failed": 1})  # counted since the beginning


async def test_witnesses_are_told_names_and_no_contents():
    layer = InMemoryChannelLayer()
    told = []
    layer.witness = lambda what, data: told.append((what, data))
    await layer.send("work", {"secret": "s3cret"})
    await layer.settle(await layer.lease("work"), "fail", "ValueError: s3cret")
    await layer.clear("index")
    await layer.flush()
    assert told == [
        ("failed", {"channel": "work", "consumer": ""}),
        ("cleared", {"group": "index"}),
        ("flushed", {}),
    ]


async def test_what_the_host_says_itself_is_nobody_s_message():
    layer = InMemoryChannelLayer()
    seen: list[object] = []
    layer.observer = lambda *told: seen.append(told)
    await layer.group_send("index", {"y": 1})
    before = await layer.statistics()
    cursor = layer.cursor(PROBLEMS)
    layer.say(PROBLEMS, layer.encode({"dead": 1}))
    assert [record.sequence for record in cursor.take(10)] == [1]
    after = await layer.statistics()
    assert (after["group_sent"], after["groups"]) == (before["group_sent"], before["groups"])
    assert (after["group_sent"], after["groups"]) == (1, 1)
    assert [row[0] for row in survey.groups(layer)] == ["index"]
    assert (await layer.names())["groups"] == ["index"]
    assert len(seen) == 1
    cursor.close()


async def test_looking_begins_nothing():
    layer = InMemoryChannelLayer()
    assert not survey.has_history(layer, "index")
    assert not survey.is_heard(layer, "group", "index")
    assert not survey.is_heard(layer, "channel", "work")
    assert survey.memberships(layer, ["work"]) == set()
    assert await layer.names() == {"groups": [], "channels": []}
    await layer.group_add("index", "work")
    assert survey.is_heard(layer, "group", "index")
    assert survey.memberships(layer, ["work", "other"]) == {"index"}
    assert not survey.has_history(layer, "index")
    await layer.group_send("index", {"y": 1})
    assert survey.has_history(layer, "index")
    lease = await layer.lease("work")
    await layer.settle(lease, "fail", "ValueError: no")
    assert survey.given_up(layer) == (1, 1, 1)
    assert [dead.channel for dead in survey.dead_letters(layer)] == ["work"]
    await layer.discard(1)
    assert survey.given_up(layer) == (1, 0, 1)
