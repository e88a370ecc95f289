import pytest

from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.layers.redis.topology import ways


@pytest.mark.parametrize(
    ("hosts", "where"),
    [
        (None, "redis://localhost:6379"),
        ("redis://host", "redis://host:6379"),
        (["redis://user:secret@host:7000/3"], "redis://host:7000/3"),
        (["rediss://:secret@host/1"], "rediss://host:6379/1"),
        (["unix:///tmp/socket?db=2&password=secret"], "unix:///tmp/socket"),
        ([("host", 7000)], "redis://host:7000"),
        ([{"address": ("host", 7000), "db": 4, "password": "secret"}], "redis://host:7000"),
        ([{"address": "redis://host:7000"}], "redis://host:7000"),
        (
            [{"sentinels": [("a", 1), ("b", 2)], "master_name": "main", "password": "secret"}],
            "sentinels of 'main'",
        ),
    ],
)
def test_where_redis_is(hosts, where):
    way = ways(hosts)
    assert way.where == where
    assert "secret" not in way.where


def test_what_a_url_says_is_said_to_the_connection():
    connection = ways(["redis://user:secret@host:7000/3"]).connect()
    assert (connection.host, connection.port, connection.db) == ("host", 7000, 3)
    assert (connection.username, connection.password) == ("user", "secret")
    assert connection.socket_connect_timeout == 2.0


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        ([], "it is a list of"),
        (3, "it is a list of"),
        (["redis://a", "redis://b"], "has 2 entries"),
        (["http://host"], "a URL begins with redis://"),
        (["redis://host:port"], "'host' whose port is no number"),
        ([{"adress": "redis://host"}], "it may have"),
        ([{"address": "redis://host", "no_such_option": 1}], "no_such_option"),
        ([{"sentinels": [("a", 1)]}], "master_name None"),
        ([{"sentinels": ["a"], "master_name": "main"}], "hosts has sentinels"),
        ([None], "it may have"),
    ],
)
def test_what_cannot_be_used_is_told_with_what_can(hosts, says):
    with pytest.raises(InvalidChannelLayerError, match=says):
        ways(hosts)


def test_no_password_is_told():
    with pytest.raises(InvalidChannelLayerError) as caught:
        ways(["http://:secret@host"])
    assert "secret" not in str(caught.value)
