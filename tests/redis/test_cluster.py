"""Slots really move while they are used, and a replica really takes the place of its primary."""

import pytest
import redis

from tests.redis.ports import LOOPBACK

pytestmark = pytest.mark.slow
TAG = "{orders}"


def test_a_client_of_the_cluster_finds_its_way(cluster):
    with redis.RedisCluster(LOOPBACK, cluster.nodes[0].port) as client:
        for n in range(20):
            client.set(f"key-{n}", n)
        assert [client.get(f"key-{n}") for n in range(20)] == [b"%d" % n for n in range(20)]
    assert len({cluster.owner(cluster.slot(f"key-{n}")).port for n in range(20)}) == 3


def test_a_slot_moves_with_its_keys_while_both_answer(cluster):
    slot = cluster.slot(TAG)
    source = cluster.owner(slot)
    for n in range(30):
        source.run("SET", f"{TAG}{n}", n)
    migration = cluster.migrate(slot)
    assert migration.source is source
    assert migration.move(10) == 10
    asked = 0
    for n in range(30):
        try:
            assert source.run("GET", f"{TAG}{n}") == str(n)
        except redis.exceptions.AskError:
            asked += 1
    assert asked == 10
    migration.finish()
    with pytest.raises(redis.exceptions.MovedError):
        source.run("GET", f"{TAG}1")
    with redis.RedisCluster(LOOPBACK, source.port) as client:
        assert [client.get(f"{TAG}{n}") for n in range(30)] == [b"%d" % n for n in range(30)]


def test_a_slot_that_was_left_on_its_way_is_put_back(cluster):
    slot = cluster.slot(TAG)
    source = cluster.migrate(slot).source
    with pytest.raises(redis.exceptions.AskError):
        source.run("GET", f"{TAG}absent")
    cluster.heal()
    assert source.run("GET", f"{TAG}absent") is None
    assert cluster.owner(slot) is source


@pytest.mark.long
def test_a_replica_takes_the_place_of_a_primary_that_dies(cluster):
    slot = cluster.slot(TAG)
    old = cluster.owner(slot)
    new = cluster.fail(slot)
    assert not old.is_running
    assert new is not old
    assert new.run("SET", f"{TAG}after", 1)


def test_an_orderly_failover(cluster):
    slot = cluster.slot(TAG)
    old = cluster.owner(slot)
    new = cluster.failover(slot)
    assert new is not old
    assert old.is_running
    assert new.run("SET", f"{TAG}after", 1)


def test_the_next_test_gets_it_whole_again(cluster):
    assert all(node.is_running for node in cluster.nodes)
    assert not any(node.keys() for node in cluster.primaries)
