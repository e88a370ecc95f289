"""What a receipt says when nobody got a message."""

import secrets
import time

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.layers.bindings import Binding
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.layers.registry import Bounds, Registry
from tests.layers.scouting import FakeScout


@pytest.fixture
def state() -> Registry:
    return Registry(lambda name: 5, lambda name: 60.0, secrets.randbits, Bounds(), 100.0)


MESSAGE = Encoded(JSON, b"{}")


def group_hint(state, name):
    return state.append(name, MESSAGE, 0.0).receipt.hint


def channel_hint(state, name):
    return state.put(name, MESSAGE, 0.0).receipt.hint


def test_a_group_whose_name_is_a_channel_with_a_consumer(state):
    state.scouts.add(FakeScout("work"))
    assert group_hint(state, "work") == (
        "no one listens to group 'work'; a channel of that name has receivers: Channel('work').send"
    )


def test_a_group_whose_name_is_a_channel_with_a_receiver(state):
    state.mailbox("work").waiters.append(object())
    assert "a channel of that name has receivers" in group_hint(state, "work")


def test_a_mistyped_group(state):
    state.group("index", 0.0).members["a"] = state.mailbox("a")
    assert group_hint(state, "idnex") == ("no one listens to group 'idnex'; did you mean 'index'?")
    assert group_hint(state, "nothing.like.it") == "no one listens to group 'nothing.like.it' yet"


def test_a_mistyped_channel_with_a_receiver_or_a_consumer(state):
    state.mailbox("images").waiters.append(object())
    state.scouts.add(FakeScout("sensors"))
    assert channel_hint(state, "imagse").endswith("did you mean 'images'?")
    assert channel_hint(state, "sensor").endswith("did you mean 'sensors'?")


def test_nobody_is_told_the_names_of_reply_channels(state):
    state.mailbox("specific.abcdef!abcdef").waiters.append(object())
    assert "did you mean" not in channel_hint(state, "specific.abcdef!abcdeg")


def test_a_channel_whose_name_is_a_group(state):
    group = state.group("index", 0.0)
    group.members["a"] = state.mailbox("a")
    assert channel_hint(state, "index").endswith(
        "a group of that name has 1 subscriber: Group('index').send"
    )
    group.members["b"] = state.mailbox("b")
    assert "has 2 subscribers" in channel_hint(state, "index")


def test_a_consumer_or_a_recent_receiver_is_somebody(state):
    state.scouts.add(FakeScout("work"))
    assert channel_hint(state, "work") is None
    assert state.put("work", MESSAGE, 0.0).receipt.members == 1


@pytest.mark.asyncio
async def test_who_received_a_moment_ago_counts_although_the_channel_was_empty():
    layer = InMemoryChannelLayer()
    await layer.send("work", {"n": 1})
    await layer.receive("work")
    assert "work" not in layer._registry.mailboxes, "it is forgotten"
    assert (await layer.send("work", {"n": 2})).hint is None
    assert (await layer.send("other", {"n": 2})).hint is not None


def test_with_many_names_a_hint_stays_cheap(state):
    for n in range(20_000):
        state.mailbox(f"some.channel.{n}")
    begun = time.perf_counter()
    for n in range(20):
        assert channel_hint(state, f"nobody.{n}").startswith("no one receives")
    assert time.perf_counter() - begun < 10


def test_a_glob_counts_for_the_names_that_it_means(state):
    state.scouts.add(FakeScout("sensor.*"))
    assert state.put("sensor.a", MESSAGE, 0.0).receipt.hint is None
    assert state.put("sensors", MESSAGE, 0.0).receipt.members == 0
    assert Binding("sensor.*").serves("sensor.a")
