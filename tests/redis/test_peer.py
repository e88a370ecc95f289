"""The real channels_redis, elsewhere, does what it is told."""

import asyncio

import pytest

from tests.redis.peer import Peer, PeerError


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["core", "pubsub"])
async def test_two_processes_talk_through_redis(redis_server, prefix, kind):
    url = redis_server.url
    async with Peer(kind, url, prefix=prefix) as one, Peer(kind, url, prefix=prefix) as two:
        channel = await two.new_channel()
        message = {"type": "x", "bytes": b"\x00\xff", "list": [1, 2.5, None], "text": "ä"}
        waiting = asyncio.create_task(two.receive(channel))
        await one.send(channel, message)
        assert await waiting == message
        await two.group_add("orders", channel)
        await one.group_send("orders", {"type": "y"})
        assert await two.receive(channel) == {"type": "y"}
        await two.group_discard("orders", channel)
        await one.group_send("orders", {"type": "z"})
        with pytest.raises(PeerError, match="TimeoutError"):
            await two.receive(channel, within=0.1)


@pytest.mark.asyncio
async def test_what_is_raised_over_there_is_raised_here(redis_server, prefix):
    async with Peer("core", redis_server.url, prefix=prefix, capacity=1) as peer:
        await peer.send("work", {"type": "x"})
        with pytest.raises(PeerError) as caught:
            await peer.send("work", {"type": "x"})
        assert caught.value.kind == "ChannelFull"
        await peer.flush()
        await peer.send("work", {"type": "again"})
        assert await peer.receive("work") == {"type": "again"}


@pytest.mark.asyncio
async def test_who_waits_for_a_process_that_dies_is_told(redis_server, prefix):
    async with Peer("core", redis_server.url, prefix=prefix) as peer:
        waiting = asyncio.create_task(peer.receive("work", within=None))
        assert (await peer.new_channel()).startswith("specific")
        peer.process.kill()
        with pytest.raises(PeerError, match="the process has ended"):
            await waiting
