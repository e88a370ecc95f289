"""Groups elsewhere are joined, heard, joined again, left."""

import asyncio
import collections

import pytest

from nbchannels.layers import attendance as module
from nbchannels.layers.attendance import Attendance

pytestmark = pytest.mark.asyncio


class Elsewhere:
    """The class, and the listener in one."""

    def __init__(self):
        self.queues = collections.defaultdict(asyncio.Queue)
        self.members = {}
        self.added = collections.Counter()
        self.away = False
        self.told = []
        self.listeners = {"index"}
        self.now = 0.0

    async def new_channel(self):
        self._require()
        return f"own{len(self.queues)}"

    async def receive(self, channel):
        found = await self.queues[channel].get()
        if isinstance(found, Exception):
            raise found
        return found

    async def group_add(self, group, channel):
        self._require()
        self.members[group] = channel
        self.added[group] += 1

    async def group_discard(self, group, channel):
        self._require()
        del self.members[group]

    def _require(self):
        if self.away:
            raise ConnectionError("away")

    def send(self, group, message):
        self.queues[self.members[group]].put_nowait(message)

    def is_heard(self, group):
        return group in self.listeners

    def heard(self, group, message):
        self.told.append((group, message))

    def begins(self, group):
        self.told.append((group, "begins"))

    def failed(self, error):
        self.told.append(("failed", str(error)))

    def answered(self):
        pass


@pytest.fixture
def elsewhere():
    return Elsewhere()


@pytest.fixture
def attendance(elsewhere, monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.01)
    return Attendance(elsewhere, elsewhere, 60, lambda: elsewhere.now)


async def until(condition):
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def test_what_comes_back_is_heard(elsewhere, attendance):
    for _ in range(2):
        await attendance.attend("index")
    assert "index" in attendance
    elsewhere.send("index", 1)
    elsewhere.send("index", 2)
    await until(lambda: len(elsewhere.told) == 3)
    assert elsewhere.told == [("index", "begins"), ("index", 1), ("index", 2)]
    await attendance.end()
    assert (elsewhere.members, list(attendance._seats)) == ({}, [])


async def test_it_is_joined_again_and_again(elsewhere, attendance):
    await attendance.attend("index")
    await until(lambda: elsewhere.added["index"] > 3)
    await attendance.end()


async def test_when_it_is_back_it_is_joined_at_once(elsewhere, monkeypatch):
    attendance = Attendance(elsewhere, elsewhere, 3600, lambda: elsewhere.now)
    await attendance.attend("index")
    attendance.look()
    await until(lambda: elsewhere.added["index"] == 2)
    await attendance.end()


async def test_what_is_away_is_tried_until_it_is_there(elsewhere, attendance):
    elsewhere.away = True
    await attendance.attend("index")
    assert elsewhere.told == [("index", "begins"), ("failed", "away")]
    elsewhere.away = False
    await until(lambda: "index" in elsewhere.members)
    elsewhere.send("index", ConnectionError("again"))
    elsewhere.send("index", 1)
    await until(lambda: elsewhere.told[-1] == ("index", 1))
    assert ("failed", "again") in elsewhere.told
    await attendance.end()


async def test_a_group_that_nobody_hears_is_left_after_a_while(elsewhere, attendance):
    await attendance.attend("index")
    await attendance.attend("other")
    elsewhere.now = module.LINGER + 1
    await until(lambda: "other" not in attendance)
    assert set(elsewhere.members) == {"index"}
    await attendance.attend("other")
    assert elsewhere.told[-1] == ("other", "begins")
    await attendance.end()


async def test_begun_anew_are_those_that_somebody_hears(elsewhere, attendance):
    await attendance.attend("index")
    await attendance.attend("other")
    elsewhere.members.clear()
    await attendance.begin_anew()
    assert set(elsewhere.members) == {"index"}
    elsewhere.send("index", 1)
    await until(lambda: elsewhere.told[-1] == ("index", 1))
    await attendance.end()
