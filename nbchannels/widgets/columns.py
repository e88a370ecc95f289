"""What one gives as names, labels and starting values, in the form that the page takes.

The bounds are those of ``checks.ts`` and ``plot/options.ts`` in ``labextension/src/views``: what a
page would refuse is told here, on the line that says it.
"""

import datetime
import math
from collections.abc import Iterable, Mapping
from typing import Any

from nbchannels.arrays import Array, recognise, restore
from nbchannels.exceptions import EncodingError, shown

__all__ = ["LONGEST_TEXT", "MOST_FIELDS", "MOST_LABELS", "MOST_VALUES", "columns_of", "texts_of"]

#: Characters of a title, a label or a name.
LONGEST_TEXT = 200
#: Labels along x, fields that are drawn, starting values of one field.
MOST_LABELS, MOST_FIELDS, MOST_VALUES = 1000, 64, 100_000


def texts_of(value: Any, option: str, most: int) -> str | list[str] | None:
    """A name or label, or several of them, as text.

    Args:
        value: a text, or an iterable of what has one: a list, a ``pandas.Index``.
        option: what it is for, for the error.
        most: how many.

    Raises:
        ValueError: none at all, too many, or too long; or it is no such thing.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _text(value, option)
    if isinstance(value, (bytes, Mapping)) or not isinstance(value, Iterable):
        raise ValueError(f"{option} is {shown(value)}; it takes a text or a list of texts")
    values = value.tolist() if hasattr(value, "tolist") else list(value)
    if not 1 <= len(values) <= most:
        raise ValueError(
            f"{option} has {len(values):,} texts; it takes 1 to {most:,}, or None to find out"
        )
    return [_text(str(each), option) for each in values]


def _text(text: str, option: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValueError(
            f"{option} is a text of {len(text):,} characters, the limit is {LONGEST_TEXT}; "
            "write less"
        )
    return text


def columns_of(value: Any, y: str | list[str] | None) -> dict[str, list[float | int | None]] | None:
    """Starting values as lists of numbers by field; a missing number is None, a time its seconds.

    Args:
        value: a list or an array, a dict of them, or a table.
        y: the field, or fields, that are drawn: the name of a single list.

    Raises:
        ValueError: it is no such thing, or more than a page takes.
    """
    if value is None:
        return None
    known = value if isinstance(value, Mapping) else _recognised(value, "initial")
    if not isinstance(known, Mapping):
        names = [y] if isinstance(y, str) else list(y or ["y"])
        if len(names) != 1:
            raise ValueError(
                f"initial is one list, but y names {len(names)} fields; give a dict of lists"
            )
        known = {names[0]: known}
    if len(known) > MOST_FIELDS:
        raise ValueError(f"initial has {len(known):,} fields, the limit is {MOST_FIELDS}; give y")
    return {
        _text(str(name), "a name in initial"): _numbers(column, f"initial[{str(name)!r}]")
        for name, column in known.items()
    }


def _recognised(value: Any, path: str) -> Any:
    try:
        found = recognise(value, path)
    except EncodingError as error:
        raise ValueError(str(error)) from error
    return value if found is NotImplemented else found


def _numbers(column: Any, path: str) -> list[float | int | None]:
    column = _recognised(column, path)
    if isinstance(column, (str, bytes, Mapping)) or not (
        isinstance(column, Iterable) or hasattr(column, "tolist")
    ):
        raise ValueError(f"{path} is {shown(column)}; it takes a list of numbers")
    if isinstance(column, Array):
        column = _listed(column)
    values = list(column)
    if len(values) > MOST_VALUES:
        raise ValueError(
            f"{path} has {len(values):,} values, the limit is {MOST_VALUES:,}; "
            "give the last ones, or every nth"
        )
    return [_number(value, path) for value in values]


def _listed(column: Array) -> Any:
    values = restore(column)
    if column.dtype[0] in "Mm":  # what is finer than Python's times would be listed as integers
        values = values.astype(f"{column.dtype[0]}8[us]")
    return values.tolist()


def _number(value: Any, path: str) -> float | int | None:
    if not isinstance(value, (int, float, type(None))):
        known = _recognised(value, path)
        if isinstance(known, datetime.datetime):
            known = known.timestamp()
        elif isinstance(known, datetime.timedelta):
            known = known.total_seconds()
        if not isinstance(known, (int, float, type(None))):
            raise ValueError(f"{path} holds {value!r}, a {type(value).__name__}; numbers are drawn")
        value = known
    if isinstance(value, bool):
        return int(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
