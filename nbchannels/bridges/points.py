"""What a message means to a picture: points to append, or values to replace. No IO.

The same reading as `LivePlot`'s: tables append rows, arrays replace, single numbers append a point;
x is a field ``t``, ``time``, ``timestamp`` or ``step``, else the message's time.
"""

import datetime
import math
import numbers
from collections.abc import Mapping
from typing import Any, NamedTuple

from nbchannels.arrays import Frame

__all__ = ["Points", "newest", "points_of"]

X_FIELDS = ("t", "time", "timestamp", "step")


class Points(NamedTuple):
    """Points of one message.

    Attributes:
        replaces: whether they take the place of what was there.
        x: of all columns; texts and times as they are.
        columns: the values by field, each as long as ``x``; what is missing is NaN.
    """

    replaces: bool
    x: list[Any]
    columns: dict[str, list[float]]


def points_of(
    content: Mapping[str, Any], time: float | None, x: str | None, fields: list[str] | None
) -> Points:
    """Read a message.

    Args:
        content: of it.
        time: of it, in seconds since 1970.
        x: the field that is x; ``None``: the first of ``t``, ``time``, ``timestamp``, ``step``.
        fields: to draw; ``None``: all of numbers.

    Raises:
        ValueError: the message does not have the field ``x``.
    """
    lists = {name: _listed(value) for name, value in content.items()}
    if x is not None and x not in lists:
        raise ValueError(f"the message has no field {x!r} for x; it has {', '.join(lists)}")
    chosen = x if x is not None else next((n for n in X_FIELDS if lists.get(n)), None)
    is_row = not any(_is_many(v) for n, v in content.items() if n != chosen)
    wanted = [n for n in (fields or lists) if n in lists and (fields or n not in X_FIELDS)]
    columns = {
        name: found
        for name in wanted
        if name != chosen
        and _is_many(content[name]) != is_row
        and (found := _numbers(lists[name])) is not None
    }
    length = max((len(values) for values in columns.values()), default=0)
    if chosen is not None and (len(lists[chosen]) == length or x is not None):
        xs = lists[chosen]
    elif is_row:
        xs = [time if time is not None else 0.0]
    else:
        xs = list(range(length))
    columns = {name: values for name, values in columns.items() if len(values) == len(xs)}
    return Points(not is_row and not isinstance(content, Frame), xs, columns)


def newest(content: Mapping[str, Any], field: str | None, usual: str) -> Any:
    """The newest single value of a field: of an array or a table its last.

    Args:
        content: of the message.
        field: its name; ``None``: ``usual`` if there is one, else the only one beside x.
        usual: what it is called, if nothing was said.

    Raises:
        ValueError: it has no such field, or several that it could be.
    """
    names = [name for name in content if name not in (*X_FIELDS, "type")]
    if field is None:
        field = usual if usual in content else names[0] if len(names) == 1 else None
        if field is None:
            raise ValueError(
                f"the message has the fields {', '.join(map(str, content))}; say which one: "
                f"field={names[0]!r}" if names else "the message has no fields"
            )  # fmt: skip
    if field not in content:
        raise ValueError(f"the message has no field {field!r}; it has {', '.join(content)}")
    value = content[field]
    if _is_many(value):
        values = _listed(value)
        if not values:
            raise ValueError(f"field {field!r} is empty")
        return values[-1]
    return _plain(value)


def _is_many(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0


def _listed(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    if getattr(value, "ndim", 0) == 1:
        found: list[Any] = value.tolist()
        return found
    return [] if getattr(value, "ndim", 0) > 1 else [_plain(value)]


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _numbers(values: list[Any]) -> list[float] | None:
    """The values as numbers; ``None`` if they are none."""
    found: list[float] = []
    for value in values:
        if value is None:
            found.append(math.nan)
        elif isinstance(value, datetime.timedelta):
            found.append(value.total_seconds())
        elif isinstance(value, numbers.Real):
            found.append(float(value))
        else:
            return None
    return found
