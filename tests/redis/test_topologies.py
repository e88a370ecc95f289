"""The layer on everything that Redis may be: Sentinel, Cluster, TLS, sockets, users, databases."""

import uuid

import pytest
import pytest_asyncio

from nbchannels.layers.redis import RedisChannelLayer
from nbchannels.testing.layers import LayerContract

pytestmark = pytest.mark.slow


def new_layer(host, **options):
    """A layer with keys of its own, and the limits that the contract wants."""
    return RedisChannelLayer(
        [host],
        prefix=f"t-{uuid.uuid4().hex[:8]}",
        channel_capacity={"small*": 5},
        channel_expiry={"short*": 0.1},
        **options,
    )


class TestSentinel(LayerContract):
    @pytest_asyncio.fixture
    async def layer(self, _sentinels):
        layer = new_layer({"sentinels": _sentinels.addresses, "master_name": _sentinels.name})
        yield layer
        await layer.close()


class TestCluster(LayerContract):
    @pytest_asyncio.fixture
    async def layer(self, _cluster):
        layer = new_layer({"cluster": _cluster.addresses[:2]})
        yield layer
        await layer.close()
