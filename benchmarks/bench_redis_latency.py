"""What Redis adds between two servers: from a script at one to a script at the other, in one run.

Beside it the same way through one server with its layer in memory. A message every 5 ms, in an open
loop: a late answer does not hold the next message up. The passes take turns. Needs redis-server.

Goal: Redis adds at most 3 ms to the median and 15 ms to the 99th percentile.
"""

import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

from bench_ask import TOKEN, Server
from bench_redis import Redis

from nbchannels.kernel.discovery import _by_token
from nbchannels.kernel.layer import KernelChannelLayer

MESSAGES, PASSES, PAUSE = 400, 3, 0.005


@contextlib.contextmanager
def server(**variables):
    """A Jupyter server with these variables in its environment."""
    before = dict(os.environ)
    os.environ.update(variables)
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = Server(Path(folder))
        finally:
            os.environ.clear()
            os.environ.update(before)
        try:
            yield found
        finally:
            found.end()


async def one_way(sender, reader):
    """Seconds from the call of a send to the arrival, of each message."""
    took, all_here = [], asyncio.Event()
    loop = asyncio.get_running_loop()
    cursor = await reader.subscribe("latency", "now")

    def look():
        now = time.perf_counter()
        took.extend(now - reader.decode(record)["sent"] for record in cursor.take())
        if len(took) >= MESSAGES:
            loop.call_soon_threadsafe(all_here.set)

    cursor.on_change = look
    sending = set()
    begun = time.perf_counter()
    for place in range(MESSAGES):
        await asyncio.sleep(max(0.0, begun + place * PAUSE - time.perf_counter()))
        message = {"sent": time.perf_counter(), "y": 3.25}
        task = loop.create_task(sender.group_send("latency", message))
        sending.add(task)
        task.add_done_callback(sending.discard)
    async with asyncio.timeout(30):
        await all_here.wait()
    cursor.close()
    return took


def client(url):
    return KernelChannelLayer(find=lambda: _by_token(url, TOKEN, "benchmark"))


def figures(took):
    ordered = sorted(took)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)]


async def measure(memory, first, second):
    ways = {
        "one server, memory": (client(memory.url), client(memory.url)),
        "two servers, Redis": (client(first.url), client(second.url)),
    }
    taken = {name: [] for name in ways}
    for turn in range(PASSES + 1):
        for name, (sender, reader) in ways.items():
            some = await one_way(sender, reader)
            if turn:  # the first only warms up
                taken[name] += some
    found = {name: figures(took) for name, took in taken.items()}
    for name, (median, late) in found.items():
        print(f"{name:>20}: p50 {median * 1e3:6.2f} ms   p99 {late * 1e3:6.2f} ms")
    (base, base_late), (median, late) = found.values()
    print(
        f"{'Redis adds':>20}: p50 {(median - base) * 1e3:6.2f} ms (goal 3)   "
        f"p99 {(late - base_late) * 1e3:6.2f} ms (goal 15)"
    )


def main():
    with (
        Redis() as url,
        server() as memory,
        server(NBCHANNELS_REDIS_URL=url) as first,
        server(NBCHANNELS_REDIS_URL=url) as second,
    ):
        asyncio.run(measure(memory, first, second))


if __name__ == "__main__":
    main()
