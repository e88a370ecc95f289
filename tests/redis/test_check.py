"""What is wrong with a Redis is said when it is first reached, with the remedy."""

import re
from pathlib import Path

import pytest
import pytest_asyncio

import nbchannels
from nbchannels import diagnoses
from nbchannels.layers.redis import RedisChannelLayer
from nbchannels.layers.redis.check import COMMANDS, Facts, examine, findings
from tests.redis.acl import documented_rules
from tests.redis.onward import eventually

pytestmark = pytest.mark.slow
WELL = Facts("redis://example", "nbc", version="7.0.15", role="master", keeps=True)


def told(facts):
    return {finding.what: (finding.level, finding.sentence) for finding in findings(facts)}


# Judging.


def test_nothing_is_said_where_all_is_well():
    assert told(WELL) == {}
    assert told(WELL._replace(policy="noeviction", version="8.2.1")) == {}
    assert told(WELL._replace(version="6.2.0")) == {}


@pytest.mark.parametrize(
    ("facts", "what", "level", "words"),
    [
        ({"version": "6.0.16"}, "version", "error", ["6.0.16", "LPOP", "6.2"]),
        ({"version": "5"}, "version", "error", ["6.2"]),
        ({"version": "6.2.14", "is_cluster": True}, "version", "error", ["SSUBSCRIBE", "7.0"]),
        ({"role": "replica"}, "role", "error", ["replica", "primary", "sentinels"]),
        ({"is_open": True}, "password", "warning", ["password", "docs/redis.md"]),
        ({"policy": "allkeys-lru"}, "maxmemory-policy", "warning", ["allkeys-lru", "noeviction"]),
        ({"policy": "volatile-ttl"}, "maxmemory-policy", "warning", ["volatile-ttl"]),
        ({"keeps": False}, "persistence", "info", ["restarts", "appendonly yes"]),
        ({"keeps": None}, "unseen", "info", ["could not be seen", "INFO", "noeviction"]),
    ],
)
def test_what_is_wrong(facts, what, level, words):
    (found,) = findings(WELL._replace(**facts))
    assert (found.what, found.level) == (what, level)
    assert all(word in found.sentence for word in [*words, "redis://example"])


def test_every_command_of_the_layer_is_tried():
    rooms = Path(nbchannels.__file__).parent / "layers" / "redis"
    used: set[str] = set()
    for path in rooms.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        used.update(re.findall(r"""redis\.p?call\(\s*'([A-Z]+)'""", text))
        used.update(re.findall(r"""command\([^)]*?"([A-Z]{3,})\"""", text))
    assert len(used) > 30
    assert used - {"CLUSTER", "ASKING"} <= set(COMMANDS)


# Looking.


@pytest_asyncio.fixture
async def look(prefix):
    layers = []

    async def look(url):
        layer = RedisChannelLayer([url], prefix=prefix)
        layers.append(layer)
        (site,) = await layer.backbone.sites()
        return await examine(site)

    yield look
    for layer in layers:
        await layer.close()


@pytest.mark.asyncio
async def test_a_plain_server(redis_server, look):
    facts = await look(redis_server.url)
    assert facts.version == redis_server.information("server")["redis_version"]
    assert facts.role == "master"
    assert facts.denied == ()
    assert facts.keeps is False
    assert (facts.policy, facts.user, facts.is_open) == ("", "", False)
    assert redis_server.keys() == set()


@pytest.mark.asyncio
async def test_one_that_evicts_and_keeps(redis_server, look):
    redis_server.run("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
    redis_server.run("CONFIG", "SET", "save", "3600 1")
    facts = await look(redis_server.url)
    assert facts.policy == "allkeys-lru"
    assert facts.keeps is True


@pytest.mark.asyncio
async def test_a_replica(redis_server, new_server, look):
    replica = new_server()
    replica.run("REPLICAOF", "127.0.0.1", redis_server.port)
    assert (await look(replica.url)).role == "replica"


@pytest.mark.asyncio
@pytest.mark.parametrize("missing", COMMANDS)
async def test_each_command_that_is_not_allowed_is_named(redis_server, look, prefix, missing):
    rules = [rule for rule in documented_rules(prefix) if rule != f"+{missing.lower()}"]
    facts = await look(redis_server.account(*rules))
    assert [name for name, _ in facts.denied][:1] == [missing]
    level, sentence = told(facts)["permissions"]
    assert level == "error"
    assert f"+{missing.lower()}" in sentence
    assert "'minimal'" in sentence
    # Without DEL the key of the trial is gone in a second.
    await eventually(lambda: not redis_server.keys(), "nothing is left of the trials")


@pytest.mark.asyncio
async def test_keys_and_channels_that_are_not_allowed(redis_server, look, prefix):
    rules = documented_rules(prefix)
    found = told(await look(redis_server.account(*(r for r in rules if r[0] != "~"))))
    assert f"~{prefix}:*" in found["keys"][1]
    found = told(await look(redis_server.account(*(r for r in rules if r[0] != "&"))))
    assert f"&{prefix}:*" in found["channels"][1]
    assert "PUBLISH" in found["channels"][1]


@pytest.mark.asyncio
async def test_a_user_with_the_documented_rules_may_all_that_is_used(redis_server, look, prefix):
    facts = await look(redis_server.account(*documented_rules(prefix)))
    assert facts.denied == ()
    assert (facts.version != "", facts.role, facts.user) == (True, "master", "minimal")
    assert facts.keeps is None  # it may not look
    assert set(told(facts)) == {"unseen"}


@pytest.mark.asyncio
async def test_every_primary_of_a_cluster_is_looked_at(cluster, prefix):
    layer = RedisChannelLayer([{"cluster": cluster.addresses[:1]}], prefix=prefix)
    try:
        await layer.send("work", {"n": 1})
        sites = await layer.backbone.sites()
        assert len(sites) == 3
        for site in sites:
            facts = await examine(site)
            assert facts.is_cluster
            assert facts.denied == ()
            assert facts.version
    finally:
        await layer.close()


# Telling.


@pytest_asyncio.fixture
async def told_by():
    made, heard = [], []
    stop = diagnoses.listen(heard.append)

    def told_by(url, prefix):
        layer = RedisChannelLayer([url], prefix=prefix, patience=0.6)
        made.append(layer)
        return layer, heard

    yield told_by
    stop()
    for layer in made:
        await layer.close()


@pytest.mark.asyncio
async def test_it_is_told_once_at_the_first_connection(redis_server, told_by, prefix):
    url = redis_server.account("+@all", f"~{prefix}:*", f"&{prefix}:*", "-xclaim")
    layer, heard = told_by(url, prefix)
    await layer.send("work", {"n": 1})
    await eventually(lambda: heard, "it is told")
    redis_server.kill_clients()
    await eventually(lambda: bool(redis_server.clients()), "it is there again")
    await layer.send("work", {"n": 2})
    (told,) = heard
    assert told.kind == "redis"
    assert "+xclaim" in told.sentence


@pytest.mark.asyncio
async def test_a_replica_is_told_although_nothing_can_be_sent(
    redis_server, new_server, told_by, prefix
):
    replica = new_server()
    replica.run("REPLICAOF", "127.0.0.1", redis_server.port)
    layer, heard = told_by(replica.url, prefix)
    with pytest.raises(Exception, match="READONLY|read only"):
        await layer.send("work", {"n": 1})
    await eventually(lambda: heard, "it is told")
    assert "is a replica" in heard[0].sentence
