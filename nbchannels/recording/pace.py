"""When a recorded message is due: the time line of a recording laid over that of a clock.

No IO: the time is handed in.
"""

import math
from typing import Any

from nbchannels.exceptions import shown

__all__ = ["Pace", "require_speed"]


def require_speed(speed: float | None) -> float:
    """A speed as a number; ``None`` is infinite.

    Raises:
        ValueError: it is not above 0.
    """
    if speed is None:
        return math.inf
    given: Any = speed
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not given > 0:
        raise ValueError(
            f"speed is {shown(speed)}; it takes a number above 0 (10 is ten times as fast as it "
            "was), or None for as fast as possible"
        )
    return float(speed)


class Pace:
    """The time line of a recording, going by at some speed, or not at all.

    Args:
        speed: recorded seconds in a second; infinite: everything is due at once.

    Attributes:
        is_paused: whether it stands.
    """

    def __init__(self, speed: float) -> None:
        self.is_paused = False
        self._speed = speed
        self._at: tuple[int, float] | None = None  # this moment was due at that time

    @property
    def speed(self) -> float:
        """Recorded seconds in a second."""
        return self._speed

    def begin(self, moment: int, now: float) -> None:
        """The moment (nanoseconds) is due now."""
        self._at = (moment, now)

    def change(self, speed: float, now: float) -> None:
        """From now on it goes by at another speed."""
        self._settle(now)
        self._speed = speed

    def pause(self, now: float) -> None:
        """It stands from now on."""
        if not self.is_paused:
            self._settle(now)
            self.is_paused = True

    def resume(self, now: float) -> None:
        """It goes on from where it stood."""
        if self.is_paused:
            self.is_paused = False
            if self._at is not None:
                self._at = (self._at[0], now)

    def seconds_until(self, moment: int, now: float) -> float:
        """Seconds until a moment is due; 0 or less if it is, infinite while it stands."""
        if self.is_paused:
            return math.inf
        if self._at is None or math.isinf(self._speed):
            return 0.0
        begun, at = self._at
        return at + (moment - begun) / 10**9 / self._speed - now

    def _settle(self, now: float) -> None:
        """Lay the time line anew, from what is due now."""
        if self._at is not None and not self.is_paused and not math.isinf(self._speed):
            begun, at = self._at
            self._at = (begun + round((now - at) * self._speed * 10**9), now)
