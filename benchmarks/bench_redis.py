"""The layer on Redis beside channels_redis (core and pub/sub), on one Redis, in one run.

Rounds of all layers take turns, so that a busy machine is busy for all. Prints the medians and the
ratios. Starts a redis-server of its own on a free loopback port. Needs the extra ``bench``.
"""

import asyncio
import secrets
import socket
import statistics
import subprocess
import tempfile
import time

from channels_redis.core import RedisChannelLayer as CoreLayer
from channels_redis.pubsub import RedisPubSubChannelLayer as PubSubLayer

from nbchannels.layers.redis import RedisChannelLayer

MEMBERS, ROUNDS = 100, 60
MESSAGE = {"type": "chart.point", "t": 1700000000.5, "y": 3.25, "label": "cpu", "values": [1, 2, 3]}


class Redis:
    """A redis-server without persistence."""

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = tempfile.TemporaryDirectory()
        options = ["--bind", "127.0.0.1", "--save", "", "--dir", self.folder.name]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), *options], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        return f"redis://127.0.0.1:{self.port}/0"

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


async def group_round(layer, names):
    """One send to a group, until every member has received it."""
    receivers = [asyncio.ensure_future(layer.receive(name)) for name in names]
    await asyncio.sleep(0)
    start = time.perf_counter()
    await layer.group_send("index", MESSAGE)
    got = await asyncio.gather(*receivers)
    took = time.perf_counter() - start
    assert got == [MESSAGE] * MEMBERS
    return took


async def group_stream(layer, names, count=40):
    """Sends to a group one after the other, each awaited, while every member receives."""

    async def member(name):
        for _ in range(count):
            assert await layer.receive(name) == MESSAGE

    receivers = [asyncio.ensure_future(member(name)) for name in names]
    await asyncio.sleep(0)
    start = time.perf_counter()
    for _ in range(count):
        await layer.group_send("index", MESSAGE)
    await asyncio.gather(*receivers)
    return (time.perf_counter() - start) / count


async def local_round(layer, name, count=50):
    """Sends to a process-local channel of this process, each received."""
    start = time.perf_counter()
    for _ in range(count):
        await layer.send(name, MESSAGE)
        assert await layer.receive(name) == MESSAGE
    return (time.perf_counter() - start) / count


async def work_round(layer, name, count=50):
    """Sends to a named channel, each received."""
    return await local_round(layer, name, count)


async def work_in_flight(layer, name, count=320, width=16):
    """The same, sixteen at a time."""

    async def one():
        for _ in range(count // width):
            await layer.send(name, MESSAGE)
            await layer.receive(name)

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(width)))
    return (time.perf_counter() - start) / count


async def in_turn(measures, rounds):
    """The medians of several measures that take turns."""
    times = [[] for _ in measures]
    for _ in range(rounds):
        for place, measure in enumerate(measures):
            times[place].append(await measure())
    return [statistics.median(some) for some in times]


async def with_members(layer):
    names = [await layer.new_channel() for _ in range(MEMBERS)]
    for name in names:
        await layer.group_add("index", name)
    return names


def show(title, ours, others):
    line = f"{title:>22}: nbchannels {ours * 1e6:8.0f} us"
    for name, took, goal in others:
        line += f"   {name} {took * 1e6:8.0f} us = {took / ours:5.1f} x (goal {goal})"
    print(line)


async def run(url):
    prefix = secrets.token_hex(4)
    ours = RedisChannelLayer([url], prefix=f"n{prefix}", capacity=1000)
    core = CoreLayer(hosts=[url], prefix=f"c{prefix}", capacity=1000)
    pubsub = PubSubLayer(hosts=[url], prefix=f"p{prefix}")
    members = [await with_members(layer) for layer in (ours, core, pubsub)]
    await asyncio.sleep(0.3)  # the pub/sub layer does not say when it has subscribed

    medians = await in_turn(
        [
            lambda: group_round(ours, members[0]),
            lambda: group_round(core, members[1]),
            lambda: group_round(pubsub, members[2]),
        ],
        ROUNDS,
    )
    show(
        f"group of {MEMBERS} members", medians[0],
        [("core", medians[1], "7"), ("pub/sub", medians[2], "1.2")],
    )  # fmt: skip
    medians = await in_turn(
        [
            lambda: group_stream(ours, members[0]),
            lambda: group_stream(core, members[1]),
            lambda: group_stream(pubsub, members[2]),
        ],
        12,
    )
    show(
        "the same, streaming",
        medians[0],
        [("core", medians[1], "7"), ("pub/sub", medians[2], "1.2")],
    )
    names = [await layer.new_channel() for layer in (ours, core)]
    medians = await in_turn(
        [lambda: local_round(ours, names[0]), lambda: local_round(core, names[1])], 20
    )
    show("process-local channel", medians[0], [("core", medians[1], "4")])
    medians = await in_turn(
        [lambda: work_round(ours, "work"), lambda: work_round(core, "work")], 20
    )
    show("work, one at a time", medians[0], [("core", medians[1], "2")])
    medians = await in_turn(
        [lambda: work_in_flight(ours, "work"), lambda: work_in_flight(core, "work")], 10
    )
    show("work, 16 in flight", medians[0], [("core", medians[1], "5")])
    await ours.close()
    await core.close_pools()


def main():
    with Redis() as url:
        asyncio.run(run(url))


if __name__ == "__main__":
    main()
