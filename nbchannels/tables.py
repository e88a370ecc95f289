"""Messages as a table."""

import importlib
from collections.abc import Iterable
from typing import Any

from nbchannels.arrays import Frame
from nbchannels.exceptions import ChannelsError
from nbchannels.message import Message

__all__ = ["to_dataframe"]


def to_dataframe(messages: Iterable[Message]) -> Any:
    """A ``pandas.DataFrame`` with a row for each message, at its time.

    Fields are columns. A message whose fields hold arrays or lists, and a table, give a row for
    each element; scalars beside them are repeated. The index ``time`` is UTC.

    Raises:
        ChannelsError: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise ChannelsError("to_dataframe() needs pandas: pip install pandas") from error
    rows: dict[str, dict[int, Any]] = {}
    times: list[float] = []
    for message in messages:
        content = message.content
        count = _rows(content)
        start = len(times)
        times.extend([message.time or 0.0] * count)
        for name, value in content.items():
            column = rows.setdefault(name, {})
            if _is_column(value):
                column.update(zip(range(start, start + count), value, strict=False))
            else:
                column.update(dict.fromkeys(range(start, start + count), value))
    index = pandas.to_datetime(pandas.Series(times, dtype="f8"), unit="s", utc=True)
    data = {
        name: pandas.Series([column.get(row) for row in range(len(times))])
        for name, column in rows.items()
    }
    frame = pandas.DataFrame(data)
    frame.index = pandas.DatetimeIndex(index, name="time")
    return frame


def _is_column(value: Any) -> bool:
    shape = getattr(value, "shape", None)
    return isinstance(value, list) or (isinstance(shape, tuple) and len(shape) >= 1)


def _rows(content: Any) -> int:
    lengths = {len(value) for value in content.values() if _is_column(value)}
    if isinstance(content, Frame):
        return max(lengths, default=0)
    return max(lengths, default=1)
