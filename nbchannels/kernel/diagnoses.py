"""What happened in this process: for ``%channels log``, for the cell, and for the server.

A bounded ring of sentences, never printed from a thread. Diagnoses are noted in it, wait to be
shown under a cell (see `nbchannels.kernel.notebook`), and are handed to the reporter.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable

from nbchannels.diagnoses import Diagnosis, listen

__all__ = ["entries", "install", "note", "notice", "pass_on_to", "take_unshown"]

#: Diagnoses that wait to be shown.
MOST_UNSHOWN = 100


class _Diary:
    """What is kept; a reload of this module keeps it, too."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)
        self.ring: deque[tuple[float, str]] = deque(maxlen=500)
        self.unshown: deque[Diagnosis] = deque(maxlen=MOST_UNSHOWN)
        self.listeners: list[Callable[[Diagnosis], bool]] = []
        self.is_installed = False

    def _renew(self) -> None:
        # Reentrant: a diagnosis may come out of a finalizer, at any line.
        self.lock = threading.RLock()


_diary: _Diary = globals().get("_diary") or _Diary()


def note(sentence: str) -> None:
    """Keep a sentence with its time; the oldest of more than 500 goes."""
    with _diary.lock:
        _diary.ring.append((time.time(), sentence))


def entries(count: int = 50) -> list[tuple[float, str]]:
    """The newest sentences with their times (seconds since 1970), oldest first."""
    with _diary.lock:
        return list(_diary.ring)[-count:]


def install() -> None:
    """From now on the diagnoses of this process are noted here. Idempotent."""
    with _diary.lock:
        if _diary.is_installed:
            return
        _diary.is_installed = True
    listen(notice)


def pass_on_to(listener: Callable[[Diagnosis], bool]) -> None:
    """Call ``listener`` with each diagnosis, on the thread and in the context that reports.

    Args:
        listener: returns whether it has shown the diagnosis to the user.
    """
    with _diary.lock:
        if listener not in _diary.listeners:
            _diary.listeners.append(listener)


def notice(diagnosis: Diagnosis) -> None:
    """Note a diagnosis, hand it on, and keep it until it is shown."""
    times = f" ({diagnosis.count} times)" if diagnosis.count > 1 else ""
    note(f"{diagnosis.kind}: {diagnosis.sentence}{times}")
    shown = [listener(diagnosis) for listener in list(_diary.listeners)]
    if not any(shown):
        with _diary.lock:
            _diary.unshown.append(diagnosis)


def take_unshown() -> list[Diagnosis]:
    """The diagnoses since the last call that nobody has shown; each once, with its last count."""
    with _diary.lock:
        waiting = list(_diary.unshown)
        _diary.unshown.clear()
    return list({(told.kind, told.subject or told.sentence): told for told in waiting}.values())
