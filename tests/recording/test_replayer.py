"""Sending a recording again, with a clock that the test moves."""

import asyncio
import math
import subprocess
import sys
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from nbchannels.bridge import bridge
from nbchannels.channel import Group
from nbchannels.diagnoses import recent
from nbchannels.encoding import Encoded
from nbchannels.exceptions import LayerUnavailable, PermissionDenied, WouldDeadlock
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.pending import take_unseen
from nbchannels.receipt import Receipt
from nbchannels.recording.entries import Gap
from nbchannels.recording.extents import survey
from nbchannels.recording.replayer import MOST_WAITING, Clock, Replay
from nbchannels.recording.replaying import replay
from tests.recording.conftest import entry

PATIENCE = 30.0


class Moved(Clock):
    """Time that goes by only when somebody waits for it, and then at once."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.waits: list[float] = []
        #: Called at each wait; it may pause or stop what waits.
        self.at_wait: Any = lambda: None
        self.stands = threading.Event()
        self._made: Future[Replay] = Future()

    @property
    def handle(self) -> Replay:
        """What waits: it may begin to before the test has its handle."""
        return self._made.result(PATIENCE)

    def serves(self, handle: Replay) -> None:
        if not self._made.done():
            self._made.set_result(handle)

    def now(self) -> float:
        return self.time

    def wait(self, changed: threading.Condition, seconds: float | None) -> None:
        if seconds is None:
            self.stands.set()
            changed.wait(PATIENCE)
            return
        self.waits.append(round(seconds, 6))
        self.time += seconds
        self.at_wait()


class Timed(InMemoryChannelLayer):
    """A layer that notes when something was sent to it."""

    def __init__(self, clock: Moved) -> None:
        super().__init__()
        self.moved = clock
        self.sent: list[tuple[float, str, bytes]] = []

    def submit(self, kind: Any, name: str, encoded: Encoded, **more: Any) -> Receipt:
        self.sent.append((round(self.moved.time - 1_000, 6), name, encoded.body))
        return super().submit(kind, name, encoded, **more)


@pytest.fixture
def clock() -> Moved:
    return Moved()


@pytest.fixture
def timed(clock: Moved) -> Timed:
    return Timed(clock)


@pytest.fixture
def recorded(written: Any) -> str:
    """Messages at 1, 2, 4 and 8 s, and in another group at 5 s."""
    return written([*(entry(n, float(n)) for n in (1, 2, 4, 8)), entry(1, 5.0, "b")])


def play(path: str, clock: Moved, timed: Timed, **more: Any) -> Replay:
    handle = replay(path, channel_layer=timed, clock=clock, **more)
    clock.serves(handle)
    return handle


def times(timed: Timed) -> list[float]:
    return [time for time, *_ in timed.sent]


@pytest.mark.parametrize("speed", [1.0, 10.0, 0.5])
def test_the_intervals_are_those_of_the_recording(
    recorded: str, clock: Moved, timed: Timed, speed: float
):
    handle = play(recorded, clock, timed, speed=speed).wait(PATIENCE)
    assert times(timed) == pytest.approx([n / speed for n in (0, 1, 3, 4, 7)])
    assert [name for _, name, _ in timed.sent] == ["run", "run", "run", "b", "run"]
    assert (handle.sent, handle.total, handle.position, handle.progress) == (5, 5, 7.0, 1.0)
    assert handle.late == 0
    assert {name: receipt.offset for name, receipt in handle.receipts.items()} == {"run": 1, "b": 1}
    assert repr(handle) == (f"<replayed {recorded} into b, run: 5 of 5 messages, 7.0 of 7.0 s>")


@pytest.mark.parametrize("speed", [None, math.inf])
def test_as_fast_as_it_is_taken(recorded: str, clock: Moved, timed: Timed, speed: float | None):
    handle = play(recorded, clock, timed, speed=speed).wait(PATIENCE)
    assert (times(timed), clock.waits, handle.speed) == ([0.0] * 5, [], None)


def test_bodies_are_sent_as_they_are(written: Any, clock: Moved, timed: Timed):
    items = [entry(n, codec=n % 4, body=b"no body of any codec %d" % n) for n in range(1, 9)]
    play(written(items), clock, timed).wait(PATIENCE)
    page = bridge.run(timed.read("run", "earliest", 100))
    assert [(r.codec, bytes(r.body)) for r in page.records] == [(i.codec, i.body) for i in items]


def test_a_part_of_it_begins_at_once(recorded: str, clock: Moved, timed: Timed):
    handle = play(recorded, clock, timed, start=2.5, stop=7, groups=["run", "b"]).wait(PATIENCE)
    assert times(timed) == pytest.approx([0.5, 1.5])
    assert (handle.total, handle.duration, handle.progress) == (None, 4.5, 1.0)


def test_a_pause_does_not_count(recorded: str, clock: Moved, timed: Timed):
    # After the second wait 3 s of the recording have gone by.
    clock.at_wait = lambda: clock.handle.pause() if len(clock.waits) == 2 else None
    handle = play(recorded, clock, timed, speed=2.0, groups=["run"])
    assert clock.stands.wait(PATIENCE)
    assert handle.is_paused
    assert handle.is_running
    assert repr(handle).startswith(f"<replay paused {recorded} into run: 2 of 4 messages")
    clock.time += 500.0
    handle.resume()
    handle.wait(PATIENCE)
    assert times(timed) == pytest.approx([0.0, 0.5, 501.5, 503.5])


def test_another_speed_holds_from_then_on(recorded: str, clock: Moved, timed: Timed):
    def faster() -> None:
        if len(clock.waits) == 2:  # at 3 s
            clock.handle.speed = 4

    clock.at_wait = faster
    handle = play(recorded, clock, timed, groups=["run"]).wait(PATIENCE)
    assert handle.speed == 4
    assert times(timed) == pytest.approx([0.0, 1.0, 3.0, 4.0])
    with pytest.raises(ValueError, match="speed is an int: 0"):
        handle.speed = 0


def test_it_can_be_stopped(recorded: str, clock: Moved, timed: Timed):
    clock.at_wait = lambda: clock.handle.pause() if len(clock.waits) == 2 else None
    handle = play(recorded, clock, timed)
    assert clock.stands.wait(PATIENCE)
    assert handle.stop() is handle
    assert (handle.sent, handle.is_running) == (2, False)
    assert repr(handle).startswith(f"<replay stopped {recorded} into b, run: 2 of 5 messages")
    assert 0 < handle.progress < 1
    handle.stop()


def test_it_can_be_awaited(recorded: str, clock: Moved, timed: Timed):
    async def story() -> tuple[Replay, Replay]:
        async with play(recorded, clock, timed) as handle:
            pass
        assert await handle is handle
        return handle, await play(recorded, clock, timed).astop()

    first, second = asyncio.run(story())
    assert first.sent == 5
    assert not second.is_running


def test_leaving_its_block_waits_for_its_end(recorded: str, clock: Moved, timed: Timed):
    with play(recorded, clock, timed) as handle:
        pass
    assert (handle.sent, handle.is_running) == (5, False)


def test_an_error_in_its_block_ends_it(recorded: str, clock: Moved, timed: Timed):
    clock.at_wait = lambda: clock.handle.pause()
    handle = play(recorded, clock, timed)
    with pytest.raises(KeyError), handle:  # noqa: PT012
        assert clock.stands.wait(PATIENCE)
        raise KeyError
    assert handle.wait(PATIENCE).sent < 5


def test_waiting_has_an_end(recorded: str, clock: Moved, timed: Timed):
    clock.at_wait = lambda: clock.handle.pause()
    handle = play(recorded, clock, timed)
    assert clock.stands.wait(PATIENCE)
    with pytest.raises(TimeoutError):
        handle.wait(0.01)

    async def wait() -> None:
        handle.wait()

    with pytest.raises(WouldDeadlock):
        bridge.run(wait())
    handle.stop()


def test_whoever_is_behind_says_so(recorded: str, clock: Moved, timed: Timed):
    def slow(*arguments: Any, **more: Any) -> Receipt:
        clock.time += 3.0
        return InMemoryChannelLayer.submit(timed, *arguments, **more)

    timed.submit = slow  # type: ignore[method-assign]
    handle = play(recorded, clock, timed).wait(PATIENCE)
    assert handle.late == pytest.approx(5.0)
    assert "5.0 s behind" in repr(handle)


def test_a_gap_is_passed_and_counted(written: Any, clock: Moved, timed: Timed):
    gap = Gap("run", "trimmed", 2, 2, 3)
    with pytest.warns(UserWarning, match=r"2 messages are missing \(offset 2 to 3\)"):
        handle = play(written([entry(1), gap, entry(4)]), clock, timed)
    handle.wait(PATIENCE)
    assert [gap.lost for gap in handle.gaps] == [2]
    assert "1 gap>" in repr(handle)


def test_a_failure_ends_it_and_is_told(recorded: str, clock: Moved, timed: Timed):
    def refused(kind: Any, name: str, encoded: Encoded, **more: Any) -> Receipt:
        if name == "b":
            raise PermissionDenied("not yours")
        return InMemoryChannelLayer.submit(timed, kind, name, encoded, **more)

    timed.submit = refused  # type: ignore[method-assign]
    handle = play(recorded, clock, timed)
    for _ in range(2):
        with pytest.raises(PermissionDenied, match="not yours") as caught:
            handle.wait(PATIENCE)
    assert handle.error is caught.value
    assert "ended after 3 messages, at 4.0 s" in caught.value.__notes__[0]
    assert len(caught.value.__notes__) == 1
    (told,) = [told for told in recent() if told.kind == "recording"]
    assert "the replay of" in told.sentence
    assert "not yours" in told.sentence
    assert repr(handle).startswith(f"<replay failed {recorded}")


class Slow(InMemoryChannelLayer):
    """A layer that acknowledges when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Future[Receipt]] = []
        self.given_up: list[Future[Receipt]] = []
        self.is_full = threading.Event()

    def submit(self, kind: Any, name: str, encoded: Encoded, **more: Any) -> Any:
        found: Future[Receipt] = Future()
        found.set_running_or_notify_cancel()
        self.waiting.append(found)
        if len(self.waiting) == MOST_WAITING:
            self.is_full.set()
        return found

    def give_up(self, pending: Any, seconds: float) -> Any:
        self.given_up.append(pending)
        return super().give_up(pending, seconds)


