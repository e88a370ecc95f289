"""Records ⇄ bytes, control records ⇄ text; every limit is checked before anything is allocated."""

import json
import math
import struct
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from nbchannels.encoding import MAX_MESSAGE
from nbchannels.exceptions import RemoteProtocolError
from nbchannels.names import MAX_NAME_LENGTH, is_valid_channel_name, is_valid_group_name
from nbchannels.protocol.events import (
    DELIVERY,
    ENTRY,
    MESSAGE,
    PUBLISH,
    SEND,
    ClientControl,
    Control,
    Record,
    ServerControl,
    Unknown,
)

__all__ = [
    "HEADER_SIZE",
    "MAX_CONTROL",
    "MAX_RECORDS",
    "decode_client_control",
    "decode_records",
    "decode_server_control",
    "encode_control",
    "encode_record",
]

HEADER = struct.Struct("<BBBBIIIQdII")
HEADER_SIZE = HEADER.size
#: Data records in one binary message.
MAX_RECORDS = 256
#: Bytes of a control record.
MAX_CONTROL = 64 * 1024
MAX_DEPTH = 8
_FLAGS = 7
_CODECS = 4
_ZEROS = bytes(8)
_VALID_NAME: dict[int, Callable[[str], bool]] = {
    PUBLISH: is_valid_group_name,
    SEND: is_valid_channel_name,
    DELIVERY: is_valid_channel_name,
    MESSAGE: lambda name: not name,
    ENTRY: lambda name: not name,
}


def encode_record(record: Record) -> bytes:
    """One data record as bytes; its length is a multiple of 8."""
    kind, codec, flags, name, id_, tag, sequence, time, sender, body, _ = record
    label = name.encode("ascii")
    size = len(body)
    return b"".join(
        (
            HEADER.pack(kind, codec, flags, len(label), size, id_, tag, sequence, time, sender, 0),
            label,
            _ZEROS[: -len(label) % 8],
            body,
            _ZEROS[: -size % 8],
        )
    )


def decode_records(data: bytes, limit: int = MAX_MESSAGE) -> list[Record]:
    """The data records of one binary WebSocket message; their bodies are views of ``data``.

    Raises:
        RemoteProtocolError: it breaks a rule of the protocol; nothing of it may be used.
    """
    records: list[Record] = []
    view = memoryview(data)
    position, end = 0, len(data)
    if not end:
        raise RemoteProtocolError("empty", "a binary message without a record")
    while position < end:
        if len(records) == MAX_RECORDS:
            raise RemoteProtocolError("too_many", f"more than {MAX_RECORDS} records in a message")
        if end - position < HEADER_SIZE:
            raise RemoteProtocolError("truncated", "a record's header is cut short")
        kind, codec, flags, label, size, id_, tag, sequence, time, sender, zero = (
            HEADER.unpack_from(data, position)
        )
        valid_name = _VALID_NAME.get(kind)
        if valid_name is None:
            raise RemoteProtocolError("kind", f"a record of kind {kind}")
        if codec >= _CODECS:
            raise RemoteProtocolError("codec", f"a record of codec {codec}")
        if flags & ~_FLAGS:
            raise RemoteProtocolError("flags", f"a record with flags {flags}")
        if zero:
            raise RemoteProtocolError("zero", "the last field of the header is not zero")
        if size > limit:
            raise RemoteProtocolError(
                "too_large", f"a body of {size:,} bytes, limit {limit:,}", 1009
            )
        if not math.isfinite(time):
            raise RemoteProtocolError("time", "a time that is no number")
        if label >= MAX_NAME_LENGTH:
            raise RemoteProtocolError("name", f"a name of {label} bytes")
        start = position + HEADER_SIZE
        body = start + ((label + 7) & ~7)
        stop = body + ((size + 7) & ~7)
        if stop > end:
            raise RemoteProtocolError("truncated", "a record is longer than its message")
        name = ""
        if label:
            try:
                name = str(view[start : start + label], "ascii")
            except UnicodeDecodeError as error:
                raise RemoteProtocolError("name", "a name that is not ASCII") from error
            if any(view[start + label : body]):
                raise RemoteProtocolError("padding", "the padding of a name is not zero")
        if not valid_name(name):
            raise RemoteProtocolError("name", f"a record of kind {kind} with the name {name!r}")
        if stop != body + size and any(view[body + size : stop]):
            raise RemoteProtocolError("padding", "the padding of a body is not zero")
        records.append(
            Record(kind, codec, flags, name, id_, tag, sequence, time, sender,
                   view[body : body + size], stop - position)
        )  # fmt: skip
        position = stop
    return records


def encode_control(control: Control) -> str:
    """A control record as the text of a WebSocket message."""
    return msgspec.json.encode(control).decode()


def decode_client_control(text: str) -> ClientControl:
    """A control record that a client sent.

    Raises:
        RemoteProtocolError: it is no control record, or its fields are not of their types.
    """
    control: ClientControl = _convert(text, ClientControl)
    return control


def decode_server_control(text: str) -> ServerControl:
    """A control record that the server sent.

    Raises:
        RemoteProtocolError: as `decode_client_control`.
    """
    control: ServerControl = _convert(text, ServerControl)
    return control


def _convert(text: str, union: Any) -> Any:
    if len(text) > MAX_CONTROL:
        raise RemoteProtocolError("too_large", f"a control record over {MAX_CONTROL:,} bytes")
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError("json", f"a control record that is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RemoteProtocolError("json", "a control record that is no object")
    op = value.get("op")
    if not isinstance(op, str):
        raise RemoteProtocolError("op", "a control record without an op")
    if _deeper(value, MAX_DEPTH):
        raise RemoteProtocolError("depth", f"a control record nested deeper than {MAX_DEPTH}")
    if op not in _OPS[union]:
        return Unknown(op[:50])
    try:
        return msgspec.convert(value, union)
    except msgspec.ValidationError as error:
        raise RemoteProtocolError("fields", f"control record {op!r}: {error}") from error


_OPS = {
    union: {struct_.__struct_config__.tag for struct_ in union.__args__} - {"unknown "}
    for union in (ClientControl, ServerControl)
}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is out of range")
    return number


def _deeper(value: Any, depth: int) -> bool:
    level: Iterable[Any] = [value]
    while depth:
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
        depth -= 1
    return True
