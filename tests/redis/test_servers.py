"""The servers can be had in every form, and every fault of theirs is seen to happen."""

import socket
import subprocess

import pytest
import redis

from tests.redis.ports import BUS, LOOPBACK, Port
from tests.redis.servers import HOW_TO_INSTALL, RedisServer, why_no_redis


def test_without_redis_the_tests_fail_with_what_to_install(tmp_path):
    path = {"PATH": str(tmp_path)}
    with pytest.raises(AssertionError) as caught:
        why_no_redis(path)
    assert str(caught.value) == HOW_TO_INSTALL
    assert "apt install redis-server" in HOW_TO_INSTALL
    reason = why_no_redis(path | {"NBCHANNELS_WITHOUT_REDIS": "1"})
    assert reason == "NBCHANNELS_WITHOUT_REDIS is set"
    for name in ("redis-server", "redis-cli"):
        (tmp_path / name).touch(mode=0o755)
    assert why_no_redis(path) is None


def test_a_port_is_nobody_elses():
    port = Port(bus=True)
    for number in (port.number, port.number + BUS):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, number))
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, number))
    port.close()
    with socket.socket() as other:
        other.bind((LOOPBACK, port.number))


def test_a_server_starts_empty_on_loopback_and_forgets_when_it_is_killed(redis_server):
    assert redis_server.keys() == set()
    assert redis_server.information("server")["redis_version"] >= "6"
    assert redis_server.run("CONFIG", "GET", "bind")["bind"] == LOOPBACK
    redis_server.run("SET", "key", 1)
    port = redis_server.port
    redis_server.kill()
    with pytest.raises(redis.ConnectionError):
        redis_server.run("PING")
    redis_server.start()
    assert redis_server.port == port
    assert redis_server.keys() == set()


def test_with_an_append_only_file_it_forgets_nothing(new_server):
    server = new_server(aof=True)
    server.run("SET", "key", 1)
    server.restart()
    assert server.keys() == {"key"}


def test_a_server_that_shuts_down_closes_its_connections(new_server):
    server = new_server()
    with server.client() as client:
        client.ping()
        server.shut_down()
        assert not server.is_running
        with pytest.raises(redis.ConnectionError):
            client.ping()


def test_a_frozen_server_is_silent_and_thaws(redis_server):
    redis_server.freeze()
    with (
        redis.Redis(LOOPBACK, redis_server.port, socket_timeout=0.1, retry=None) as client,
        pytest.raises(redis.TimeoutError),
    ):
        client.ping()
    redis_server.thaw()
    assert redis_server.run("PING")


def test_options_hold_for_a_start_or_for_ever(new_server):
    server = new_server(options={"maxmemory": "5mb", "maxmemory-policy": "noeviction"})
    assert server.run("CONFIG", "GET", "maxmemory")["maxmemory"] == str(5 << 20)
    server.kill()
    server.start(maxmemory="6mb", client_output_buffer_limit=("pubsub", "1mb", "1mb", 1))
    assert server.run("CONFIG", "GET", "maxmemory")["maxmemory"] == str(6 << 20)
    server.restart()
    assert server.run("CONFIG", "GET", "maxmemory")["maxmemory"] == str(5 << 20)


def test_a_unix_socket(redis_server):
    with redis.Redis.from_url(redis_server.unix_url) as client:
        assert client.ping()


def test_tls(new_server, certificate):
    server = new_server(certificate=certificate)
    with redis.Redis.from_url(server.tls_url) as client:
        assert client.ping()
    plain = server.tls_url.replace("rediss:", "redis:").partition("?")[0]
    with redis.Redis.from_url(plain, retry=None) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_a_server_that_cannot_start_says_why(new_server, tmp_path):
    other = RedisServer(tmp_path / "other", options={"port": new_server().port})
    other.start(wait=False)
    other.process.wait(30)
    with pytest.raises(AssertionError, match="Address already in use"):
        other.wait()
    other.close()


def test_the_monitor_sees_every_command_and_its_keys(redis_server):
    odd = b'\x00"\\\n\xc3\xa9 x'
    with redis_server.client() as client, redis_server.monitor() as seen:
        client.set("plain", odd)
        client.eval("return redis.call('SET', 'not-declared', ARGV[1])", 1, "declared", "v")
        client.publish("told", "x")
        client.xgroup_create("stream", "readers", mkstream=True)
        client.xreadgroup("readers", "me", {"stream": ">"})
    commands = {command.arguments: command for command in seen.commands}
    assert (b"SET", b"plain", odd) in commands
    assert commands[b"SET", b"not-declared", b"v"].source == "lua"
    assert {"XGROUP", "XREADGROUP", "PUBLISH"} <= {command.name for command in seen.commands}
    assert seen.keys() == {"plain", "declared", "not-declared", "told", "stream"}


def test_the_monitor_of_a_server_that_dies_ends(redis_server):
    with redis_server.monitor() as seen:
        redis_server.run("SET", "key", 1)
        redis_server.kill()
    assert [command.name for command in seen.commands if command.name == "SET"] == ["SET"]


def test_an_account_may_do_what_its_rules_say(redis_server):
    url = redis_server.account("~ours:*", "&ours:*", "+set", "+publish", "+eval")
    with redis.Redis.from_url(url) as client:
        assert client.set("ours:key", 1)
        assert client.publish("ours:told", "x") == 0
        with pytest.raises(redis.ResponseError):
            client.set("theirs", 1)
        with pytest.raises(redis.ResponseError):
            client.eval("return redis.call('SET', 'theirs', 1)", 0)
        with pytest.raises(redis.ResponseError):
            client.publish("theirs", "x")
        with pytest.raises(redis.ResponseError):
            client.get("ours:key")
    told = set(redis_server.refusals())
    assert {"key: theirs", "channel: theirs", "command: get"} <= told


def test_scripts_are_forgotten(redis_server):
    with redis_server.client() as client:
        sha = client.script_load("return 1")
        assert client.evalsha(sha, 0) == 1
        redis_server.flush_scripts()
        with pytest.raises(redis.exceptions.NoScriptError):
            client.evalsha(sha, 0)


def test_connections_are_cut_by_their_kind(redis_server):
    with redis_server.client() as client, client.pubsub() as listener:
        listener.subscribe("told")
        assert listener.get_message(timeout=30)["type"] == "subscribe"
        client.ping()
        assert {found["cmd"] for found in redis_server.clients()} == {"ping", "subscribe"}
        assert redis_server.kill_clients("pubsub") == 1
        with pytest.raises(redis.ConnectionError):
            listener.connection.read_response(timeout=30)
        assert client.ping()  # of the other kind


def test_a_proxy_can_stand_between(redis_server, redis_proxy):
    with redis.Redis(LOOPBACK, redis_proxy.port, retry=None) as client:
        client.set("key", 0)
        redis_proxy.reset_after(0, "down")
        with pytest.raises(redis.ConnectionError):
            client.incr("key")
        assert client.get("key") == b"1"  # it was done, and nobody knew


def test_a_server_listens_on_no_other_address(redis_server):
    done = subprocess.run(
        ["redis-cli", "-h", "127.0.0.2", "-p", str(redis_server.port), "PING"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "Connection refused" in done.stderr
