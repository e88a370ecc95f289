"""The bounded queue of what is sent: room, withdrawal, and everyone is told."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from nbchannels.bridge import bridge
from nbchannels.encoding import JSON, Encoded
from nbchannels.exceptions import (
    ChannelFull,
    ChannelsError,
    PermissionDenied,
    SendTimeout,
    WouldDeadlock,
)
from nbchannels.kernel import outbox as module
from nbchannels.kernel.outbox import Outbox
from nbchannels.protocol.client import ClientSession
from nbchannels.protocol.events import Event
from nbchannels.receipt import Receipt

MESSAGE = Encoded(JSON, b"{}")
PATIENCE = 10.0


class FakeLine:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.session = ClientSession("script", "0.1.0", "0" * 32)
        self.detail = "connected to somewhere"
        self.error: ChannelsError | None = None
        self.woken = 0

    def start(self) -> None:
        pass

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def line() -> FakeLine:
    return FakeLine()


@pytest.fixture
def outbox(line: FakeLine, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    return Outbox(line)


def publish(outbox: Outbox, patience: float = 0.0) -> "Future[Receipt]":
    return outbox.publish("group", "index", MESSAGE, True, patience)


def answer(outbox: Outbox, line: FakeLine, upto: int = 99) -> None:
    """The server accepts everything up to a number, without receipts."""
    for waiting in line.session.publisher.outstanding():
        waiting.due = max(waiting.due, 1)
    accepted = [*line.session.publisher.accept("group", "index", upto)]
    for outgoing in accepted:
        outbox.answered(Event("accepted", outgoing))
    outbox.make_room()


def test_an_accepted_message_has_its_receipt(outbox: Outbox, line: FakeLine) -> None:
    future = publish(outbox)
    assert line.woken == 1
    outgoing = line.session.publisher.outstanding()[0]
    outbox.answered(Event("accepted", outgoing, detail={"kind": "group", "name": "index",
                                                        "subscribers": 3}))  # fmt: skip
    assert future.result(0) == Receipt("group", "index", subscribers=3)


def test_a_rejected_message_raises_what_the_server_says(outbox: Outbox, line: FakeLine) -> None:
    future = publish(outbox)
    error = {"code": "full", "message": "full", "channel": "work", "capacity": 5}
    outbox.answered(Event("rejected", line.session.publisher.outstanding()[0], detail=error))
    with pytest.raises(ChannelFull):
        future.result(0)


def test_a_full_queue_says_what_waits(outbox: Outbox) -> None:
    publish(outbox)
    publish(outbox)
    with pytest.raises(SendTimeout, match=r"2 messages of \d+ bytes wait .* within 0\.01 s") as e:
        publish(outbox, patience=0.01)
    assert "connected to somewhere" in str(e.value)


def test_a_full_queue_of_bytes_lets_one_message_of_any_size_in(
    outbox: Outbox, line: FakeLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 10)
    publish(outbox)
    with pytest.raises(SendTimeout):
        publish(outbox)
    answer(outbox, line)
    assert not publish(outbox).done()


def test_a_thread_waits_for_room(outbox: Outbox, line: FakeLine) -> None:
    publish(outbox)
    publish(outbox)
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(publish(outbox, PATIENCE)))
    thread.start()
    while not outbox._rooms:
        thread.join(0.001)
    answer(outbox, line, upto=1)
    thread.join(PATIENCE)
    assert len(got) == 1
    assert line.session.publisher.unacknowledged == 2


@pytest.mark.asyncio
async def test_a_coroutine_waits_for_room_and_the_loop_goes_on(
    outbox: Outbox, line: FakeLine
) -> None:
    await outbox.has_room(MESSAGE, 0.0)
    publish(outbox)
    publish(outbox)
    waiting = asyncio.ensure_future(outbox.has_room(MESSAGE, PATIENCE))
    await asyncio.sleep(0)
    assert not waiting.done()
    answer(outbox, line, upto=1)
    await waiting
    publish(outbox)
    with pytest.raises(SendTimeout):
        await outbox.has_room(MESSAGE, 0.01)


def test_on_the_connections_own_thread_a_full_queue_would_deadlock(outbox: Outbox) -> None:
    async def send() -> None:
        for _ in range(3):
            publish(outbox, PATIENCE)

    with pytest.raises(WouldDeadlock, match="asend"):
        bridge.run(send(), PATIENCE)


def test_what_is_not_written_is_withdrawn_and_raises(outbox: Outbox, line: FakeLine) -> None:
    future = publish(outbox)
    assert outbox.withdraw(future, SendTimeout("given up"))
    assert line.session.publisher.unacknowledged == 0
    with pytest.raises(SendTimeout, match="given up"):
        future.result(0)


def test_what_is_written_stays_on_its_way(outbox: Outbox, line: FakeLine) -> None:
    future = publish(outbox)
    line.session.publisher.take()
    assert not outbox.withdraw(future, SendTimeout("given up"))
    assert not future.done()
    answer(outbox, line)
    assert future.result(0).name == "index"


def test_a_stranger_cannot_be_withdrawn(outbox: Outbox) -> None:
    assert not outbox.withdraw(Future(), SendTimeout(""))


def test_cancelling_withdraws(outbox: Outbox, line: FakeLine) -> None:
    future = publish(outbox)
    assert future.cancel()
    assert line.session.publisher.unacknowledged == 0


def test_an_answer_to_a_cancelled_message_is_no_error(outbox: Outbox, line: FakeLine) -> None:
    future = publish(outbox)
    line.session.publisher.take()
    future.cancel()
    answer(outbox, line)
    assert future.cancelled()


def test_a_refusal_for_good_fails_all_and_what_comes_after(outbox: Outbox, line: FakeLine) -> None:
    futures = [publish(outbox), publish(outbox)]
    line.error = PermissionDenied("no")
    outbox.fail(line.error)
    for future in futures:
        with pytest.raises(PermissionDenied):
            future.result(0)
    with pytest.raises(PermissionDenied):
        publish(outbox)


def test_flush_waits_until_all_is_acknowledged(outbox: Outbox, line: FakeLine) -> None:
    assert outbox.flush(0.0)
    publish(outbox)
    assert not outbox.flush(0.01)
    threading.Timer(0.02, answer, (outbox, line)).start()
    assert outbox.flush(PATIENCE)
