"""Rows and the columns they are joined into. No IO.

A row is looked at when it is logged, in the caller's line: what does not travel is an error there,
naming the field. Joined are the rows that have gathered; fields that stand in the same rows form
one table, so that a field logged now and then leaves no holes behind, and each field's values keep
their order.
"""

import array
import datetime
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from nbchannels.arrays import Frame, recognise
from nbchannels.exceptions import EncodingError, InvalidMessage, shown

__all__ = ["LONGEST_TEXT", "Columns", "Row", "checked", "fields_of", "step_of"]

#: Characters of a text in a row.
LONGEST_TEXT = 10_000
#: Fields whose kind is remembered.
MOST_KNOWN = 1_000

_LEAST, _MOST = -(2**63), 2**63 - 1
_EXACT = 2**53  # integers that a float64 holds exactly
_PLAIN = (float, bool, type(None), datetime.datetime, datetime.date, datetime.timedelta)
_NUMBERS = {float, int, type(None)}


#: What one call of ``log`` said: the step, seconds since 1970, the fields, all checked. Bare, as it
#: is made in a microsecond.
Row: TypeAlias = tuple[float, float, dict[str, Any]]


def checked(name: Any, value: Any, group: str) -> Any:
    """The value of a field as it travels: a plain number, text, time, or ``None``.

    Args:
        name: of the field.
        value: of it. Of another library, what its ``item()`` gives.
        group: for the sentence of an error.

    Raises:
        EncodingError: it is no single value, or of a kind that does not travel.
    """
    place = f"field {name!r}"
    if not isinstance(name, str):
        raise EncodingError(
            f"log({group!r}): {place} has a name of type {type(name).__name__}; names are str: "
            f"use {str(name)!r}",
            place,
        )
    known = _single(value, place)
    kind = type(known)
    if kind is int and not _LEAST <= known <= _MOST:
        raise EncodingError(
            f"log({group!r}): {place} is an integer of {known.bit_length()} bits, the limit is 63 "
            f"and a sign; log float(...) or str(...)",
            place,
        )
    if kind is str:
        _require_text(known, place, group)
        return known
    if kind is int or isinstance(known, _PLAIN):
        return known
    raise EncodingError(
        f"log({group!r}): {place} is {shown(value)}; a row has a single value for each field: a "
        f"number, a text, a time, or None; Group({group!r}).send({{{name!r}: ...}}) sends arrays "
        "and tables",
        place,
    )


def _single(value: Any, place: str) -> Any:
    """The value with the types of other libraries, and subclasses, made plain."""
    for _ in range(3):  # a tensor of a numpy scalar of a plain one
        kind = type(value)
        if kind is int or kind is str or kind in _PLAIN:
            return value
        if isinstance(value, (bool, int, str, float)):  # subclasses: enums, numpy.float64
            base = next(base for base in (bool, int, str, float) if isinstance(value, base))
            return base.__str__(value) if base is str else base(value)
        if isinstance(value, datetime.date):
            known = recognise(value, place)  # pandas' Timestamp is a datetime, too
            return value if known is NotImplemented else known
        if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
            value = _item(value, place)
            continue
        known = recognise(value, place)  # pandas' scalars
        if known is NotImplemented:
            break
        value = known
    if isinstance(value, numbers.Real) or type(value).__name__ == "Decimal":
        return float(value)
    return value


def _item(value: Any, place: str) -> Any:
    known = recognise(value, place)  # numpy's times, which its item() makes integers of
    if not isinstance(known, type(NotImplemented)) and not hasattr(known, "shape"):
        return known
    try:
        return value.item()
    except Exception as error:
        raise EncodingError(f"{place} is {shown(value)}, whose item() fails: {error}", place) from (
            error
        )


def _require_text(text: str, place: str, group: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise EncodingError(
            f"log({group!r}): {place} is a text of {len(text):,} characters, the limit is "
            f"{LONGEST_TEXT:,}; Group({group!r}).send({{...}}) sends longer ones",
            place,
        )
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise EncodingError(
                f"log({group!r}): {place} is no valid unicode text: {text[error.start]!r} at "
                f"{error.start} is half a character",
                place,
            ) from error


def fields_of(group: str, values: Any, named: dict[str, Any]) -> dict[str, Any]:
    """The fields of one call: a mapping, and keywords, which win.

    Raises:
        InvalidMessage: ``values`` is no mapping.
    """
    if not isinstance(values, Mapping):
        raise InvalidMessage(
            f"log({group!r}, {shown(values)}): values is a dict like {{'loss': 0.3}}; "
            f"log({group!r}, loss=0.3) does it too, and Group({group!r}).send(df) sends tables"
        )
    return {**values, **named}


def step_of(group: str, step: Any) -> float:
    """A step that was given, as a number.

    Raises:
        EncodingError: it is none.
    """
    known = _single(step, "step")
    if type(known) is int and _LEAST <= known < _MOST:
        return known
    if type(known) is float and known == known and abs(known) < _EXACT:
        return known
    raise EncodingError(
        f"log({group!r}): step is {shown(step)}; a step is a finite number; without it, the rows "
        "are counted",
        "step",
    )


class Columns:
    """Joins rows. It remembers which fields have held numbers with a fraction: they stay so."""

    def __init__(self) -> None:
        self._floats: set[str] = set()

    def join(self, rows: list[Row]) -> list[Frame]:
        """The rows as tables, one for all fields that stand in the same rows.

        Each table has the columns ``step`` and ``time`` (seconds since 1970), then the fields.
        """
        steps, times, fields = zip(*rows, strict=True)
        names = fields[0].keys()
        if all(found.keys() == names for found in fields):
            return [self._table(steps, times, fields, names)]
        places: dict[str, list[int]] = {}
        for place, found in enumerate(fields):
            for name in found:
                places.setdefault(name, []).append(place)
        alike: dict[tuple[int, ...], list[str]] = {}
        for name, where in places.items():
            alike.setdefault(tuple(where), []).append(name)
        return [
            self._table(
                [steps[i] for i in where],
                [times[i] for i in where],
                [fields[i] for i in where],
                together,
            )
            for where, together in alike.items()
        ]

    def _table(
        self,
        steps: Sequence[float],
        times: Sequence[float],
        fields: Sequence[dict[str, Any]],
        names: Iterable[str],
    ) -> Frame:
        columns: dict[str, Any] = {
            "step": self._column("step", list(steps)),
            "time": array.array("d", times),
        }
        for name in names:
            columns[name] = self._column(name, [found[name] for found in fields])
        return Frame(columns)

    def _column(self, name: str, values: list[Any]) -> Any:
        kinds = set(map(type, values))
        if not kinds <= _NUMBERS or kinds == {type(None)}:
            return values
        if kinds == {int} and name not in self._floats:
            return array.array("q", values)
        if int in kinds and any(type(v) is int and not -_EXACT <= v <= _EXACT for v in values):
            return values
        if len(self._floats) < MOST_KNOWN:
            self._floats.add(name)
        nan = float("nan")
        return array.array("d", [nan if value is None else value for value in values])
