"""What happened, for ``%channels log``: a bounded ring, never printed from a thread."""

import threading
import time
from collections import deque

__all__ = ["entries", "note"]

_ring: deque[tuple[float, str]] = deque(maxlen=500)
_lock = threading.Lock()


def note(sentence: str) -> None:
    """Keep a sentence with its time; the oldest of more than 500 goes."""
    with _lock:
        _ring.append((time.time(), sentence))


def entries(count: int = 50) -> list[tuple[float, str]]:
    """The newest sentences with their times (seconds since 1970), oldest first."""
    with _lock:
        return list(_ring)[-count:]
