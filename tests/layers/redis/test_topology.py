"""What `hosts` may say, and what is answered when it says something else."""

import pytest

from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.layers.redis.topology import ways


@pytest.mark.parametrize(
    ("hosts", "where"),
    [
        (None, "redis://localhost:6379"),
        ("redis://example:6380/2", "redis://example:6380/2"),
        (["redis://user:secret@example"], "redis://example:6379"),
        ([("example", 6380)], "redis://example:6380"),
        ([{"address": ("example", 6380), "password": "secret"}], "redis://example:6380"),
        ({"address": "rediss://:secret@example/0", "db": 3}, "rediss://example:6379/0"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock"),
        ([{"sentinels": [("a", 26379)], "master_name": "main"}], "sentinels of 'main'"),
        ([{"cluster": [("a", 7000), ("b", 7001)]}], "cluster of a:7000, b:7001"),
        ([{"cluster": [["a", 7000]], "ssl": True, "password": "secret"}], "cluster of a:7000"),
    ],
)
def test_what_it_may_say(hosts, where):
    way = ways(hosts)
    assert way.where == where
    assert "secret" not in way.where


def test_options_reach_the_connections():
    connection = ways([{"address": "redis://example", "username": "me", "db": 4}]).connect()
    assert (connection.host, connection.username, connection.db) == ("example", "me", 4)
    connection = ways([{"cluster": [("a", 7000)], "password": "secret"}]).connect()
    assert (connection.host, connection.port, connection.password) == ("a", 7000, "secret")


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ([], "it is a list of"),
        (5, "hosts is 5"),
        (["redis://a", "redis://b"], "2 entries.*Redis Cluster"),
        (["http://example"], "begins with redis://"),
        ([{"host": "example"}], "it may have"),
        ([{"address": "redis://example", "pasword": "x"}], "pasword"),
        ([{"sentinels": [("a", 1)]}], "master_name None"),
        ([{"sentinels": ["a"], "master_name": "main"}], "sentinels"),
        ([{"sentinels": [("a", 1)], "master_name": "main", "pasword": "x"}], "pasword"),
        ([{"cluster": []}], "it names no node"),
        ([{"cluster": ["redis://a"]}], "cluster"),
        ([{"cluster": [("a", 7000)], "pasword": "x"}], "pasword"),
        ([{"cluster": [("a", 7000)], "db": 1}], "database 0 only"),
    ],
)
def test_what_it_may_not_say(hosts, sentence):
    with pytest.raises(InvalidChannelLayerError, match=sentence):
        ways(hosts)


@pytest.mark.parametrize(
    "host",
    [
        "redis://user:secret@example/0?pasword=1",
        "http://user:secret@example/0",
        {"host": "example", "password": "secret"},
        {"address": "redis://:secret@example", "pasword": "secret"},
        {"sentinels": [("a", 1)], "master_name": "main", "pasword": "secret"},
        {"cluster": [("a", 1)], "password": "secret", "unknown": 1},
    ],
)
def test_passwords_are_not_shown(host):
    with pytest.raises(InvalidChannelLayerError) as caught:
        ways([host])
    assert "secret" not in str(caught.value)
