"""Group send to 1,000 members in memory, beside Django Channels' in-memory layer, in one run.

Two figures: enqueue (nobody receives meanwhile), and with receivers (each member's message is
received). Prints both layers' median and the ratio. Needs the extra ``bench`` (channels).
"""

import asyncio
import statistics
import time

from channels.layers import InMemoryChannelLayer as ChannelsLayer

from nbchannels.layers.memory import InMemoryChannelLayer

MEMBERS = 1000
ROUNDS = 15
MESSAGE = {"type": "chart.point", "t": 1700000000.5, "y": 3.25, "label": "cpu", "values": [1, 2, 3]}


async def members(layer):
    names = [await layer.new_channel() for _ in range(MEMBERS)]
    for name in names:
        await layer.group_add("index", name)
    return names


async def enqueue(layer):
    names = await members(layer)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await layer.group_send("index", MESSAGE)
        times.append(time.perf_counter() - start)
    for name in names:
        for _ in range(ROUNDS):
            assert (await layer.receive(name)) == MESSAGE
    return statistics.median(times)


async def with_receivers(layer):
    names = await members(layer)
    times = []
    for _ in range(ROUNDS):
        receivers = [asyncio.ensure_future(layer.receive(name)) for name in names]
        await asyncio.sleep(0)
        start = time.perf_counter()
        await layer.group_send("index", MESSAGE)
        got = await asyncio.gather(*receivers)
        times.append(time.perf_counter() - start)
        assert got == [MESSAGE] * MEMBERS
    return statistics.median(times)


def main():
    print(f"group_send to {MEMBERS} members, median of {ROUNDS}, in ms")
    for title, measure, goal in (
        ("enqueue", enqueue, "goal: 30 or more"),
        ("with receivers", with_receivers, ""),
    ):
        ours = asyncio.run(measure(InMemoryChannelLayer()))
        theirs = asyncio.run(measure(ChannelsLayer()))
        print(
            f"{title:>15}: nbchannels {ours * 1e3:8.3f}   Django Channels {theirs * 1e3:8.3f}   "
            f"ratio {theirs / ours:6.1f} x   {goal}"
        )


if __name__ == "__main__":
    main()