def test_only_so_many_wait_for_their_acknowledgement(written: Any):
    layer = Slow()
    path = written([entry(n) for n in range(1, MOST_WAITING + 51)])
    handle = replay(path, speed=None, channel_layer=layer)
    assert layer.is_full.wait(PATIENCE)
    assert len(layer.waiting) == handle.sent == MOST_WAITING
    done = 0
    while done < MOST_WAITING + 50:
        layer.waiting[done].set_result(Receipt("group", "run", offset=done))
        done += 1
        while len(layer.waiting) <= done < MOST_WAITING + 50:
            threading.Event().wait(0.001)
    handle.wait(PATIENCE)
    assert len(layer.waiting) == handle.sent == MOST_WAITING + 50
    assert handle.receipts == {"run": Receipt("group", "run", offset=0)}


def test_a_refusal_that_comes_later_ends_it_and_what_waits_is_given_up(written: Any):
    layer = Slow()
    handle = replay(written([entry(1), entry(2)]), speed=None, channel_layer=layer)
    while len(layer.waiting) < 2:
        threading.Event().wait(0.001)
    layer.waiting[0].set_exception(LayerUnavailable("the server has gone"))
    with pytest.raises(LayerUnavailable, match="the server has gone") as caught:
        handle.wait(PATIENCE)
    assert "1 were not acknowledged" in caught.value.__notes__[0]
    assert layer.given_up == [layer.waiting[1]]


