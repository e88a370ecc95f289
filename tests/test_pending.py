"""Waiting for receipts, and telling what nobody looked at."""

import asyncio
import re
import threading
import warnings
from concurrent.futures import Future

import pytest

from nbchannels import pending as module
from nbchannels.bridge import bridge
from nbchannels.exceptions import (
    ChannelFull,
    ChannelsError,
    DeliveryUnknown,
    SendTimeout,
    WouldDeadlock,
)
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.pending import (
    NobodyListens,
    PendingReceipt,
    expect,
    note_unseen,
    sent_to_nobody,
    take_unseen,
    tell,
    tell_later,
    wait_for,
)
from nbchannels.receipt import Receipt

RECEIPT = Receipt("group", "index", 0, 1)
FULL = ChannelFull(channel="work", capacity=5)


@pytest.fixture(autouse=True)
def forget():
    take_unseen()
    module._told.clear()
    yield
    take_unseen()
    module._told.clear()


class Layer(InMemoryChannelLayer):
    """Counts what was given up; can withdraw, or not."""

    def __init__(self, certain=False):
        super().__init__()
        self.certain = certain
        self.given_up = []

    def give_up(self, pending, seconds):
        self.given_up.append(pending)
        return SendTimeout("withdrawn") if self.certain else super().give_up(pending, seconds)


@pytest.fixture
def layer():
    return Layer()


@pytest.fixture
def future():
    return Future()


# wait_for


def test_a_receipt_that_is_there(layer, future):
    future.set_result(RECEIPT)
    assert wait_for(layer, future, 5) is RECEIPT


def test_a_receipt_that_comes(layer, future):
    bridge.call(future.set_result, RECEIPT)
    assert wait_for(layer, future, 5) is RECEIPT


def test_a_failure_is_raised(layer, future):
    bridge.call(future.set_exception, FULL)
    with pytest.raises(ChannelFull) as caught:
        wait_for(layer, future, 5)
    assert caught.value is FULL
    assert not layer.given_up


def test_what_was_written_is_unknown_and_can_be_waited_for(layer, future):
    with pytest.raises(DeliveryUnknown, match="within 0.01 s; the message may have arr") as caught:
        wait_for(layer, future, 0.01, "group 'index'")
    assert layer.given_up == [future]
    receipt = caught.value.receipt
    assert repr(receipt) == "<on its way to group 'index'>"
    bridge.call(future.set_result, RECEIPT)
    assert receipt.wait(5) is RECEIPT


def test_what_was_not_written_is_withdrawn(future):
    layer = Layer(certain=True)
    with pytest.raises(SendTimeout, match="withdrawn"):
        wait_for(layer, future, 0.01)
    assert layer.given_up == [future]


def test_a_send_that_times_out_by_itself_is_not_given_up(layer, future):
    future.set_exception(SendTimeout("by itself"))
    with pytest.raises(SendTimeout, match="by itself"):
        wait_for(layer, future, 5)
    assert not layer.given_up


@pytest.mark.parametrize("is_done", [True, False])
def test_an_interrupt_withdraws(layer, future, monkeypatch, is_done):
    def interrupted(*_):
        if is_done:
            future.set_result(RECEIPT)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(bridge), "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        wait_for(layer, future, 5)
    assert layer.given_up == ([] if is_done else [future])


def test_on_the_bridge_it_would_deadlock(layer, future):
    async def wait():
        return wait_for(layer, future, 5)

    with pytest.raises(WouldDeadlock):
        bridge.run(wait(), 10)
    assert not layer.given_up


# PendingReceipt


def test_a_pending_receipt(layer, future):
    receipt = PendingReceipt(layer, "group 'index'", future)
    assert (receipt.done, repr(receipt)) == (False, "<on its way to group 'index'>")
    future.set_result(RECEIPT)
    assert (receipt.done, repr(receipt)) == (True, repr(RECEIPT))
    assert receipt.wait() is RECEIPT
    assert asyncio.run(awaited(receipt)) is RECEIPT
    assert not take_unseen()


async def awaited(receipt):
    return await receipt


def test_a_failure_that_nobody_looks_at_is_told_once(layer, future):
    PendingReceipt(layer, "channel 'work'", future)
    future.set_exception(FULL)
    assert take_unseen() == [f"channel 'work': {FULL}"]
    assert take_unseen() == []


def test_a_withdrawal_that_nobody_looks_at_is_told(layer, future):
    receipt = PendingReceipt(layer, "channel 'work'", future)
    future.cancel()
    assert take_unseen() == ["channel 'work': withdrawn before it was sent"]
    assert repr(receipt) == "<not sent to channel 'work': withdrawn before it was sent>"


def look_by_wait(receipt):
    with pytest.raises(ChannelFull):
        receipt.wait()


def look_by_await(receipt):
    with pytest.raises(ChannelFull):
        asyncio.run(awaited(receipt))


