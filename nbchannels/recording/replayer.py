"""Sending a recording again, at the pace at which it was sent, or at another.

A replay reads and sends on a thread of its own: ``send`` waits there for room in the queue, which
is the back pressure. Bodies are sent as they were recorded; their time is that of the replay.
"""

import asyncio
import atexit
import contextlib
import math
import os
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.diagnoses import report
from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelsError
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.pending import SEND_TIMEOUT, note_unseen, tell_later, wait_for
from nbchannels.reading import MessagesMissing
from nbchannels.receipt import Receipt
from nbchannels.recording.entries import Entry, Gap, counted
from nbchannels.recording.pace import Pace, require_speed
from nbchannels.recording.reader import Recording

__all__ = ["Clock", "Replay"]

#: Messages that wait for their acknowledgement at most.
MOST_WAITING = 1_000
#: Seconds that the end of the interpreter waits for what was sent.
EXIT_TIMEOUT = 1.0


class Clock:
    """The time, and waiting for it; tests have another."""

    def now(self) -> float:
        """Seconds."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, seconds: float | None) -> None:
        """Wait, with the condition held, until it is notified or the time is over."""
        changed.wait(seconds)


class Replay:
    """A recording that is being sent; made by `nbchannels.recording.replaying.replay`.

    It runs by itself. ``await`` it, or `wait`, for its end; leaving its ``with`` block waits, too.
    A failure ends it: it is told at once among the diagnoses, and raised to whoever waits.

    Attributes:
        path: of the file.
        groups: what each recorded group is sent to.
        sent: messages so far.
        total: messages to send; ``None`` with ``start`` or ``stop``, which say no number.
        gaps: gaps of the recording that were passed.
        receipts: by group, of the first message that it was sent: who is there.
        error: what ended it, if something did.
    """

    def __init__(
        self,
        recording: Recording,
        layer: BaseChannelLayer,
        groups: dict[str, str],
        speed: float,
        span: tuple[float, float | None] = (0.0, None),
        clock: Clock | None = None,
    ) -> None:
        self.path = recording.path
        self.groups = groups
        self.sent = 0
        self.gaps: list[Gap] = []
        self.receipts: dict[str, Receipt] = {}
        self.error: BaseException | None = None
        is_whole = span == (0.0, None)
        self.total = sum(recording.groups[name] for name in groups) if is_whole else None
        start, stop = span
        self.duration = max(min(recording.duration, stop or math.inf) - start, 0.0)
        self._layer = layer
        self._clock = clock or Clock()
        self._pace = Pace(speed)
        self._changed = threading.Condition()
        self._is_stopped = False
        self._at = 0.0
        self._is_late = 0.0
        self._pending: deque[tuple[str, Future[Receipt]]] = deque()
        self._met: set[str] = set()
        self._done: Future[None] = Future()
        self._begin = round(start * 10**9) + recording.first
        items = recording.entries(groups, start, stop)
        self._process = os.getpid()
        atexit.register(self._exiting)
        threading.Thread(
            target=self._work, args=(items,), name=f"nbchannels replay {self.path}", daemon=True
        ).start()

    # What goes on.

    @property
    def is_running(self) -> bool:
        """Whether it goes on, or is paused."""
        return not self._done.done()

    @property
    def is_paused(self) -> bool:
        """Whether it stands."""
        return self._pace.is_paused and self.is_running

    @property
    def position(self) -> float:
        """Seconds of the recording that were sent."""
        return self._at

    @property
    def progress(self) -> float:
        """How much of it was sent, from 0 to 1."""
        if self.total:
            return self.sent / self.total
        if not self.is_running and not self._is_stopped and self.error is None:
            return 1.0
        return min(self._at / self.duration, 1.0) if self.duration else 0.0

    @property
    def late(self) -> float:
        """Seconds by which the newest message was sent later than its speed asks for."""
        return self._is_late

    @property
    def speed(self) -> float | None:
        """Recorded seconds in a second; ``None``: as fast as possible. It can be set."""
        speed = self._pace.speed
        return None if math.isinf(speed) else speed

    @speed.setter
    def speed(self, speed: float | None) -> None:
        wanted = require_speed(speed)
        with self._changed:
            self._pace.change(wanted, self._clock.now())
            self._changed.notify_all()

    def pause(self) -> None:
        """Send nothing more until `resume`. Idempotent."""
        with self._changed:
            self._pace.pause(self._clock.now())
            self._changed.notify_all()

    def resume(self) -> None:
        """Go on; the time of the pause does not count. Idempotent."""
        with self._changed:
            self._pace.resume(self._clock.now())
            self._changed.notify_all()

    # The end.

    def wait(self, timeout: float | None = None) -> "Replay":
        """Wait until all of it was sent and acknowledged.

        Raises:
            TimeoutError: it still goes on; wait again.
            ChannelsError: what it failed with.
            WouldDeadlock: on the connection's own thread; ``await`` it there.
        """
        bridge.wait(self._done, timeout)
        return self

    def stop(self) -> "Replay":
        """End it; what was sent until now is waited for. Idempotent, from any thread."""
        self._end()
        return self.wait()

    async def astop(self) -> "Replay":
        """The async twin of `stop`."""
        self._end()
        return await self

    def _end(self) -> None:
        with self._changed:
            self._is_stopped = self._is_stopped or self.is_running
            self._changed.notify_all()

    def _exiting(self) -> None:
        """The interpreter ends: whoever did not wait is told."""
        if not self.is_running or os.getpid() != self._process:
            return
        self._end()
        with contextlib.suppress(ChannelsError, TimeoutError):
            self.wait(EXIT_TIMEOUT)
        if self.error is None:
            warnings.warn(
                f"{self!r} has ended with its process; wait for it: replay(...).wait()",
                MessagesMissing,
                stacklevel=1,
            )

    def __await__(self) -> Generator[Any, None, "Replay"]:
        return self._finished().__await__()

    async def _finished(self) -> "Replay":
        done = asyncio.wrap_future(self._done)
        # Whoever is cancelled here has not seen a failure; it is told elsewhere.
        done.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(done)
        return self

    def __enter__(self) -> "Replay":
        return self

    def __exit__(self, kind: Any, *exc: object) -> None:
        if kind is None:
            self.wait()
        else:
            self._end()

    async def __aenter__(self) -> "Replay":
        return self

    async def __aexit__(self, kind: Any, *exc: object) -> None:
        if kind is None:
            await self
        else:
            self._end()

    # The thread.

    def _work(self, items: Iterator[Entry | Gap]) -> None:
        try:
            self._pace.begin(self._begin, self._clock.now())
            for item in items:
                if not self._is_due(item):
                    break
                self._at = max((item.moment - self._begin) / 10**9, 0.0)
                if isinstance(item, Gap):
                    self.gaps.append(item)
                    if item.reason == "damaged":  # what the file says itself was told before
                        note_unseen(f"replay of {self.path}: {item}")
                else:
                    self._send(item)
            while self._pending:
                self._settle()
        except Exception as error:
            self._fail(error)
            self._done.set_exception(error)
        else:
            self._done.set_result(None)
        finally:
            atexit.unregister(self._exiting)

    def _is_due(self, item: Entry | Gap) -> bool:
        """Wait for the moment of an item; ``False`` if the replay was stopped."""
        with self._changed:
            while not self._is_stopped:
                left = self._pace.seconds_until(item.moment, self._clock.now())
                if left <= 0:
                    self._is_late = -left
                    return True
                self._look()
                self._clock.wait(self._changed, None if math.isinf(left) else left)
        return False

    def _send(self, entry: Entry) -> None:
        group = self.groups[entry.group]
        is_first = group not in self._met
        encoded = Encoded(entry.codec, entry.body)
        result = self._layer.submit("group", group, encoded, receipt=is_first)
        if isinstance(result, Receipt):
            future: Future[Receipt] = Future()
            future.set_result(result)
        else:
            future = result
            future.add_done_callback(self._decided)
        if is_first:  # whether somebody listens
            self._met.add(group)
            future.add_done_callback(tell_later)
        self._pending.append((group, future))
        self.sent += 1
        self._look()
        while len(self._pending) >= MOST_WAITING:
            self._settle()

    def _decided(self, future: "Future[Receipt]") -> None:
        """A failure is looked at now, and not when the next message is due."""
        if future.cancelled() or future.exception() is not None:
            with self._changed:
                self._changed.notify_all()

    def _look(self) -> None:
        """What is acknowledged; a failure is raised."""
        while self._pending and self._pending[0][1].done():
            self._settle()

    def _settle(self) -> None:
        group, future = self._pending[0]
        try:
            receipt = wait_for(self._layer, future, SEND_TIMEOUT, f"group {group!r}")
            self.receipts.setdefault(group, receipt)
        finally:
            self._pending.popleft()

    def _fail(self, error: Exception) -> None:
        self.error = error
        waiting = len(self._pending)
        for _, future in self._pending:
            if not future.done():
                self._layer.give_up(future, SEND_TIMEOUT)
        error.add_note(
            f"the replay of {self.path} ended after {counted(self.sent, 'message')}, at "
            f"{self._at:.1f} s" + (f"; {waiting:,} were not acknowledged" if waiting else "")
        )
        report(
            "recording", f"the replay of {self.path} ended at {self._at:.1f} s: {error}",
            subject=f"replay {self.path}", detail="".join(traceback.format_exception(error)),
        )  # fmt: skip

    def __repr__(self) -> str:
        names = [a if a == b else f"{a} → {b}" for a, b in self.groups.items()]
        if self.error is not None:
            state = "replay failed"
        elif self.is_running:
            state = "replay paused" if self.is_paused else "replaying"
        else:
            state = "replay stopped" if self._is_stopped else "replayed"
        of = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{self.sent:,}{of} messages", f"{self._at:.1f} of {self.duration:.1f} s"]
        if self.is_running and self._pace.speed not in (1, math.inf):
            parts.append(f"at speed {self._pace.speed:g}")
        if self._is_late >= 0.5 and not math.isinf(self._pace.speed):
            parts.append(f"{self._is_late:.1f} s behind")
        if self.gaps:
            parts.append(counted(len(self.gaps), "gap"))
        if self.error is not None:
            parts.append(str(self.error))
        return f"<{state} {self.path} into {', '.join(names) or 'nothing'}: {', '.join(parts)}>"
