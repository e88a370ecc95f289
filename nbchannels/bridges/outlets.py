"""What waits to be sent to a group, and the thread that sends it.

Whoever calls from a loop shall not wait: what they say gathers in an `Outlet`, and one thread per
process sends it, at most 60 times a second for each group. It keeps its order. What cannot be sent
is told (`nbchannels.diagnoses`) and raised at the next call; what gathers faster than it can be
sent is bounded, and a drop is told, too.
"""

import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from collections import deque
from concurrent.futures import Future
from typing import Any, NamedTuple

from nbchannels.bridge import bridge
from nbchannels.channel import Group
from nbchannels.diagnoses import report
from nbchannels.encoding import Encoded
from nbchannels.exceptions import (
    ChannelsError,
    LayerUnavailable,
    MessageTooLarge,
    SendTimeout,
    WouldDeadlock,
    shown,
)
from nbchannels.pending import tell_later
from nbchannels.receipt import Receipt

__all__ = ["PACE", "Outlet", "Parcel", "Postman", "flush_all"]

#: Seconds between two messages to one group.
PACE = 1 / 60
#: Messages of one group that wait to be acknowledged; what comes meanwhile gathers.
MOST_FLYING = 64
#: Seconds until what found no room is tried again.
AGAIN = 0.5
#: Seconds that the end of the process, and of a cell, waits.
EXIT_PATIENCE, CELL_PATIENCE = 2.0, 1.0


class Parcel(NamedTuple):
    """A message to be sent.

    Attributes:
        content: of it.
        amount: how many of what the user said stand in it.
    """

    content: Any
    amount: int = 1


