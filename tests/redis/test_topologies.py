"""The ways to one Redis: TLS, sockets, users, databases; and what is told to it, name by name."""

import asyncio
import inspect
import re

import pytest
import pytest_asyncio

from nbchannels.bridge import bridge
from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.redis import RedisChannelLayer
from nbchannels.layers.redis.check import COMMANDS, examine
from nbchannels.testing.layers import LayerContract
from tests.redis.acl import PAGE, documented_rules
from tests.redis.onward import eventually

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

#: What redis-py and our look at a new Redis try, and can do without.
OPTIONAL = {"command: info", "command: config|get", "command: client|setinfo"}


@pytest_asyncio.fixture
async def new_layer(prefix):
    made = []

    def new(host, **options):
        options = {"prefix": prefix} | options
        made.append(RedisChannelLayer([host], **options))
        return made[-1]

    yield new
    for layer in made:
        await layer.close()


async def on_loop(call, *arguments):
    """Ask on the loop of the layers."""

    async def ask():
        return await call(*arguments)

    return await asyncio.wrap_future(bridge.start(ask()))


async def works(layer):
    """A message through a channel, and one through a group."""
    await layer.send("work", {"n": 1})
    assert await layer.receive("work") == {"n": 1}
    cursor = await layer.subscribe("orders")
    receipt = await layer.group_send("orders", {"n": 2})
    assert receipt.subscribers >= 1
    (record,) = cursor.take()
    assert layer.decode(record) == {"n": 2}
    cursor.close()


async def test_tls(new_server, certificate, new_layer):
    server = new_server(certificate=certificate)
    await works(new_layer(server.tls_url))
    options = {"ssl_ca_certs": str(certificate.path)}
    await works(new_layer({"address": server.tls_url.partition("?")[0], **options}))


async def test_a_certificate_that_nobody_vouches_for(new_server, certificate, new_layer):
    server = new_server(certificate=certificate)
    layer = new_layer(server.tls_url.partition("?")[0], patience=0.6)
    with pytest.raises(LayerUnavailable, match=r"(?i)certificate"):
        await layer.send("work", {"n": 1})


async def test_a_socket(redis_server, new_layer):
    layer = new_layer(redis_server.unix_url)
    await works(layer)
    assert layer.backbone.where.startswith("unix:///")


async def test_a_database_of_its_own(redis_server, new_layer):
    await works(new_layer(redis_server.url.replace("/0", "/3")))
    assert redis_server.keys() == set()
    assert set(redis_server.information("keyspace")) == {"db3"}


async def test_a_password(redis_server, new_layer):
    redis_server.run("CONFIG", "SET", "requirepass", "secret")
    address = ("127.0.0.1", redis_server.port)
    await works(new_layer({"address": address, "password": "secret"}))
    layer = new_layer(f"redis://127.0.0.1:{redis_server.port}", patience=0.6)
    with pytest.raises(LayerUnavailable, match="(?i)auth"):
        await layer.send("work", {"n": 1})
    layer = new_layer({"address": address, "password": "wrong"}, patience=0.6)
    with pytest.raises(LayerUnavailable, match="(?i)password") as caught:
        await layer.send("work", {"n": 1})
    assert "wrong'" not in str(caught.value)


async def test_nothing_is_left_of_a_closed_layer(redis_server, new_layer):
    for _ in range(20):
        layer = new_layer(redis_server.url)
        await works(layer)
        cursor = await layer.subscribe("orders")
        cursor.close()
        await layer.close()
    await eventually(lambda: redis_server.clients() == [], "no connection is left")


# What a user needs.


#: Thousands of the same commands: nothing new for who watches them.
HEAVY = ("trimmed", "bounded", "large", "threads")


def contract():
    """The tests of the conformance suite that need nothing but a layer."""
    for name, test in inspect.getmembers(LayerContract, inspect.isfunction):
        wants = list(inspect.signature(test).parameters)
        is_light = not any(word in name for word in HEAVY)
        if name.startswith("test_") and wants == ["self", "layer"] and is_light:
            yield test


@pytest.mark.timeout(150)
async def test_all_that_is_told_to_redis_bears_the_documented_names(
    redis_server, new_layer, prefix
):
    url = redis_server.account(*documented_rules(prefix))
    with redis_server.monitor() as seen:
        for test in contract():
            layer = new_layer(
                url, channel_capacity={"small*": 5}, channel_expiry={"short*": 0.3}, patience=30
            )
            await test(LayerContract(), layer)
            await layer.close()
            redis_server.run("FLUSHALL")
    assert set(redis_server.refusals()) <= OPTIONAL
    ours = [command for command in seen.commands if command.name != "FLUSHALL"]
    assert len(ours) > 1000
    assert {command.name for command in ours} <= {*COMMANDS, "AUTH", "CLIENT", "HELLO", "SELECT"}
    pattern = re.compile(rf"{prefix}:\{{[A-Za-z0-9_.:!-]+\}}:[A-Za-z0-9_.:-]+")
    strange = {name for name in seen.keys() if not pattern.fullmatch(name)}
    assert strange == set()


@pytest.mark.timeout(90)
async def test_the_documented_user_of_a_cluster(cluster, new_layer, prefix):
    more = ["+cluster|slots", "+asking", "+spublish", "+ssubscribe", "+sunsubscribe"]
    assert " ".join(more) in PAGE.read_text(encoding="utf-8")
    for node in cluster.nodes:
        rules = [*documented_rules(prefix), *more]
        node.run("ACL", "SETUSER", "limited", "reset", "on", ">secret", *rules)
        node.run("ACL", "LOG", "RESET")
    host = {"cluster": cluster.addresses, "username": "limited", "password": "secret"}
    layer = new_layer(host)
    await works(layer)
    key = layer.backbone.keys.group("orders", "log")
    migration = cluster.migrate(cluster.slot(key))
    while migration.move():
        pass
    # Its old node has the slot and not the key: it says ASK.
    assert await on_loop(layer.backbone.command, key, "EXISTS") == 1
    migration.finish()
    await works(layer)
    for site in await layer.backbone.sites():
        assert (await examine(site)).denied == ()
    for node in cluster.nodes:
        assert set(node.refusals()) <= OPTIONAL
    await layer.close()
    for node in cluster.nodes:
        node.run("ACL", "DELUSER", "limited")


async def test_another_deployment_on_the_same_redis_sees_nothing(redis_server, new_layer, prefix):
    url = redis_server.account(*documented_rules(prefix))
    theirs = redis_server.account(*documented_rules("theirs"), name="other")
    ours, other = new_layer(url), new_layer(theirs, prefix="theirs")
    cursor = await other.subscribe("orders", "earliest")
    await works(ours)
    await ours.send("work", {"n": 3})
    await ours.group_add("orders", "work")
    await works(other)
    assert [other.decode(record) for record in cursor.take()] == [{"n": 2}]
    assert await other.group_channels("orders") == []
    assert (await other.channel_statistics("work"))["waiting"] == 0
    await other.flush()
    assert (await ours.channel_statistics("work"))["waiting"] == 1
    assert (await ours.group_statistics("orders"))["messages"] == 1
    intruder = new_layer(theirs)
    with pytest.raises(LayerUnavailable, match="(?i)permission"):
        await intruder.send("work", {"n": 4})
