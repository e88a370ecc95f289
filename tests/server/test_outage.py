"""What clients are told, and get, of a layer that does not answer for a time; with Redis in
tests/redis/test_outage.py."""

import pytest

from nbchannels.exceptions import ChannelsError, LayerUnavailable
from nbchannels.layers.memory import InMemoryChannelLayer
from tests.server.rig import Rig, say, turn, until

pytestmark = pytest.mark.asyncio

AWAY = "Redis at redis://r:6379 does not answer"


class Distant(InMemoryChannelLayer):
    """A layer that can be away, and that can refuse."""

    refusal: ChannelsError | None = None
    asked = 0

    async def _require(self):
        self.asked += 1
        if self.trouble or self.refusal:
            raise self.refusal or LayerUnavailable(self.trouble)

    async def subscribe(self, group, start="now"):
        await self._require()
        return await super().subscribe(group, start)

    async def group_add(self, group, channel):
        await self._require()
        await super().group_add(group, channel)


@pytest.fixture
def rig():
    return Rig(Distant())


async def test_everyone_is_told_once_when_it_begins_and_when_it_ends(rig):
    _, one = await rig.connect("1")
    _, two = await rig.connect("2")
    rig.hub.outage.look()
    assert one.controls("layer") == two.controls("layer") == []
    rig.layer.trouble = AWAY
    for _ in range(3):
        rig.hub.outage.look()
    told = [{"op": "layer", "trouble": AWAY}]
    assert one.controls("layer") == two.controls("layer") == told
    rig.layer.trouble = None
    for _ in range(3):
        rig.hub.outage.look()
    assert one.controls("layer") == two.controls("layer") == [{"op": "layer", "trouble": None}]


async def test_who_comes_meanwhile_is_told(rig):
    rig.layer.trouble = AWAY
    _, transport = await rig.connect()  # with a welcome of before
    rig.hub.outage.look()
    assert transport.controls("layer") == [{"op": "layer", "trouble": AWAY}]


async def test_a_subscription_and_a_membership_wait_for_it(rig):
    rig.layer.trouble = AWAY
    wanted = {"group": "index", "mode": "log", "since": "now"}
    connection, transport = await rig.connect(
        subscriptions=[wanted], channels=["specific.a!b"], memberships=[["index", "specific.a!b"]]
    )
    await say(connection, op="subscribe", group="other")
    await say(connection, op="subscribe", group="unwanted")
    await say(connection, op="unsubscribe", group="unwanted")
    assert rig.layer.asked == 0  # it is known to be in vain
    ops = [item["op"] for item in transport.take()]
    assert ops == ["welcome", "unsubscribed"]
    rig.hub.outage.look()
    rig.layer.trouble = None
    rig.hub.outage.look()
    await until(lambda: len(connection.feeds) == 2)
    await turn()
    told = transport.controls("subscribed")
    assert sorted(control["group"] for control in told) == ["index", "other"]
    assert await rig.layer.group_channels("index") == ["specific.a!b"]
    assert rig.layer.asked == 3
    rig.hub.outage.look()
    await turn()
    assert rig.layer.asked == 3


async def test_it_may_be_away_again_before_it_is_known(rig):
    connection, transport = await rig.connect()
    rig.layer.refusal = LayerUnavailable("just now")
    await say(connection, op="subscribe", group="index")
    for _ in range(3):
        rig.hub.outage.look()
        await turn()
    rig.layer.refusal = None
    rig.hub.outage.look()
    await until(lambda: "index" in connection.feeds)
    assert len(transport.controls("subscribed")) == 1


async def test_a_refusal_that_stays_is_told(rig):
    connection, transport = await rig.connect()
    rig.layer.refusal = LayerUnavailable("NOPERM")
    await say(connection, op="subscribe", group="index")
    assert transport.controls("unsubscribed") == []
    tried = 0
    while not (told := transport.controls("unsubscribed")):
        tried += 1
        assert tried < 20
        rig.hub.outage.look()
        await turn()
    assert told[0]["error"]["message"] == "NOPERM"
    asked = rig.layer.asked
    rig.hub.outage.look()
    await turn()
    assert rig.layer.asked == asked


async def test_another_error_then_is_told_at_once(rig):
    connection, transport = await rig.connect()
    rig.layer.trouble = AWAY
    await say(connection, op="subscribe", group="index")
    rig.layer.trouble, rig.layer.refusal = None, ChannelsError("no")
    rig.hub.outage.look()
    await turn()
    (told,) = transport.controls("unsubscribed")
    assert told["error"]["message"] == "no"


async def test_who_has_gone_wishes_nothing(rig):
    connection, _ = await rig.connect()
    rig.layer.trouble = AWAY
    await say(connection, op="subscribe", group="index")
    connection.left()
    rig.layer.trouble = None
    rig.hub.outage.look()
    await turn()
    assert rig.layer.asked == 0
