"""Values ⇄ bytes: what a message may hold, and how it travels.

A message is a dict. If JSON can say it, it travels as JSON (codec 1: a browser parses it natively,
and it is readable in its developer tools). Otherwise as msgpack (codec 2) with the arrays behind
the head, at multiples of 8, so that a receiver uses them where they lie. NaN and infinity survive.
The layout is in ``docs/wire-protocol.md``; ``tests/vectors/v1/bodies.json`` has examples.
"""

import dataclasses
import datetime
import enum
import inspect
import math
import numbers
import pathlib
import struct
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from nbchannels.arrays import Array, Frame, recognise
from nbchannels.exceptions import EncodingError, InvalidMessage, MessageTooLarge, shown

__all__ = ["ARROW", "JSON", "MAX_MESSAGE", "MSGPACK", "RAW", "Encoded", "encode", "shown"]

RAW, JSON, MSGPACK, ARROW = range(4)

#: The largest encoded message, in bytes.
MAX_MESSAGE = 16 * 2**20
#: Deeper nesting than this is taken for a cycle.
MAX_DEPTH = 64

_EXACT = 2**53  # integers that a JavaScript number holds exactly
#: msgpack extensions: an array, a table, a time without zone.
EXT_ARRAY, EXT_FRAME, EXT_CIVIL = 1, 2, 3
_SHORT = 64  # longer lists are looked at as a whole first
_ATOMS = {str, bool, type(None)}
_PLAIN = {bool, float, bytes, type(None)}  # msgpack takes them as they are
#: The zero of times without zone.
EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)
#: The length of the msgpack head, in front of it.
HEAD = struct.Struct("<I")


class Encoded(NamedTuple):
    """One encoded message: opaque bytes and the codec to read them with."""

    codec: int
    body: bytes


def encode(message: Any, limit: int = MAX_MESSAGE) -> Encoded:
    """Encode a message.

    Args:
        message: a dict (str keys; values: None, bool, int of 64 bits, float, str, bytes, date and
            time, list, tuple, dict, dataclass, enum, numpy, pandas, polars, torch) or a table.
        limit: of the encoded size, in bytes.

    Raises:
        InvalidMessage: it is neither a dict nor a table.
        EncodingError: a value has no encoding; ``path`` and the sentence say which.
        MessageTooLarge: the encoded message is larger than ``limit``.
    """
    content = message
    if not isinstance(message, dict):
        content = recognise(message, "msg")
        if not isinstance(content, Frame):
            remedy = "dict(...)" if hasattr(message, "keys") else "a dict like {'value': ...}"
            raise InvalidMessage(
                f"a message is a dict or a table, not {shown(message)}; send {remedy}"
            )
    elif type(message) is not dict and not isinstance(message, Frame):
        content = dict(message)
    if type(content) is dict and _is_json(content):
        try:
            body = _to_json(content)
        except UnicodeEncodeError:
            _walk(content, "msg", 0, [])  # finds the text and says where it stands
            raise  # pragma: no cover - it always does
        if len(body) > limit:
            raise MessageTooLarge(size=len(body), limit=limit)
        return Encoded(JSON, body)
    return Encoded(MSGPACK, _encode_msgpack(content, limit))


_to_json = msgspec.json.Encoder().encode


def _is_json(message: dict[str, Any]) -> bool:
    """Whether JSON says this message exactly; no error is raised here."""
    isfinite = math.isfinite
    stack: list[tuple[Any, int]] = [(message, 0)]
    while stack:
        container, depth = stack.pop()
        if depth >= MAX_DEPTH and container:
            return False
        if type(container) is dict:
            for key in container:
                if type(key) is not str:
                    return False
            values = container.values()
        else:
            values = container
        if len(values) > _SHORT:
            kinds = set(map(type, values))
            if kinds <= _ATOMS:
                continue
            if kinds == {float}:
                if _all_finite(values):
                    continue
                return False
            if kinds == {int}:
                if -_EXACT <= min(values) and max(values) <= _EXACT:
                    continue
                return False
        for value in values:
            kind = type(value)
            if kind is str or kind is bool or value is None:
                continue
            if kind is int:
                if not -_EXACT <= value <= _EXACT:
                    return False
            elif kind is float:
                if not isfinite(value):
                    return False
            elif kind is dict or kind is list or kind is tuple:
                stack.append((value, depth + 1))
            else:
                return False
    return True


def _all_finite(values: Any) -> bool:
    total = sum(values)  # infinite or NaN if one of them is; the other way round not always
    return math.isfinite(total) or all(map(math.isfinite, values))


