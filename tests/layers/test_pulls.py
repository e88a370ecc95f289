"""Messages are fetched one by one, and only while somebody wants them."""

import asyncio

import pytest

from nbchannels.diagnoses import diagnoses
from nbchannels.layers import pulls
from nbchannels.layers.pulls import Pull, end

pytestmark = pytest.mark.asyncio


class Here:
    """Wants a number of messages; elsewhere is a queue."""

    def __init__(self, wants=0, linger=0.01):
        self.wants, self.got, self.errors = wants, [], []
        self.elsewhere, self.asked = asyncio.Queue(), 0
        self.over = asyncio.Event()
        self.pull = Pull("work", self, self.receive, self.ended, linger)

    async def receive(self, channel):
        self.asked += 1
        found = await self.elsewhere.get()
        if isinstance(found, Exception):
            raise found
        return found

    def wanted(self, channel):
        return self.wants > len(self.got)

    def arrived(self, channel, message):
        self.got.append(message)

    def failed(self, error):
        self.errors.append(error)

    def ended(self, channel):
        self.over.set()

    def want(self, count):
        self.wants = count
        self.pull.poke()


async def until(condition):
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def test_no_more_than_is_wanted():
    here = Here(2, linger=60)
    for n in range(5):
        here.elsewhere.put_nowait(n)
    await until(lambda: len(here.got) == 2)
    here.want(3)
    await until(lambda: len(here.got) == 3)
    assert (here.got, here.asked, here.elsewhere.qsize()) == ([0, 1, 2], 3, 2)
    await end([here.pull.task])


async def test_it_ends_when_nobody_wants_anything_for_a_while():
    here = Here(1)
    await until(lambda: here.asked == 1)
    here.want(0)
    async with asyncio.timeout(20):
        await here.over.wait()
        await asyncio.wait({here.pull.task})
    here.elsewhere.put_nowait(1)
    assert (here.got, here.elsewhere.qsize()) == ([], 1)


async def test_an_error_is_told_and_it_is_tried_again():
    here = Here(1)
    here.elsewhere.put_nowait(ConnectionError("away"))
    here.elsewhere.put_nowait(1)
    await until(lambda: here.got == [1])
    assert [str(error) for error in here.errors] == ["away"]
    await end([here.pull.task])


async def test_what_comes_at_the_last_moment_is_taken():
    here = Here(1)

    async def stubborn(channel):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"

    here.pull._receive = stubborn
    await until(lambda: here.pull._receiving is not None)
    await asyncio.sleep(0)
    here.want(0)
    async with asyncio.timeout(20):
        await asyncio.wait({here.pull.task})
    assert here.got == ["late"]


async def test_a_task_that_swallows_a_cancellation_is_asked_again():
    async def swallows():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    task = asyncio.ensure_future(swallows())
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()


async def test_a_task_that_never_ends_is_left_behind_and_reported():
    stop = False

    async def never():
        while not stop:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass

    task = asyncio.ensure_future(never())
    await asyncio.sleep(0)
    await end([task], patience=0)
    assert [d for d in diagnoses.recent() if d.kind == "task"]
    stop = True
    await asyncio.wait({task})


async def test_pauses_grow_and_begin_anew(monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(pulls.asyncio, "sleep", sleep)
    backoff = pulls.Backoff(1, 3)
    for _ in range(3):
        await backoff.pause()
    backoff.reset()
    await backoff.pause()
    assert slept == [1, 2, 3, 1]
