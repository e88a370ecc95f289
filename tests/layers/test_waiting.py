"""Coroutines that wait: they are woken together, and what they cannot take is not lost."""

import asyncio
import threading
import time

import pytest

from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.testing.reading import receive

pytestmark = pytest.mark.asyncio


@pytest.fixture
def layer():
    return InMemoryChannelLayer()


@pytest.fixture
def elsewhere():
    """A loop on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def waiters(layer, channel):
    box = layer._registry.mailboxes.get(channel)
    return len(box.waiters) if box is not None else 0


async def test_who_is_cancelled_with_a_message_in_hand_leaves_it_in_front_as_it_was(layer):
    waiting = asyncio.ensure_future(layer.receive("work"))
    await until(lambda: waiters(layer, "work") == 1)
    await layer.send("work", {"n": 1})
    waiting.cancel()  # it was given the message and has not run since
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    await layer.send("work", {"n": 2})
    lease = await asyncio.wait_for(layer.lease("work"), 10)
    assert (lease.message, lease.redelivered) == ({"n": 1}, False)
    assert await receive(layer, "work") == {"n": 2}


async def test_what_a_cancelled_one_leaves_goes_to_the_next_who_waits(layer):
    first = asyncio.ensure_future(layer.receive("work"))
    await until(lambda: waiters(layer, "work") == 1)
    second = asyncio.ensure_future(layer.receive("work"))
    await until(lambda: waiters(layer, "work") == 2)
    await layer.send("work", {"n": 1})
    first.cancel()
    assert await asyncio.wait_for(second, 10) == {"n": 1}


async def test_a_loop_that_has_ended_loses_nothing(layer):
    gone = asyncio.new_event_loop()
    waiting = gone.create_task(layer.receive("work"))
    gone.call_soon(gone.stop)
    thread = threading.Thread(target=gone.run_forever)
    thread.start()
    thread.join()
    assert waiters(layer, "work") == 1
    await layer.send("work", {"n": 1})
    assert await receive(layer, "work") == {"n": 1}
    waiting.cancel()
    thread = threading.Thread(target=lambda: gone.run_until_complete(asyncio.wait([waiting])))
    thread.start()
    thread.join()
    gone.close()


async def test_a_hundred_on_another_loop_cost_one_call_of_it(layer, elsewhere):
    names = [await layer.new_channel() for _ in range(100)]
    for name in names:
        await layer.group_add("index", name)

    async def all_of_them():
        return await asyncio.gather(*map(layer.receive, names))

    received = asyncio.run_coroutine_threadsafe(all_of_them(), elsewhere)
    await until(lambda: all(waiters(layer, name) == 1 for name in names))
    calls = []
    plain = elsewhere.call_soon_threadsafe
    elsewhere.call_soon_threadsafe = lambda *args, **options: (
        calls.append(args),
        plain(*args, **options),
    )
    await layer.group_send("index", {"n": 1})
    assert await asyncio.wrap_future(received) == [{"n": 1}] * 100
    del elsewhere.call_soon_threadsafe
    assert len([args for args in calls if "wake" in repr(args[0])]) == 1
