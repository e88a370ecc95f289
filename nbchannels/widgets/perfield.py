"""Settings that hold for every field of a view, or for each of those that they name.

The bounds are those of ``checks.ts`` and ``formats.ts`` in ``labextension/src/views``.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from nbchannels.exceptions import shown
from nbchannels.widgets.columns import LONGEST_TEXT, MOST_FIELDS

__all__ = ["number_format", "number_of", "per_field", "text_of"]

_FORMAT = re.compile(r"\+?,?(\.\d{1,2})?[defg%]?")


def per_field(value: Any, option: str, read: Callable[[Any, str], Any]) -> Any:
    """A setting, or a dict with one for each field.

    Args:
        value: what ``read`` takes, a mapping from names of fields to it, or None.
        option: what it is for, for the error.
        read: ``read(value, option)`` gives it as the page takes it.

    Raises:
        ValueError: ``read`` raised it, or there are more fields than a page takes.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return read(value, option)
    if len(value) > MOST_FIELDS:
        raise ValueError(f"{option} has {len(value):,} fields, the limit is {MOST_FIELDS}")
    return {
        text_of(str(name), f"a name in {option}"): read(one, f"{option}[{str(name)!r}]")
        for name, one in value.items()
    }


def text_of(value: Any, option: str) -> str:
    """A short text.

    Raises:
        ValueError: it is none, or too long.
    """
    if not isinstance(value, str):
        raise ValueError(f"{option} is {shown(value)}; it takes a text")
    if len(value) > LONGEST_TEXT:
        raise ValueError(
            f"{option} is a text of {len(value):,} characters, the limit is {LONGEST_TEXT}; "
            "write less"
        )
    return value


def number_of(value: Any, option: str) -> float:
    """A finite number.

    Raises:
        ValueError: it is none.
    """
    try:
        number = float(value) if not isinstance(value, (str, bytes, bool)) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{option} is {shown(value)}; it takes a finite number")
    return number


def number_format(value: Any, option: str) -> str:
    """The part of Python's format specifications that a page knows: ``[+][,][.digits][defg%]``.

    Raises:
        ValueError: it is no such thing.
    """
    if not isinstance(value, str) or not value or not _FORMAT.fullmatch(value):
        raise ValueError(
            f"{option} is {shown(value)}; it takes a number format such as "
            "'.2f', ',d', '.1%' or '.3g'"
        )
    return value
