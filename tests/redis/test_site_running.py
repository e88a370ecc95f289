"""The site works as its author meant it, with both layers of channels_redis."""

import asyncio
import json

import pytest
import websockets

from tests.redis.site_running import RunningSite

PATIENCE = 30.0


async def next_of(socket):
    async with asyncio.timeout(PATIENCE):
        return json.loads(await socket.recv())


@pytest.mark.asyncio
@pytest.mark.parametrize("layer", ["core", "pubsub"])
async def test_what_one_writes_and_what_is_posted_goes_to_all(
    redis_server, tmp_path, prefix, layer
):
    with RunningSite(tmp_path, redis_server.url, layer=layer, prefix=prefix) as site:
        async with websockets.connect(site.orders) as one, websockets.connect(site.orders) as two:
            channels = {(await next_of(socket))["channel"] for socket in (one, two)}
            assert len(channels) == 2
            await one.send(json.dumps({"coffee": 1}))
            assert [await next_of(socket) for socket in (one, two)] == [{"coffee": 1}] * 2
            await asyncio.to_thread(site.post, "orders", {"tea": 2})
            assert [await next_of(socket) for socket in (one, two)] == [{"tea": 2}] * 2
    if layer == "core":
        assert any(key.startswith(f"{prefix}:") for key in redis_server.keys())


@pytest.mark.asyncio
async def test_a_worker_does_what_is_posted(redis_server, tmp_path, prefix):
    with RunningSite(tmp_path, redis_server.url, prefix=prefix) as site:
        async with websockets.connect(site.orders) as socket:
            await next_of(socket)
            await asyncio.to_thread(site.post, "packing/7")
            with site.worker():
                assert await next_of(socket) == {"packed": 7}
