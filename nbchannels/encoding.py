"""Values ⇄ bytes: what a message may hold, and how it travels.

A message is a dict. If JSON can say it, it travels as JSON (codec 1: a browser parses it natively,
and it is readable in its developer tools). Otherwise as msgpack (codec 2) with the arrays behind
the head, at multiples of 8, so that a receiver uses them where they lie. NaN and infinity survive.
The layout is in ``docs/wire-protocol.md``; ``tests/vectors/v1/bodies.json`` has examples.
"""

import dataclasses
import datetime
import enum
import math
import pathlib
import struct
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from nbchannels.arrays import Array, Frame, recognise
from nbchannels.exceptions import EncodingError, InvalidMessage, MessageTooLarge

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
#: The zero of times without zone.
EPOCH = datetime.datetime(1970, 1, 1)
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
    if isinstance(message, dict):
        if not isinstance(message, Frame) and _is_json(message):
            try:
                body = msgspec.json.encode(message)
            except UnicodeEncodeError:
                _walk(message, "msg", 0, [])  # finds the text and says where it stands
                raise
            if len(body) > limit:
                raise MessageTooLarge(size=len(body), limit=limit)
            return Encoded(JSON, body)
        content = message
    else:
        content = recognise(message, "msg")
        if not isinstance(content, Frame):
            raise InvalidMessage(
                f"a message is a dict, not {shown(message)}; "
                "send a dict such as {'value': ...}, or a DataFrame"
            )
    return Encoded(MSGPACK, _encode_msgpack(content, limit))


def _is_json(message: dict[str, Any]) -> bool:
    """Whether JSON says this message exactly; no error is raised here."""
    stack: list[tuple[Any, int]] = [(message, 0)]
    while stack:
        container, depth = stack.pop()
        if depth > MAX_DEPTH:
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
                if math.isfinite(math.fsum(values)) if len(values) < 1000 else _all_finite(values):
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
                if not math.isfinite(value):
                    return False
            elif kind is dict or kind is list or kind is tuple:
                stack.append((value, depth + 1))
            else:
                return False
    return True


def _all_finite(values: Any) -> bool:
    return all(map(math.isfinite, values))


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
        try:
            head = _ENCODER.encode(tree)
        except UnicodeEncodeError as error:
            raise EncodingError(f"a text in the message is no valid unicode: {error}") from error
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


def _civil(kind: str, number: int) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(EXT_CIVIL, _ENCODER.encode([kind, number]))


def _walk(value: Any, path: str, depth: int, placed: list[_Placed]) -> Any:
    """The value with everything in a form that msgspec writes as the wire wants it.

    Raises:
        EncodingError: naming the path of the first value without an encoding.
    """
    if depth > MAX_DEPTH:
        raise EncodingError(
            f"{path[:200]} is nested deeper than {MAX_DEPTH}; is it a dict that contains itself?",
            path,
        )
    kind = type(value)
    if value is None or kind is bool or kind is float or kind is bytes:
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
        if len(value) > _SHORT and set(map(type, value)) <= {float, bool, type(None)}:
            return value
        return [_walk(item, f"{path}[{i}]", depth + 1, placed) for i, item in enumerate(value)]
    known = recognise(value, path)
    if known is not NotImplemented:
        return _walk(known, path, depth + 1, placed)
    return _scalar(value, path, depth, placed)


def _text(value: str, path: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise EncodingError(f"{path} is no valid unicode text: {error}", path) from error
    return value


def _integer(value: int, path: str) -> int:
    if not -(2**63) <= value < 2**64:
        bits = value.bit_length()
        raise EncodingError(
            f"{path} is an integer of {bits} bits, the limit is 64; send str({path})", path
        )
    return value


def _table(value: Frame, path: str, depth: int, placed: list[_Placed]) -> _Table:
    names = [str(name) for name in value]
    columns = [_walk(value[n], f"{path}[{n!r}]", depth + 1, placed) for n in value]
    lengths = {}
    for name, column in zip(names, columns, strict=True):
        if isinstance(column, _Placed) and len(column.array.shape) == 1:
            lengths[name] = column.array.shape[0]
        elif isinstance(column, (list, tuple)):
            lengths[name] = len(column)
        else:
            raise EncodingError(f"{path}[{name!r}] is no column: a column is one-dimensional", path)
    if len(set(lengths.values())) > 1:
        raise EncodingError(f"{path} is a table of columns of different lengths: {lengths}", path)
    return _Table(names, columns)


def _mapping(
    value: Mapping[Any, Any], path: str, depth: int, placed: list[_Placed]
) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise EncodingError(
                f"{path} has the key {key!r} of type {type(key).__name__}; "
                f"keys are str: use {str(key)!r}",
                path,
            )
        tree[_text(str(key), f"{path}[{key!r}]")] = _walk(
            item, f"{path}[{key!r}]", depth + 1, placed
        )
    return tree


def _scalar(value: Any, path: str, depth: int, placed: list[_Placed]) -> Any:
    microsecond = datetime.timedelta(microseconds=1)
    match value:
        case datetime.datetime():
            if value.tzinfo is not None:
                return value.astimezone(datetime.UTC)  # msgspec writes it as a timestamp
            return _civil("datetime", (value - EPOCH) // microsecond)
        case datetime.date():
            return _civil("date", (value - EPOCH.date()).days)
        case datetime.time():
            clock = datetime.datetime.combine(EPOCH, value.replace(tzinfo=None))
            return _civil("time", (clock - EPOCH) // microsecond)
        case datetime.timedelta():
            return _civil("timedelta", value // microsecond)
        case enum.Enum():
            return _walk(value.value, path, depth + 1, placed)
        case int():
            return _integer(int(value), path)
        case float():
            return float(value)
        case str():
            return _text(str(value), path)
        case bytearray() | memoryview():
            return bytes(value)
        case uuid.UUID() | pathlib.PurePath():
            return _text(str(value), path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _mapping(fields, path, depth, placed)
    raise EncodingError(f"{path} is {shown(value)}, which does not travel; {_remedy(value)}", path)


def shown(value: Any) -> str:
    """A value for a sentence: its type and the beginning of its repr."""
    name = type(value).__name__
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}: {text}"


def _remedy(value: Any) -> str:
    if isinstance(value, (set, frozenset)):
        return "send a list: sorted(...)"
    if isinstance(value, complex):
        return "send its .real and .imag"
    if callable(value):
        return "did you mean to call it?"
    if hasattr(value, "__iter__"):
        return "send a list: list(...)"
    return "send its values as a dict, or str(...)"
