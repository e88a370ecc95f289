"""What is not given back is seen, and told by name."""

import asyncio
import threading

import pytest
import redis.asyncio

from tests.redis import resources
from tests.redis.resources import Resources, back_to


@pytest.mark.asyncio
async def test_what_is_held_is_named_and_what_is_given_back_is_not(redis_server, prefix):
    glob = f"{prefix}:*"
    baseline = Resources.now([redis_server], glob)
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="left behind")
    thread.start()
    task = asyncio.create_task(asyncio.Event().wait())
    async with redis.asyncio.Redis.from_url(redis_server.url, client_name="ours") as client:
        await client.set(f"{prefix}:left", 1)
        await client.set("another's", 1)
        more = Resources.now([redis_server], glob) - baseline
        assert more["files"][f"socket to {redis_server.port}"] == 1
        assert more["tasks"] == {"Event.wait": 1}
        assert more["threads"] == {"left behind": 1}
        assert more["connections"] == {f"{redis_server.url} ours set": 1}
        assert more["keys"] == {f"{redis_server.url} {prefix}:left": 1}
        await client.delete(f"{prefix}:left")
    over.set()
    task.cancel()
    await back_to(baseline, [redis_server], glob)
    thread.join()


@pytest.mark.asyncio
async def test_what_never_comes_back_fails_and_is_named(redis_server, monkeypatch):
    baseline = Resources.now([redis_server])
    redis_server.run("SET", "forgotten", 1)
    monkeypatch.setattr(resources, "PATIENCE", 0.05)
    with pytest.raises(AssertionError, match="'keys': .*forgotten"):
        await back_to(baseline, [redis_server])
