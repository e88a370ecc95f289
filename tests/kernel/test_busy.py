"""Where the threads are: what holds the thread for consumers, and where in the code."""

import asyncio
import threading

import pytest

from nbchannels.kernel.busy import holder, place_of, place_of_consumer
from nbchannels.message import Message
from nbchannels.routes import Route
from nbchannels.service import Service, running

pytestmark = pytest.mark.asyncio


def service_of(consumer, **options):
    return Service(Route("work", consumer), consumer, **options)


async def eventually(question):
    async with asyncio.timeout(10):
        while not (answer := question()):  # noqa: ASYNC110 - it is asked of a thread
            await asyncio.sleep(0.005)
    return answer


async def test_a_blocked_thread_and_who_waits_behind_it():
    go = threading.Event()

    def slow(message):
        go.wait(10)

    first, second = service_of(slow), service_of(lambda message: None)
    assert holder([first, second]) is None
    running_first = asyncio.create_task(first.run(Message({}, "work")))
    await eventually(lambda: holder([first, second]) is first)
    running_second = asyncio.create_task(second.run(Message({}, "work")))
    await eventually(lambda: second.held)
    assert second.held[0].begun is None
    assert "test_busy.py" in place_of_consumer()
    assert place_of_consumer().endswith("in slow")
    go.set()
    await asyncio.gather(running_first, running_second)
    assert first.held == second.held == []
    assert holder([first, second]) is None


async def test_a_thread_that_is_nowhere():
    assert place_of("no such thread") == ""


async def test_a_coroutine_is_held_from_its_beginning_and_knows_its_service():
    seen = []

    async def consumer(message):
        seen.append((running(), service.held[0].begun is not None))

    service = service_of(consumer)
    assert running() is None
    await service.run(Message({}, "work"))
    assert seen == [(service, True)]
    assert service.held == []


async def test_what_fails_is_held_no_more():
    def fails(message):
        raise ValueError("no")

    service = service_of(fails)
    assert (await service.run(Message({}, "work"))).outcome == "fail"
    assert service.held == []
