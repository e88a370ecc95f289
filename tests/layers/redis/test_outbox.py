import asyncio
from concurrent.futures import CancelledError

import pytest

from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import ChannelFull, DeliveryUnknown, LayerUnavailable, OutOfOrder
from nbchannels.layers.producers import Producer
from nbchannels.layers.redis import outbox as module
from nbchannels.layers.redis.calls import Unanswered
from nbchannels.layers.redis.outbox import Outbox, Parcel
from nbchannels.protocol.events import RETRIED
from nbchannels.receipt import Receipt

pytestmark = pytest.mark.asyncio


class Redis:
    """Takes what is delivered, when the gate is open."""

    def __init__(self):
        self.calls = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.errors = {}
        self.began = asyncio.Event()

    async def deliver(self, name, parcels):
        self.calls.append((name, [parcel.encoded.body for parcel in parcels]))
        self.began.set()
        await self.gate.wait()
        for parcel in parcels:
            error = self.errors.pop(parcel.encoded.body, None)
            if isinstance(error, ChannelFull):
                parcel.failed(error)
            elif error is not None:
                raise error
            else:
                parcel.done(Receipt("channel", name))


@pytest.fixture
def redis():
    return Redis()


@pytest.fixture
def outbox(redis):
    return Outbox(
        lambda function: asyncio.get_running_loop().call_soon(function),
        redis.deliver, redis.deliver, "redis://here",
    )  # fmt: skip


def parcel(body, producer="p", *, own=False, refused=None):
    return Parcel(Encoded(JSON, body), Producer(producer, 1), own, 0, 0, refused)


async def ended(*parcels):
    async with asyncio.timeout(10):
        return await asyncio.gather(
            *(asyncio.wrap_future(one.future) for one in parcels), return_exceptions=True
        )


async def test_what_gathers_while_a_call_is_under_way_goes_together(outbox, redis):
    redis.gate.clear()
    parcels = [parcel(b"%d" % n, own=True) for n in range(5)]
    outbox.add("channel", "work", parcels[0])
    await redis.began.wait()
    for one in parcels[1:]:
        outbox.add("channel", "work", one)
    redis.gate.set()
    assert all(isinstance(one, Receipt) for one in await ended(*parcels))
    assert redis.calls == [("work", [b"0"]), ("work", [b"1", b"2", b"3", b"4"])]
    assert (outbox.count, outbox.bytes) == (0, 0)


async def test_targets_do_not_wait_for_each_other(outbox, redis):
    redis.gate.clear()
    first, second = parcel(b"1"), parcel(b"2")
    outbox.add("channel", "slow", first)
    await redis.began.wait()
    redis.began.clear()
    outbox.add("group", "other", second)
    async with asyncio.timeout(10):
        await redis.began.wait()
    redis.gate.set()
    await ended(first, second)
    assert [name for name, _ in redis.calls] == ["slow", "other"]


async def test_what_was_withdrawn_is_not_sent(outbox, redis):
    redis.gate.clear()
    first, second = parcel(b"1"), parcel(b"2")
    outbox.add("channel", "work", first)
    await redis.began.wait()
    outbox.add("channel", "work", second)
    assert outbox.give_up(second.future)
    assert not outbox.give_up(first.future), "it is under way"
    redis.gate.set()
    await ended(first)
    assert redis.calls == [("work", [b"1"])]
    with pytest.raises(CancelledError):
        second.future.result(0)


async def test_what_comes_behind_a_refused_message_is_refused_too(outbox, redis):
    redis.gate.clear()
    told = []
    first = parcel(b"1", refused=lambda: told.append(1))
    behind, other, own = parcel(b"2"), parcel(b"3", "other"), parcel(b"4", "own", own=True)
    redis.errors[b"1"] = LayerUnavailable("for a time")
    outbox.add("channel", "work", first)
    await redis.began.wait()
    for one in (behind, other, own):
        outbox.add("channel", "work", one)
    redis.gate.set()
    found = await ended(first, behind, other, own)
    assert [type(one) for one in found] == [LayerUnavailable, OutOfOrder, Receipt, Receipt]
    assert told == [1], "before the sender hears of it"


async def test_an_error_says_whether_it_may_have_been_done(outbox, redis):
    written, unwritten = Unanswered("no answer"), Unanswered("no answer")
    written.written = True
    for error, kind in ((written, DeliveryUnknown), (unwritten, LayerUnavailable)):
        redis.errors[b"1"] = error
        one = parcel(b"1")
        outbox.add("channel", "work", one)
        (found,) = await ended(one)
        assert isinstance(found, kind)
        assert isinstance(found, DeliveryUnknown) == error.written


async def test_what_waits_is_bounded(outbox, redis, monkeypatch):
    monkeypatch.setattr(module, "WAITING", 3)
    monkeypatch.setattr(module, "WAITING_BYTES", 10)
    redis.gate.clear()
    parcels = [parcel(b"x" * 100), *(parcel(b"1", own=True) for _ in range(3))]
    outbox.add("channel", "work", parcels[0])  # one of any size, if nothing else waits
    await redis.began.wait()
    for one in parcels[1:]:
        outbox.add("channel", "work", one)
    with pytest.raises(LayerUnavailable, match=r"3 messages \(3 bytes\) wait .*limit is 3"):
        outbox.add("channel", "work", parcel(b"1"))
    redis.gate.set()
    await ended(*parcels)
    outbox.add("channel", "a", parcel(b"12345"))
    with pytest.raises(LayerUnavailable, match="10 bytes"):
        outbox.add("channel", "b", parcel(b"123456"))
    await outbox.close()


async def test_what_is_left_when_it_closes_fails_and_says_what_is_known(outbox, redis):
    redis.gate.clear()
    under_way, waiting = parcel(b"1"), parcel(b"2")
    outbox.add("channel", "work", under_way)
    await redis.began.wait()
    outbox.add("channel", "work", waiting)
    await outbox.close()
    found = await ended(under_way, waiting)
    assert [isinstance(one, DeliveryUnknown) for one in found] == [True, False]
    assert all("is closed" in str(one) for one in found)
    with pytest.raises(LayerUnavailable, match="is closed"):
        outbox.add("channel", "work", parcel(b"3"))


async def test_what_is_written_again_says_so():
    one = parcel(b"1")
    one.repeat()
    assert one.flags == RETRIED
