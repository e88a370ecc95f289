"""Sends from everywhere in a real kernel: order, nothing lost, no deadlock, no stall."""

import pytest

from tests.kernel.test_layer import Kernel

pytestmark = pytest.mark.integration

THREADS = """
import threading
import nbchannels as nb

def send(thread):
    for n in range(500):
        nb.Group("threads").send({"thread": thread, "n": n}, wait=n % 50 == 0)

threads = [threading.Thread(target=send, args=(t,)) for t in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
nb.Group("threads").send({"thread": -1, "n": 0})
got = [m.content for m in nb.Group("threads").history(5000)][:-1]
by_thread = [[m["n"] for m in got if m["thread"] == t] for t in range(8)]
print(len(got), by_thread == [list(range(500))] * 8)
"""
LOOPS = """
import asyncio, threading, time
import nbchannels as nb
from nbchannels.bridge import user_bridge

async def sync_send_in_a_coroutine():
    started = time.monotonic()
    receipt = nb.Group("loops").send({"y": 1})
    return receipt.offset is not None and time.monotonic() - started < 4

results = [await sync_send_in_a_coroutine()]
thread = threading.Thread(target=lambda: results.append(asyncio.run(sync_send_in_a_coroutine())))
thread.start(); thread.join(10)
results.append(user_bridge.run(sync_send_in_a_coroutine(), 10))
results.append((await nb.Group("loops").asend({"y": 2})).offset is not None)
layer = nb.get_channel_layer()
results.append(nb.async_to_sync(layer.group_send)("loops", {"y": 3}).offset is not None)
print(results)
"""
SEEDED = """
import random
random.seed(0)
import nbchannels as nb
layer = nb.get_channel_layer()
name = await layer.new_channel()
receipt = await nb.Group("seeded").asend({})
print(name, receipt.tag, layer.connection.session.introduction._producer)
"""


@pytest.fixture
def kernel(server):
    kernel = Kernel(server)
    yield kernel
    kernel.end()


def test_eight_threads_keep_their_order_and_lose_nothing(kernel):
    out, error = kernel.run(THREADS)
    assert "Traceback" not in error
    assert out == "4000 True\n", error


def test_a_sync_send_in_a_coroutine_on_any_loop(kernel):
    out, error = kernel.run(LOOPS)
    assert out == "[True, True, True, True, True]\n", error


def test_a_seed_changes_nothing(server, kernel):
    other = Kernel(server)
    try:
        words = [set(each.run(SEEDED)[0].split()) for each in (kernel, other)]
    finally:
        other.end()
    assert len(words[0]) == len(words[1]) == 3
    assert not words[0] & words[1]
