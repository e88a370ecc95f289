"""What one writes for a length of time, or a number of points."""

import datetime
import numbers
import re
from typing import Any

__all__ = ["window_of"]

_UNITS = {
    "ms": 0.001,
    "millisecond": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
}
#: What a page takes: seconds, and points.
SHORTEST, LONGEST = 1e-9, 1e12
MOST_POINTS = 10**9
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)?\s*([A-Za-z]+)\s*")


def window_of(value: Any) -> dict[str, float | int] | None:
    """The window that ``value`` means, as the specification has it.

    Args:
        value: ``"5 min"``, ``"30s"``, a ``timedelta``: the last so many seconds of x; an ``int``:
            the last so many points; ``None``: everything.

    Returns:
        ``{"seconds": ...}``, ``{"points": ...}`` or ``None``.

    Raises:
        ValueError: it means nothing.
    """
    seconds: float | None = None
    if value is None:
        return None
    if isinstance(value, dict) and len(value) == 1:
        ((unit, number),) = value.items()
        if unit == "points" and _is_whole(number):
            value = int(number)
        elif unit == "seconds" and isinstance(number, (int, float)) and number is not True:
            value = float(number)
    if isinstance(value, datetime.timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        found = _DURATION.fullmatch(value)
        unit = found.group(2).lower() if found else ""
        factor = _UNITS.get(unit, _UNITS.get(unit.removesuffix("s")))
        if found and factor is not None:
            seconds = float(found.group(1) or 1) * factor
    elif _is_whole(value):
        if 0 < value <= MOST_POINTS:
            return {"points": int(value)}
    elif isinstance(value, float):
        seconds = value
    if seconds is None or not SHORTEST <= seconds <= LONGEST:
        raise ValueError(
            f"window {value!r} is not understood; write a time such as '5 min', '30 s' or '1 h', "
            "a number of points such as 500, or None for everything"
        )
    return {"seconds": seconds}


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
