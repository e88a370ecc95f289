"""Receiving by credit: who waits longest gets it, and nothing is lost or taken twice."""

import asyncio
from typing import Any

import pytest

from nbchannels.exceptions import ChannelClosed
from nbchannels.kernel.inbox import Inbox
from nbchannels.protocol.events import DELIVERY, Record

pytestmark = pytest.mark.asyncio


class FakeWire:
    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def credit(self, channel: str, credit: int) -> None:
        self.said.append(("credit", channel, credit))

    def settle(self, lease: int, outcome: str) -> None:
        self.said.append((outcome, lease))


def delivery(lease: int, channel: str = "work") -> Record:
    return Record(DELIVERY, 1, 0, channel, 0, 0, lease, 0.0, 0, b"{}")


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def wire() -> FakeWire:
    return FakeWire()


@pytest.fixture
def inbox(wire: FakeWire) -> Inbox:
    return Inbox(wire)


async def test_credit_is_the_number_of_those_who_wait(inbox: Inbox, wire: FakeWire) -> None:
    first = asyncio.ensure_future(inbox.receive("work"))
    await turns()
    second = asyncio.ensure_future(inbox.receive("work"))
    await turns()
    assert wire.said == [("credit", "work", 1), ("credit", "work", 2)]
    inbox.deliver(delivery(7))
    inbox.deliver(delivery(8))
    assert [(await first).sequence, (await second).sequence] == [7, 8]
    assert wire.said[2:] == [], "whoever receives settles"


async def test_a_delivery_nobody_waits_for_goes_back(inbox: Inbox, wire: FakeWire) -> None:
    inbox.deliver(delivery(7))
    assert wire.said == [("return", 7)]


async def test_who_leaves_gives_up_its_credit(inbox: Inbox, wire: FakeWire) -> None:
    waiting = asyncio.ensure_future(inbox.receive("work"))
    await turns()
    waiting.cancel()
    await turns()
    assert wire.said[-1] == ("credit", "work", 0)
    inbox.deliver(delivery(7))
    assert wire.said[-1] == ("return", 7)


async def test_who_leaves_when_it_was_delivered_gives_it_back_once(
    inbox: Inbox, wire: FakeWire
) -> None:
    waiting = asyncio.ensure_future(inbox.receive("work"))
    await turns()
    inbox.deliver(delivery(7))
    waiting.cancel()
    await turns()
    assert waiting.cancelled()
    assert [what for what in wire.said if what[0] != "credit"] == [("return", 7)]


async def test_a_receiver_whose_loop_is_closed_is_passed_over(inbox: Inbox, wire: FakeWire) -> None:
    kept: list[Any] = []

    def abandon() -> None:
        loop = asyncio.new_event_loop()
        kept.append(loop.create_task(inbox.receive("work")))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    await asyncio.to_thread(abandon)
    waiting = asyncio.ensure_future(inbox.receive("work"))
    await turns()
    inbox.deliver(delivery(7))
    assert (await waiting).sequence == 7
    kept[0]._log_destroy_pending = False


async def test_a_closed_channel_ends_the_waiting_there_and_nowhere_else(inbox: Inbox) -> None:
    here = asyncio.ensure_future(inbox.receive("a!b"))
    there = asyncio.ensure_future(inbox.receive("work"))
    await turns()
    inbox.fail("a!b", ChannelClosed("closed"))
    with pytest.raises(ChannelClosed):
        await here
    assert not there.done()
    inbox.fail(None, ChannelClosed("all"))
    with pytest.raises(ChannelClosed, match="all"):
        await there