class _Placed:
    """An array on its way into a body: its place is known only when the head is."""

    __slots__ = ("array", "offset")

    def __init__(self, array: Array) -> None:
        self.array = array
        self.offset = 0


def padded(size: int) -> int:
    """``size`` rounded up to a multiple of 8."""
    return (size + 7) & ~7


def _encode_msgpack(content: Any, limit: int) -> bytes:
    placed: list[_Placed] = []
    tree = _walk(content, "msg", 0, placed)
    size = sum(padded(len(p.array.data)) for p in placed)
    if size > limit:
        raise MessageTooLarge(size=size, limit=limit)
    base = 8
    while True:  # the offsets stand in the head, whose length they change: ends after 2 or 3 turns
        offset = base
        for item in placed:
            item.offset = offset
            offset += padded(len(item.array.data))
        head = _ENCODER.encode(tree)
        if padded(HEAD.size + len(head)) == base or not placed:
            break
        base = padded(HEAD.size + len(head))
    parts = [HEAD.pack(len(head)), head]
    if placed:
        parts.append(bytes(base - HEAD.size - len(head)))
    for item in placed:
        parts.append(item.array.data)  # type: ignore[arg-type]
        parts.append(bytes(-len(item.array.data) % 8))
    body = b"".join(parts) if placed else b"".join([*parts, bytes(-(HEAD.size + len(head)) % 8)])
    if len(body) > limit:
        raise MessageTooLarge(size=len(body), limit=limit)
    return body


def _hook(value: Any) -> Any:
    if isinstance(value, _Placed):
        array = value.array
        data = _ENCODER.encode([array.dtype, list(array.shape), value.offset])
        return msgspec.msgpack.Ext(EXT_ARRAY, data)
    if isinstance(value, _Table):
        data = _ENCODER.encode([value.names, value.columns])
        return msgspec.msgpack.Ext(EXT_FRAME, data)
    raise TypeError(type(value).__name__)  # pragma: no cover - _walk lets nothing else through


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_hook)


class _Table:
    """A frame on its way: a plain class, so that msgspec asks the hook about it."""

    __slots__ = ("columns", "names")

    def __init__(self, names: list[str], columns: list[Any]) -> None:
        self.names = names
        self.columns = columns


def _walk(value: Any, path: str, depth: int, placed: list[_Placed]) -> Any:
    """The value with everything in a form that msgspec writes as the wire wants it.

    Raises:
        EncodingError: naming the path of the first value without an encoding.
    """
    if depth > MAX_DEPTH:
        raise _too_deep(path)
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is str:
        return _text(value, path)
    if kind is int:
        return _integer(value, path)
    if isinstance(value, Frame):
        return _table(value, path, depth, placed)
    if isinstance(value, Array):
        placed.append(_Placed(value))
        return placed[-1]
    if isinstance(value, Mapping):
        return _mapping(value, path, depth, placed)
    if isinstance(value, (list, tuple)):
        return _list(value, path, depth, placed)
    try:
        known = recognise(value, path)
        if known is NotImplemented:
            return _scalar(value, path, depth, placed)
    except OverflowError as error:
        raise EncodingError(
            f"{path} is {shown(value)}, which is out of range: {error}; send str(...)", path
        ) from error
    # An object array of no dimension may hold itself.
    return _walk(known, path, depth + isinstance(known, kind), placed)


def _too_deep(path: str) -> EncodingError:
    return EncodingError(
        f"{path[:80]}... is nested deeper than {MAX_DEPTH}; does it contain itself? "
        "if not, send it flatter, or as json.dumps(...)",
        path,
    )


def _list(value: Any, path: str, depth: int, placed: list[_Placed]) -> list[Any]:
    if depth >= MAX_DEPTH and value:
        raise _too_deep(path)
    if len(value) > _SHORT:
        kinds = set(map(type, value))
        if kinds <= _PLAIN:
            return list(value)
        if kinds == {int} and -(2**63) <= min(value) and max(value) < 2**64:
            return list(value)
    return [
        item if type(item) in _PLAIN else _walk(item, f"{path}[{i}]", depth + 1, placed)
        for i, item in enumerate(value)
    ]


