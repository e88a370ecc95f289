"""The layer on a Redis Cluster whose primaries die, freeze, and hand slots to each other."""

import asyncio
import uuid

import pytest
import pytest_asyncio

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.redis import RedisChannelLayer
from tests.redis.onward import Traffic, eventually
from tests.redis.ports import LOOPBACK, Port

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.timeout(180)]

GROUPS = ["orders", "sensors", "index", "news", "jobs"]


@pytest_asyncio.fixture
async def new_layer(cluster):
    made = []
    prefix = f"t-{uuid.uuid4().hex[:8]}"

    def new(nodes=None, **options):
        nodes = nodes or cluster.addresses[:2]
        layer = RedisChannelLayer([{"cluster": nodes}], prefix=prefix, **options)
        made.append(layer)
        return layer

    yield new
    for layer in made:
        await layer.close()


def slot_of(cluster, layer, group):
    return cluster.slot(layer.backbone.keys.group(group, "log"))


def calm_slot(cluster, layer):
    return cluster.calmest([slot_of(cluster, layer, group) for group in GROUPS])


async def test_a_slot_moves_while_its_group_is_used(cluster, new_layer):
    sender, follower = new_layer(), new_layer()
    slot = slot_of(cluster, sender, "orders")
    async with Traffic(sender, follower, GROUPS).running() as traffic:
        await traffic.goes_on()
        migration = await asyncio.to_thread(cluster.migrate, slot)
        await asyncio.to_thread(migration.move, 1)
        await asyncio.to_thread(migration.finish)
        await traffic.goes_on(30)
        live = sender.backbone.keys.group("orders", "live")

        def is_heard_there():
            return migration.target.run("PUBSUB", "SHARDNUMSUB", live)[1] == 1

        await eventually(is_heard_there, "the follower listens at the new owner")
        await traffic.goes_on()
    assert traffic.refused == 0


async def test_while_a_slot_is_half_moved_senders_are_told_that_nothing_was_sent(
    cluster, new_layer
):
    layer = new_layer(patience=0.6)
    await layer.group_send("news", {"n": 1})
    migration = cluster.migrate(slot_of(cluster, layer, "news"))
    with pytest.raises(LayerUnavailable, match=r"(?i)refuses it for now.*nothing was sent"):
        await layer.group_send("news", {"n": 2})
    assert layer.trouble is None  # the other groups are well
    migration.finish()
    receipt = await layer.group_send("news", {"n": 3})
    assert receipt.offset == 2


@pytest.mark.long
async def test_a_primary_freezes(cluster, new_layer):
    sender, follower = new_layer(), new_layer()
    slot = calm_slot(cluster, sender)
    old = cluster.owner(slot)
    async with Traffic(sender, follower, GROUPS).running() as traffic:
        await traffic.goes_on()
        old.freeze()
        try:
            await traffic.goes_on(20)
        except AssertionError as error:
            nodes = {
                node.url: node.run("CLUSTER NODES") for node in cluster.nodes if node is not old
            }
            raise AssertionError(f"{old.url} is frozen; {nodes}\n{cluster.describe()}") from error
        finally:
            old.thaw()
        cluster.changed(old, cluster.owner(slot))
        await traffic.goes_on(20)


async def test_a_primary_dies_and_a_replica_takes_its_place(cluster, new_layer):
    sender, follower = new_layer(), new_layer()
    slot = calm_slot(cluster, sender)
    async with Traffic(sender, follower, GROUPS).running() as traffic:
        await traffic.goes_on()
        new = await asyncio.to_thread(cluster.fail, slot)
        await traffic.goes_on(20)
    assert new.keys(f"{sender.backbone.keys.prefix}:*")
    await eventually(lambda: sender.trouble is None, "all is well again")


async def test_an_orderly_failover(cluster, new_layer):
    sender, follower = new_layer(), new_layer()
    slot = calm_slot(cluster, sender)
    async with Traffic(sender, follower, GROUPS).running() as traffic:
        await traffic.goes_on()
        await asyncio.to_thread(cluster.failover, slot)
        await traffic.goes_on(20)


async def test_one_node_that_answers_is_enough(cluster, new_layer):
    port = Port()
    try:
        layer = new_layer([(LOOPBACK, port.number), cluster.addresses[4]])
        for group in GROUPS:
            receipt = await layer.group_send(group, {"n": 1})
            assert receipt.offset == 1
    finally:
        port.close()


async def test_nobody_answers(cluster, new_layer):
    port = Port()
    try:
        layer = RedisChannelLayer([{"cluster": [(LOOPBACK, port.number)]}], patience=0.6)
        with pytest.raises(LayerUnavailable, match=str(port.number)):
            await layer.group_send("orders", {"n": 1})
        assert str(port.number) in layer.trouble
        await layer.close()
    finally:
        port.close()
