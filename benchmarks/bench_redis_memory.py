"""What a message takes in the memory of Redis: in the log of a group, and waiting in a channel.

Starts a redis-server of its own on a free loopback port.
"""

import asyncio

from redis.asyncio import Redis as Client

from benchmarks.bench_redis import Redis
from nbchannels.layers.redis import RedisChannelLayer

COUNT = 10_000
SIZES = (64, 256, 1024, 16 * 1024)


async def used(client):
    return (await client.info("memory"))["used_memory_dataset"]


async def measure(url, size, kind):
    client = Client.from_url(url)
    await client.flushall()
    count = COUNT if size <= 1024 else 1000
    layer = RedisChannelLayer([url], channel_capacity={"*": 2 * count})
    await layer.group_send("warm", {"n": 1})
    before = await used(client)
    encoded = layer.encode({"text": "x" * size})
    start = 0
    while start < count:
        some = [layer.submit(kind, "sensors", encoded) for _ in range(min(500, count - start))]
        await asyncio.gather(*(asyncio.wrap_future(one) for one in some))
        start += len(some)
    each = (await used(client) - before) / count
    await layer.close()
    await client.aclose()
    return len(encoded.body), each


async def groups(url, count=500):
    client = Client.from_url(url)
    await client.flushall()
    layer = RedisChannelLayer([url])
    await layer.group_send("warm", {"n": 1})
    before = await used(client)
    for n in range(count):
        await layer.group_send(f"group-{n}", {"n": n})
    each = (await used(client) - before) / count
    await layer.close()
    await client.aclose()
    return each


async def main(url):
    for kind in ("group", "channel"):
        for size in SIZES:
            body, each = await measure(url, size, kind)
            print(f"{kind:8} {body:6} bytes encoded: {each:8.0f} bytes, {each - body:5.0f} more")
    print(f"a group with one message: {await groups(url):.0f} bytes")


if __name__ == "__main__":
    with Redis() as url:
        asyncio.run(main(url))