def _text(value: str, path: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise EncodingError(
                f"{path} is no valid unicode text: {value[error.start]!r} at {error.start} is half "
                f"a character; send {path}.encode('utf-8', 'replace').decode()",
                path,
            ) from error
    return value


def _integer(value: int, path: str) -> int:
    if not -(2**63) <= value < 2**64:
        raise EncodingError(
            f"{path} is an integer of {value.bit_length() + (value < 0)} bits, the limit is 64; "
            f"send str({path})",
            path,
        )
    return value


def _table(value: Frame, path: str, depth: int, placed: list[_Placed]) -> _Table:
    columns = _mapping(value, path, depth, placed)
    lengths = {}
    for name, column in columns.items():
        if isinstance(column, _Placed) and len(column.array.shape) == 1:
            lengths[name] = column.array.shape[0]
        elif isinstance(column, list):
            lengths[name] = len(column)
        else:
            raise EncodingError(
                f"{path}[{name!r}] is no column: a column is an array or a list of one dimension",
                path,
            )
    if len(set(lengths.values())) > 1:
        raise EncodingError(f"{path} is a table of columns of different lengths: {lengths}", path)
    return _Table(list(columns), list(columns.values()))


def _mapping(
    value: Mapping[Any, Any], path: str, depth: int, placed: list[_Placed]
) -> dict[str, Any]:
    if depth >= MAX_DEPTH and len(value):
        raise _too_deep(path)
    tree: dict[str, Any] = {}
    for key, item in value.items():
        if type(key) is not str:
            key = _key(key, path)
        is_plain = type(item) in _PLAIN
        if is_plain and key.isascii():
            tree[key] = item
        else:
            place = f"{path}[{key!r}]" if len(key) <= 60 else f"{path}[{key[:57]!r}...]"
            tree[_text(key, place)] = item if is_plain else _walk(item, place, depth + 1, placed)
    return tree


def _key(key: Any, path: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)  # an enum's own __str__ says its name
    raise EncodingError(
        f"{path} has the key {key!r} of type {type(key).__name__}; keys are str: use {str(key)!r}",
        path,
    )


def _scalar(value: Any, path: str, depth: int, placed: list[_Placed]) -> Any:
    match value:
        case datetime.datetime() if value.tzinfo is not None:
            return value.astimezone(datetime.UTC)  # msgspec writes it as a timestamp
        case datetime.date() | datetime.time() | datetime.timedelta():
            return _time(value, path)
        case enum.Enum():
            return _walk(value.value, path, depth, placed)
        case int():
            return _integer(int.__int__(value), path)
        case float():
            return float.__float__(value)
        case str():
            return _text(str.__str__(value), path)
        case bytes() | bytearray():
            return bytes(value)
        case uuid.UUID() | pathlib.PurePath():
            return _text(str(value), path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _mapping(fields, path, depth, placed)
    remedy = next(remedy for holds, remedy in _REMEDIES if holds(value))
    raise EncodingError(f"{path} is {shown(value)}, which does not travel; {remedy}", path)


def _time(value: Any, path: str) -> msgspec.msgpack.Ext:
    match value:
        case datetime.datetime():
            kind, number = "datetime", (value - EPOCH) // _MICROSECOND
        case datetime.date():
            kind, number = "date", (value - EPOCH.date()).days
        case datetime.time():
            if value.tzinfo is not None:
                raise EncodingError(
                    f"{path} is a time of day with a zone, which does not travel; "
                    "send a datetime, or .replace(tzinfo=None)",
                    path,
                )
            clock = datetime.datetime.combine(EPOCH, value)
            kind, number = "time", (clock - EPOCH) // _MICROSECOND
        case _:
            kind, number = "timedelta", value // _MICROSECOND
    if not -(2**63) <= number < 2**63:
        raise EncodingError(
            f"{path} is {shown(value)}, the limit is 2**63 microseconds (292,271 years); "
            "send .total_seconds()",
            path,
        )
    return msgspec.msgpack.Ext(EXT_CIVIL, _ENCODER.encode([kind, number]))


# The first that holds, for what has no encoding.
_REMEDIES: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda value: isinstance(value, (set, frozenset)), "send a list: sorted(...)"),
    (lambda value: isinstance(value, complex), "send its .real and .imag"),
    (lambda value: isinstance(value, numbers.Number), "send float(...), or str(...)"),
    (inspect.isawaitable, "did you mean to await it?"),
    (callable, "did you mean to call it?"),
    (lambda value: hasattr(value, "collect"), "send its .collect()"),
    (lambda value: hasattr(value, "keys"), "send dict(...)"),
    (lambda value: hasattr(value, "__iter__"), "send a list: list(...)"),
    (lambda value: True, "send its values as a dict, or str(...)"),
)
