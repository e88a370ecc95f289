"""Messages as a table."""

import importlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from nbchannels.arrays import Frame
from nbchannels.exceptions import ChannelsError
from nbchannels.message import Message

__all__ = ["to_dataframe"]


class _Piece(NamedTuple):
    """What one message has for one column: a value for each of its rows, or one for all."""

    start: int
    rows: int
    value: Any
    is_column: bool


def to_dataframe(messages: Iterable[Message]) -> Any:
    """A ``pandas.DataFrame`` with a row for each message, at its time.

    Fields are columns. A message whose fields hold arrays or lists, and a table, give a row for
    each element; scalars beside them are repeated. What a message does not have is missing there.
    The index ``time`` is UTC.

    Raises:
        ChannelsError: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise ChannelsError("to_dataframe() needs pandas: pip install pandas") from error
    numpy = importlib.import_module("numpy")
    columns: dict[str, list[_Piece]] = {}
    times: list[float] = []
    counts: list[int] = []
    total = 0
    for message in messages:
        content = message.content
        count = _rows(content)
        times.append(message.time or 0.0)
        counts.append(count)
        for name, value in content.items():
            is_column = _is_column(value)
            size = len(value) if is_column else count
            columns.setdefault(name, []).append(_Piece(total, size, value, is_column))
        total += count
    moments = numpy.repeat(numpy.asarray(times, "f8"), numpy.asarray(counts, "i8"))
    index = pandas.DatetimeIndex(pandas.to_datetime(moments, unit="s", utc=True), name="time")
    data = {name: _column(pandas, numpy, pieces, total) for name, pieces in columns.items()}
    frame = pandas.DataFrame(data, index=pandas.RangeIndex(total))
    frame.index = index
    return frame


def _column(pandas: Any, numpy: Any, pieces: list[_Piece], total: int) -> Any:
    if all(p.is_column and not isinstance(p.value, list) for p in pieces):
        kinds = {(p.value.dtype.kind, p.value.ndim) for p in pieces}
        if len(kinds) == 1 and kinds <= {(kind, 1) for kind in "biufMm"}:
            joined = pandas.Series(numpy.concatenate([p.value for p in pieces]))
            if len(joined) < total:
                joined.index = numpy.concatenate(
                    [numpy.arange(p.start, p.start + p.rows) for p in pieces]
                )
            return joined
    values: list[Any] = [None] * total
    for start, rows, value, is_column in pieces:
        if not is_column:
            filling = [value] * rows
        elif isinstance(value, list):
            filling = value
        else:  # pandas' own scalars: numpy's tolist() makes integers of nanoseconds
            filling = list(pandas.Series(value)) if value.ndim == 1 else list(value)
        values[start : start + rows] = filling
    return pandas.Series(values, dtype=None if values else object)


def _is_column(value: Any) -> bool:
    shape = getattr(value, "shape", None)
    return isinstance(value, list) or (isinstance(shape, tuple) and len(shape) >= 1)


def _rows(content: Any) -> int:
    lengths = [len(value) for value in content.values() if _is_column(value)]
    return max(lengths, default=0 if isinstance(content, Frame) else 1)
