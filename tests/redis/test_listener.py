"""News from Redis: heard again after every break, and who listens is told that there was one."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from nbchannels.layers.redis.listener import Listener
from nbchannels.layers.redis.topology import ways
from tests.redis.servers import PATIENCE, until

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]


class Ear:
    """What one channel tells."""

    def __init__(self, listener, channel):
        self.told = []
        self.restored = 0
        self.changed = asyncio.Event()
        self.ready = listener.listen(channel, self._told, self._restored)

    def _told(self, data):
        self.told.append(data)
        self.changed.set()

    def _restored(self):
        self.restored += 1
        self.changed.set()

    async def until(self, true):
        async with asyncio.timeout(PATIENCE):
            while not true():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def listener_at(port):
    way = ways([f"redis://127.0.0.1:{port}/0"])
    listener = Listener(way.connect, way.where)
    try:
        yield listener
    finally:
        async with asyncio.timeout(PATIENCE):
            await listener.close()


async def test_each_channel_is_told_of_its_own(redis_server):
    async with listener_at(redis_server.port) as listener:
        ears = [Ear(listener, f"news-{n}") for n in range(3)]
        for ear in ears:
            await asyncio.wait_for(ear.ready, PATIENCE)
        for n in range(3):
            assert redis_server.run("PUBLISH", f"news-{n}", n) == 1
        for n, ear in enumerate(ears):
            await ear.until(lambda ear=ear: ear.told)
            assert (ear.told, ear.restored) == ([b"%d" % n], 1)


async def test_what_nobody_listens_to_is_left(redis_server):
    async with listener_at(redis_server.port) as listener:
        ears = [Ear(listener, name) for name in ("kept", "left")]
        for ear in ears:
            await asyncio.wait_for(ear.ready, PATIENCE)
        listener.unlisten("left")
        await asyncio.to_thread(
            until, lambda: redis_server.run("PUBSUB", "CHANNELS") == ["kept"], "it has left"
        )


async def test_after_every_break_it_is_heard_again_and_told(redis_server, redis_proxy):
    async with listener_at(redis_proxy.port) as listener:
        ear = Ear(listener, "news")
        await asyncio.wait_for(ear.ready, PATIENCE)
        for n in range(2, 6):
            redis_proxy.drop()
            await ear.until(lambda n=n: ear.restored >= n)
            assert redis_server.run("PUBLISH", "news", n) == 1
            await ear.until(lambda n=n: ear.told[-1:] == [b"%d" % n])
        assert listener.trouble == ""


async def test_a_silent_connection_is_given_up_at_once_when_it_is_in_doubt(
    redis_server, redis_proxy
):
    async with listener_at(redis_proxy.port) as listener:
        ear = Ear(listener, "news")
        await asyncio.wait_for(ear.ready, PATIENCE)
        redis_proxy.blackhole()
        redis_proxy.heal()  # what was open stays dead, without an end
        listener.check()
        await ear.until(lambda: ear.restored == 2)


async def test_a_listener_that_may_not_says_so_and_does_not_hammer(redis_server):
    url = redis_server.account("~*", "+@all", "resetchannels")
    way = ways([url])
    listener = Listener(way.connect, way.where)
    ear = Ear(listener, "news")
    try:
        await asyncio.to_thread(until, lambda: "NOPERM" in str(listener.trouble).upper()
                                or "permission" in listener.trouble, "it says why")  # fmt: skip
        assert not ear.ready.done()
        redis_server.run("ACL", "SETUSER", "minimal", "allchannels")
        await asyncio.wait_for(ear.ready, PATIENCE)
        assert listener.trouble == ""
    finally:
        await listener.close()
