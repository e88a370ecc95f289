"""The conformance suite on real Redis, as a deployment may have it."""

import pytest
import pytest_asyncio

from nbchannels.layers.redis.layer import RedisChannelLayer
from nbchannels.testing.layers import LayerContract
from tests.redis.acl import documented_rules


def _plain(request):
    server = request.getfixturevalue("_server")
    server.run("FLUSHALL")
    return {"hosts": [server.url]}


def _sentinel(request):
    sentinels = request.getfixturevalue("_sentinels")
    sentinels.primary.run("FLUSHALL")
    return {"hosts": [{"sentinels": sentinels.addresses, "master_name": sentinels.name}]}


def _cluster(request):
    cluster = request.getfixturevalue("_cluster")
    for node in cluster.primaries:
        node.run("FLUSHALL")
    return {"hosts": [{"cluster": cluster.addresses[:2]}]}


def _minimal(request):
    server = request.getfixturevalue("_server")
    server.run("FLUSHALL")
    return {"hosts": [server.account(*documented_rules(request.getfixturevalue("prefix")))]}


#: What `hosts` says of each topology; it is empty then.
TOPOLOGIES = {"plain": _plain, "minimal": _minimal, "sentinel": _sentinel, "cluster": _cluster}


@pytest.fixture(params=TOPOLOGIES)
def layer_options(request):
    return TOPOLOGIES[request.param](request)


@pytest_asyncio.fixture
async def layer(layer_options, prefix):
    layer = RedisChannelLayer(
        **layer_options,
        prefix=prefix,
        channel_capacity={"small*": 5},
        channel_expiry={"short*": 0.3},
    )
    yield layer
    await layer.close()


@pytest.mark.integration
class TestRedis(LayerContract):
    pass
