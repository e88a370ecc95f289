"""Redis is away for a time, and the clients of a server go on when it is back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from nbchannels.exceptions import ChannelsError, DeliveryUnknown, LayerUnavailable
from nbchannels.layers.redis import RedisChannelLayer
from tests.redis.servers import PATIENCE, RedisServer
from tests.server.rig import Rig, say

pytestmark = pytest.mark.asyncio


class Page:
    """One page of a server, and what it was told, in order."""

    def __init__(self, connection: Any, transport: Any) -> None:
        self.connection, self.transport = connection, transport
        self.told: list[Any] = []

    def look(self) -> list[Any]:
        """Controls, and the numbers in messages."""
        for item in self.transport.take():
            if isinstance(item, dict):
                self.told.append((item["op"], item))
            else:
                self.told.append(("message", json.loads(bytes(item.body))["n"]))
        return self.told

    def ops(self) -> list[str]:
        return [op for op, _ in self.look()]

    def numbers(self) -> list[int]:
        return [number for op, number in self.look() if op == "message"]


class Site:
    """A server's worth on a Redis, and somebody else on it."""

    def __init__(self, url: str, prefix: str) -> None:
        self.layer = RedisChannelLayer([url], prefix, patience=1.0)
        self.other = RedisChannelLayer([url], prefix, patience=1.0)
        self.rig = Rig(self.layer)

    async def page(self, *groups: str) -> Page:
        page = Page(*await self.rig.connect())
        for group in groups:
            await say(page.connection, op="subscribe", group=group)
        return page

    async def until(self, true: Callable[[], Any], what: Any = "") -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not true():
            assert asyncio.get_running_loop().time() < deadline, what() if callable(what) else what
            self.rig.hub.outage.look()
            await asyncio.sleep(0.02)

    async def fails(self, **message: Any) -> ChannelsError:
        with pytest.raises((LayerUnavailable, DeliveryUnknown)) as caught:
            await self.layer.group_send("index", message)
        return caught.value

    async def sends(self, **message: Any) -> None:
        """Somebody else sends, as soon as that is possible."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                await self.other.group_send("index", message)
                return
            except (LayerUnavailable, DeliveryUnknown):
                assert asyncio.get_running_loop().time() < deadline


@pytest_asyncio.fixture
async def site(redis_server: RedisServer, prefix: str) -> AsyncIterator[Site]:
    found = Site(redis_server.url, prefix)
    yield found
    await found.layer.close()
    await found.other.close()


async def test_a_redis_that_stands_still(site: Site, redis_server: RedisServer) -> None:
    page = await site.page("index")
    await site.sends(n=1)
    await site.until(lambda: page.numbers() == [1])
    redis_server.freeze()
    try:
        error = await site.fails(n=2)
        assert error.temporary
        assert "does not answer" in str(error)
        await site.until(lambda: page.ops()[-1] == "layer")
        assert page.told[-1][1]["trouble"].endswith("does not answer: no answer within 1 s")
        await say(page.connection, op="subscribe", group="later")
        statistics = await site.layer.statistics()  # of this process
        assert statistics["groups"] == 1
    finally:
        redis_server.thaw()
    await site.until(lambda: "later" in page.connection.feeds)
    await site.until(lambda: site.layer.trouble is None)
    await site.sends(n=3)
    await site.until(lambda: page.numbers()[-1:] == [3])
    # What Redis had read before it stood still was done: nothing is lost, nothing is twice.
    assert page.numbers() in ([1, 3], [1, 2, 3])
    assert [told["trouble"] for op, told in page.told if op == "layer"][-1] is None
    assert "gap" not in page.ops()
    assert "unsubscribed" not in page.ops()
    assert page.ops().count("subscribed") == 2
    assert page.transport.closed is None


async def test_a_redis_that_forgot_everything_is_a_new_epoch(
    site: Site, redis_server: RedisServer
) -> None:
    page = await site.page("index")
    channel = await site.layer.new_channel()
    await site.layer.group_add("index", channel)
    await site.sends(n=1)
    await site.until(lambda: page.numbers() == [1])
    redis_server.kill()
    await site.fails(n=2)
    await site.until(lambda: page.ops()[-1] == "layer")
    redis_server.start()
    await site.sends(n=3)
    await site.until(lambda: page.numbers()[-1:] == [3], page.look)
    assert page.numbers() == [1, 3]
    again = [told for op, told in page.told if op == "subscribed"][1:]
    assert [(told["recovered"], told["reason"]) for told in again] == [(False, "epoch")]
    # Who was a member is one: it gets what is sent, and is counted.
    found = [await site.layer.receive(channel) for _ in range(2)]
    assert [message["n"] for message in found] == [1, 3]
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while (await site.other.group_channels("index")) != [channel]:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)
    while (await site.other.group_send("index", {"n": 4})).subscribers != 1:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def test_a_redis_that_remembers_loses_nobody(
    new_server: Callable[..., RedisServer], prefix: str
) -> None:
    server = new_server(aof=True)
    site = Site(server.url, prefix)
    page = await site.page("index")
    await site.sends(n=1)
    await site.until(lambda: page.numbers() == [1])
    server.kill()
    await site.fails(n=2)
    server.start()
    await site.sends(n=3)
    await site.until(lambda: page.numbers()[-1:] == [3])
    assert page.numbers() == [1, 3]
    assert page.ops().count("subscribed") == 1
    assert "gap" not in page.ops()
    await site.layer.close()
    await site.other.close()


async def test_a_server_whose_redis_is_not_there_yet_says_so(
    redis_server: RedisServer, prefix: str
) -> None:
    redis_server.kill()
    site = Site(redis_server.url, prefix)
    site.layer.open()
    await site.until(lambda: site.layer.trouble)
    page = await site.page("index")
    redis_server.start()
    await site.until(lambda: site.layer.trouble is None)
    await site.until(lambda: "index" in page.connection.feeds)
    await site.layer.close()
    await site.other.close()