def test_a_refusal_is_seen_before_the_next_message_is_due(written: Any):
    layer = Slow()
    handle = replay(written([entry(1), entry(10**6)]), channel_layer=layer)
    while not layer.waiting:
        threading.Event().wait(0.001)
    layer.waiting[0].set_exception(PermissionDenied("not yours"))
    with pytest.raises(PermissionDenied, match="not yours"):
        handle.wait(PATIENCE)
    assert handle.sent == 1


SCRIPT = """
import sys, nbchannels as nb
from nbchannels.layers.memory import InMemoryChannelLayer
handle = nb.replay(sys.argv[1], channel_layer=InMemoryChannelLayer())
while not handle.sent:
    pass
"""


def test_a_process_that_does_not_wait_for_it_is_told(written: Any):
    path = written([entry(1), entry(10**6)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], text=True, capture_output=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "into run: 1 of 2 messages, " in done.stderr
    assert "has ended with its process; wait for it: replay(...).wait()" in done.stderr


def test_that_nobody_listens_is_told_once(recorded: str, clock: Moved, timed: Timed):
    play(recorded, clock, timed, into="a.name.without.listeners").wait(PATIENCE)
    assert len([s for s in take_unseen() if "no one listens to group 'a.name" in s]) == 1
    group = Group("heard", channel_layer=timed)
    with group.listen():
        play(recorded, clock, timed, into=group).wait(PATIENCE)
    assert take_unseen() == []


def test_damage_in_a_file_is_passed_and_told(written: Any, clock: Moved, timed: Timed):
    path = written([entry(1), None, entry(2), None, entry(3)])
    with open(path, "r+b") as file:
        chunk = survey(file, path).extents[1]
        file.seek(chunk.offset + chunk.length - 3)
        file.write(b"!!!")
    handle = play(path, clock, timed).wait(PATIENCE)
    assert [body for *_, body in timed.sent] == [b'{"n":1}', b'{"n":3}']
    assert [gap.reason for gap in handle.gaps] == ["damaged"]
    assert any("the file is damaged there" in told for told in take_unseen())
