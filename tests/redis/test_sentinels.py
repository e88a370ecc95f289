"""A failover really happens, and one that loses really loses."""

import pytest
import redis
from redis.sentinel import Sentinel

pytestmark = pytest.mark.slow


def discovered(sentinels):
    finder = Sentinel(sentinels.addresses, socket_timeout=5)
    try:
        return finder.discover_master(sentinels.name)[1]
    finally:
        for client in finder.sentinels:
            client.close()


def test_redis_py_finds_the_primary(sentinels):
    assert discovered(sentinels) == sentinels.primary.port
    assert len(sentinels.replicas) == 2
    with sentinels.replicas[0].client() as client, pytest.raises(redis.exceptions.ReadOnlyError):
        client.set("key", 1)


@pytest.mark.long
def test_an_orderly_failover_keeps_what_was_replicated(sentinels):
    old = sentinels.primary
    old.run("SET", "kept", 1)
    sentinels.wait_for_replicas()
    new = sentinels.failover()
    assert new is not old
    assert discovered(sentinels) == new.port
    assert "kept" in new.keys()


def test_a_failover_loses_what_was_not_replicated(sentinels):
    with sentinels.losing() as primary:
        assert primary.run("SET", "lost", 1)  # acknowledged
    assert not primary.is_running
    assert sentinels.primary is not primary
    assert "lost" not in sentinels.primary.keys()
    assert sentinels.primary.run("SET", "after", 1)


def test_the_next_test_gets_them_whole_again(sentinels):
    assert all(server.is_running for server in sentinels.servers)
    assert sentinels.primary.keys() <= {"nbchannels.replicated"}