def look_by_repr(receipt):
    assert repr(receipt) == f"<not sent to channel 'work': {FULL}>"


@pytest.mark.parametrize("look", [look_by_wait, look_by_await, look_by_repr])
def test_a_failure_that_was_looked_at_is_not_told(layer, look):
    future = Future()
    receipt = PendingReceipt(layer, "channel 'work'", future)
    future.set_exception(FULL)
    look(receipt)
    assert take_unseen() == []


def test_who_waits_when_it_fails_has_looked(layer, future):
    receipt = PendingReceipt(layer, "channel 'work'", future)
    bridge.call(future.set_exception, FULL)
    look_by_wait(receipt)
    bridge.run(asyncio.sleep(0))  # the callbacks of the future have run
    assert take_unseen() == []


def test_who_gave_up_waiting_has_not_looked(layer, future):
    receipt = PendingReceipt(layer, "channel 'work'", future)
    with pytest.raises(TimeoutError):
        receipt.wait(0.01)
    assert not receipt.done
    future.set_exception(FULL)
    assert take_unseen() == [f"channel 'work': {FULL}"]


def test_giving_up_an_await_does_not_give_up_the_message(layer, future):
    receipt = PendingReceipt(layer, "group 'index'", future)

    async def impatient():
        waiting = asyncio.ensure_future(awaited(receipt))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not future.cancelled()
        future.set_result(RECEIPT)
        return await receipt

    assert asyncio.run(impatient()) is RECEIPT


def test_waiting_on_the_bridge_would_deadlock(layer, future):
    receipt = PendingReceipt(layer, "group 'index'", future)

    async def wait():
        return receipt.wait()

    with pytest.raises(WouldDeadlock):
        bridge.run(wait(), 10)
    future.set_exception(FULL)
    assert len(take_unseen()) == 1


# What nobody looked at


def test_the_newest_hundred_are_told_and_the_others_counted():
    for n in range(103):
        note_unseen(f"failure {n}")
    told = take_unseen()
    assert told[0] == "(3 earlier failures are not shown)"
    assert told[1:] == [f"failure {n}" for n in range(3, 103)]
    note_unseen("another")
    assert take_unseen() == ["another"]


def test_failures_are_told_once_from_many_threads():
    told = []

    def work(thread):
        for n in range(200):
            note_unseen(f"{thread} {n}")
            if n % 5 == 0:
                told.extend(take_unseen())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told += take_unseen()
    hidden = sum(int(n) for s in told for n in re.findall(r"^\((\d+) earlier", s))
    shown = [s for s in told if not s.startswith("(")]
    assert len(set(shown)) == len(shown)
    assert len(shown) + hidden == 800


# Hints


def hinted(hint, name="index"):
    return Receipt("group", name, 0, 0, hint=hint)


def test_a_hint_is_said_once_per_name_here():
    with pytest.warns(NobodyListens, match="^no one listens$") as caught:
        tell(hinted("no one listens"), stacklevel=2)
    assert caught[0].filename == __file__
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert tell(hinted("no one listens")) == hinted("no one listens")
        tell(Receipt("group", "other"))
    assert not caught
    with pytest.warns(NobodyListens):
        tell(hinted("no one listens", "other"))


def test_a_hint_is_said_again_when_it_was_good_in_between():
    with pytest.warns(NobodyListens):
        tell(hinted("no one listens"))
    tell(RECEIPT)
    with pytest.warns(NobodyListens):
        tell(hinted("no one listens"))


def test_who_is_expected_is_not_missed():
    expect("group", "index")
    tell(hinted("no one listens"))
    with pytest.warns(NobodyListens):
        tell(Receipt("channel", "index", hint="no one receives"))


def test_the_names_told_are_bounded():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(10_001):
            tell(hinted("no one listens", f"name{n}"))
    assert len(caught) == 10_001
    assert len(module._told) == 1


def test_hints_of_sends_that_are_not_waited_for_are_told_at_cell_end(future):
    future.add_done_callback(tell_later)
    future.set_result(hinted("no one listens"))
    assert take_unseen() == ["no one listens"]
    for result in (hinted("no one listens"), RECEIPT):
        future = Future()
        future.set_result(result)
        tell_later(future)
    failed, cancelled = Future(), Future()
    failed.set_exception(ChannelsError("x"))
    cancelled.cancel()
    tell_later(failed)
    tell_later(cancelled)
    assert take_unseen() == []


def test_who_was_sent_to_while_nobody_listened():
    with pytest.warns(NobodyListens):
        tell(hinted("no one listens"))
    with pytest.warns(NobodyListens):
        tell(Receipt("channel", "work", hint="no one receives"))
    assert sent_to_nobody("group") == ["index"]
    assert sent_to_nobody("channel") == ["work"]
    tell(RECEIPT)
    assert sent_to_nobody("group") == []