class Outlet:
    """What waits to be sent to one group. Thread-safe.

    Args:
        group: that it is sent to.
    """

    #: What the user says, for the sentences.
    word = "message"
    #: Seconds between two messages.
    pace = PACE
    #: Whether the first message is sent by the caller, so that what fails is raised on its line.
    sends_first = True

    def __init__(self, group: Group) -> None:
        self.group = group
        self.begin_anew()
        bridge.listen(self)
        _postman.know(self)

    def begin_anew(self) -> None:
        """Nothing waits, nothing has failed."""
        self.lock = threading.Lock()
        self._sending = threading.RLock()
        self._packed: deque[tuple[Encoded, Parcel]] = deque()
        self._flying: deque[tuple[Future[Receipt], Parcel]] = deque()
        self._next = 0.0
        self._seen = False
        self.error: BaseException | None = None
        #: Whether the thread knows that something waits.
        self.is_announced = False
        #: Whether something was sent: before, a call sends by itself, and raises in its line.
        self.has_begun = False

    def forked(self) -> None:
        """In the child of a fork: what waits is the parent's, who sends it."""
        self.begin_anew()

    def exiting(self) -> None:
        """`flush_all` was there before."""

    # For subclasses.

    def take(self) -> list[Parcel]:
        """What shall be sent now, in order; it does not wait any more."""
        raise NotImplementedError

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        raise NotImplementedError

    def announce(self) -> None:
        """Something waits: send it, now or on the thread."""
        if self.sends_first and not self.has_begun and not bridge.here:
            self.send(seen=True)
            self.raise_error()
            return
        self.is_announced = True
        _postman.wake(self, self._next)

    def raise_error(self) -> None:
        """Raise what sending has failed with, once."""
        if self.error is None:
            return
        with self.lock:
            error, self.error = self.error, None
        if error is not None:
            raise error

    def tell(self, kind: str, sentence: str, seen: bool = False, subject: str = "") -> None:
        """Report something about this group."""
        name = self.group.name
        report(kind, f"group {name!r}: {sentence}", subject=subject or f"group {name}", seen=seen)

    # Sending.

    def send(self, all_of_it: bool = False, seen: bool = False) -> None:
        """Send what waits; what fails is kept for `raise_error` and told.

        Args:
            all_of_it: also while many messages wait to be acknowledged.
            seen: whether the caller raises what fails.
        """
        with self._sending:
            self._seen = seen
            self._look()
            if not all_of_it and len(self._flying) >= MOST_FLYING:
                return  # the next acknowledgement wakes the thread
            if not self._packed:
                self._pack()
            sent = 0
            while self._packed:
                encoded, parcel = self._packed.popleft()
                try:
                    self._submit(encoded, parcel)
                except SendTimeout:  # the connection's queue is full: it waits here
                    self._packed.appendleft((encoded, parcel))
                    self._next = time.monotonic() + AGAIN
                    _postman.wake(self, self._next)
                    return
                except ChannelsError as error:
                    self._failed(error, parcel)
                except BaseException:  # an interrupt: it was not queued
                    self._packed.appendleft((encoded, parcel))
                    raise
                sent += 1
            self._next = time.monotonic() + self.pace * max(sent, 1)
            if not self.is_empty:
                _postman.wake(self, self._next)

    def _pack(self) -> None:
        """Take what waits, and encode it."""
        with self.lock:
            self.is_announced = False
        for parcel in self.take():
            self._pack_one(parcel)

    def _pack_one(self, parcel: Parcel) -> None:
        try:
            self._packed.append((self.group.channel_layer.encode(parcel.content), parcel))
        except MessageTooLarge as error:
            halves = self.halves(parcel)
            for half in halves:
                self._pack_one(half)
            if not halves:
                self._failed(error, parcel)
        except ChannelsError as error:
            self._failed(error, parcel)
        except Exception as error:  # the thread must outlive what nobody thought of
            failed = LayerUnavailable(f"{type(error).__name__}: {error}")
            failed.__cause__ = error
            self._failed(failed, parcel)

    def halves(self, parcel: Parcel) -> list[Parcel]:
        """A parcel that is too large, as two; none if it cannot be divided."""
        return []

    def _submit(self, encoded: Encoded, parcel: Parcel) -> None:
        result = self.group.channel_layer.submit(
            "group", self.group.name, encoded, receipt=not self.has_begun
        )
        if isinstance(result, Receipt):
            self.has_begun = True
            return
        if not self.has_begun:
            result.add_done_callback(tell_later)
        self.has_begun = True
        self._flying.append((result, parcel))
        result.add_done_callback(self._answered)

    def _answered(self, future: "Future[Receipt]") -> None:
        """On the connection's thread: what waited for this goes on; a failure is looked at."""
        failed = future.cancelled() or future.exception() is not None
        if failed or (self.is_announced and len(self._flying) >= MOST_FLYING):
            _postman.wake(self, self._next)

    def _look(self) -> None:
        """See what became of what was sent."""
        while self._flying and self._flying[0][0].done():
            future, parcel = self._flying.popleft()
            error = ChannelsError("withdrawn") if future.cancelled() else future.exception()
            if error is not None:
                self._failed(error, parcel)

    def _failed(self, error: BaseException, parcel: Parcel) -> None:
        what = f"{parcel.amount:,} {self.word}{'' if parcel.amount == 1 else 's'}"
        note = f"group {self.group.name!r}: {what} not sent"
        with self.lock:
            if self.error is None:
                self.error = error
                if note not in getattr(error, "__notes__", ()):
                    error.add_note(note)
        self.tell("not-sent", f"{what} could not be sent: {error}", seen=self._seen)

    def flush(self, timeout: float, seen: bool = False) -> bool:
        """Send all, and wait until it is acknowledged; whether it is.

        Args:
            timeout: seconds.
            seen: whether the caller raises what fails.
        """
        deadline = time.monotonic() + timeout
        while True:
            if not self._sending.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
                return False
            try:
                self.send(all_of_it=True, seen=seen)
                last = self._flying[-1][0] if self._flying else None
                is_stuck = bool(self._packed)
            finally:
                self._sending.release()
            if last is not None and not self._arrives(last, deadline):
                return False
            self._look_again(seen)
            if not is_stuck:
                return True
            if time.monotonic() >= deadline:
                return False

    @staticmethod
    def _arrives(future: "Future[Receipt]", deadline: float) -> bool:
        """Wait for an answer; whether there is one."""
        try:
            bridge.wait(future, max(deadline - time.monotonic(), 0.0))
        except WouldDeadlock:
            raise
        except Exception:  # it failed: `_look` sees it; or it took too long
            return future.done()
        return True

    def _look_again(self, seen: bool) -> None:
        with self._sending:
            self._seen = seen
            self._look()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, is on its way, or has failed."""
        return self.is_empty and not self._packed and not self._flying and self.error is None

    @property
    def waiting(self) -> str:
        """What is not acknowledged, for a sentence."""
        return f"{len(self._flying):,} messages are on their way"


class Postman:
    """The thread that sends, for all outlets of this process."""

    def __init__(self) -> None:
        self.outlets: weakref.WeakSet[Outlet] = weakref.WeakSet()
        self._forked()
        self._is_exiting = False
        self._hears_exit = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self._condition = threading.Condition()
        self._due: dict[Outlet, float] = {}
        self._thread: threading.Thread | None = None

    def know(self, outlet: Outlet) -> None:
        """From now on `flush_all` means this one, too."""
        self.outlets.add(outlet)
        if not self._hears_exit:  # behind `bridge`, which has begun: so it is called before
            self._hears_exit = True
            atexit.register(self._exit)

    def wake(self, outlet: Outlet, due: float) -> None:
        """Have an outlet's `send` called at a time of `time.monotonic`."""
        with self._condition:
            if self._due.get(outlet, float("inf")) <= due:
                return
            self._due[outlet] = due
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="nbchannels-outlets", daemon=True
                )
                self._thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
                self._thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
                self._thread.start()
            self._condition.notify()

    def _work(self) -> None:
        while True:
            outlet = self._next()
            try:
                outlet.send()
            except Exception as error:
                outlet.tell("not-sent", f"sending failed: {shown(error)}")
            del outlet

    def _next(self) -> Outlet:
        """Wait for the outlet that is due first."""
        with self._condition:
            while True:
                if not self._due:
                    self._condition.wait()
                    continue
                outlet = min(self._due, key=self._due.__getitem__)
                left = self._due[outlet] - time.monotonic()
                if left <= 0:
                    del self._due[outlet]
                    return outlet
                self._condition.wait(left)

    def _exit(self) -> None:
        self.flush(EXIT_PATIENCE, "the process ends")

    def flush(self, patience: float, why: str) -> None:
        """Send everything and wait; what is not acknowledged then is told. Never raises."""
        deadline = time.monotonic() + patience
        for outlet in list(self.outlets):
            if outlet.is_idle:
                continue
            with contextlib.suppress(Exception):  # told already
                if not outlet.flush(max(deadline - time.monotonic(), 0.01)):
                    outlet.tell("not-sent", f"{why}, and {outlet.waiting}")


def flush_all(patience: float = CELL_PATIENCE) -> None:
    """A cell ends: what it logged is sent, and failures are told. Never raises.

    Args:
        patience: seconds to wait; what is not acknowledged then stays on its way.
    """
    deadline = time.monotonic() + patience
    for outlet in list(_postman.outlets):
        if bridge.here or sys.is_finalizing():
            return
        with contextlib.suppress(Exception):  # told already
            outlet.flush(max(deadline - time.monotonic(), 0.0))


#: Of this process; a reload of this module keeps it.
_postman: Postman = globals().get("_postman") or Postman()
