"""How long to wait before the next attempt: full jitter, doubling, reset by health."""

import secrets
from collections.abc import Callable

__all__ = ["Backoff", "chance"]

FIRST, MOST = 0.25, 5.0
#: Seconds of an open connection after which the next failure starts from the beginning.
HEALTHY = 30.0


def chance() -> float:
    """A random number from 0 to 1; seeds of ``random`` do not matter."""
    return secrets.randbits(32) / 2**32


class Backoff:
    """The pauses between attempts, in seconds.

    Args:
        chance: a random number from 0 to 1.
    """

    def __init__(self, chance: Callable[[], float] = chance) -> None:
        self._chance = chance
        self._tries = 0
        self._last = 0.0

    def next(self, now: float) -> float:
        """The pause before the next attempt; the first is short."""
        if now - self._last > HEALTHY:
            self._tries = 0
        self._last = now
        pause: float = min(MOST, FIRST * 2.0**self._tries) * self._chance()
        self._tries = min(self._tries + 1, 10)
        return pause

    def was_open(self, now: float) -> None:
        """A connection came about and was lost."""
        if now - self._last > HEALTHY:
            self._tries = 0
