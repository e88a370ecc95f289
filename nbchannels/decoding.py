"""Bytes → values: the other half of `nbchannels.encoding`."""

import datetime
import importlib
import math
import struct
from typing import Any

import msgspec

from nbchannels.arrays import DTYPES, Array, Frame, recognise, restore
from nbchannels.encoding import (
    ARROW,
    EPOCH,
    EXT_ARRAY,
    EXT_CIVIL,
    EXT_FRAME,
    HEAD,
    JSON,
    MSGPACK,
    RAW,
    padded,
    shown,
)
from nbchannels.exceptions import EncodingError
from nbchannels.typing import MessageDict

__all__ = ["decode"]

#: As many as numpy has.
MAX_DIMENSIONS = 64
#: Microseconds.
DAY = 86_400_000_000


def decode(codec: int, body: bytes | memoryview) -> MessageDict:
    """Decode a body into the message it was made from.

    Arrays are read-only numpy arrays over the bytes of ``body`` (``.copy()`` one to change it); a
    table is a `Frame`. A raw body is ``{"body": bytes}``.

    Raises:
        EncodingError: the body is not what its codec promises.
    """
    try:
        if codec == JSON:
            content = _from_json(body)
        elif codec == MSGPACK:
            content = _decode_msgpack(memoryview(body).toreadonly())
        elif codec == RAW:
            content = {"body": bytes(body)}
        elif codec == ARROW:
            content = _decode_arrow(body)
        else:
            raise EncodingError(f"codec {codec} is not known; this version reads 0 to 3")
    except EncodingError:
        raise
    except _MALFORMED as error:
        raise EncodingError(f"the body of the message cannot be decoded: {error}") from error
    if not isinstance(content, dict):
        raise EncodingError(f"the body of the message is {shown(content)}, not a dict")
    return content


_from_json = msgspec.json.Decoder().decode
_from_msgpack = msgspec.msgpack.Decoder().decode
# What a hostile body makes the libraries raise.
_MALFORMED = (
    msgspec.MsgspecError,
    ArithmeticError,
    BufferError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


def _decode_msgpack(body: memoryview) -> Any:
    (length,) = HEAD.unpack_from(body)
    if HEAD.size + length > len(body):
        raise EncodingError(f"the head has {length} bytes, the body only {len(body) - HEAD.size}")
    first = padded(HEAD.size + length)

    def extension(code: int, data: memoryview) -> Any:
        if code == EXT_ARRAY:
            return _read_array(_from_msgpack(data), body, first)
        if code == EXT_FRAME:
            return _read_frame(decoder.decode(data))
        if code == EXT_CIVIL:
            return _read_civil(*_from_msgpack(data))
        raise EncodingError(f"extension {code} is not known")

    decoder = msgspec.msgpack.Decoder(ext_hook=extension)
    content = decoder.decode(body[HEAD.size : HEAD.size + length])
    if type(content) is dict and not all(type(key) is str for key in content):
        raise EncodingError("the message has a key that is no text")
    return content


def _read_array(head: Any, body: memoryview, first: int) -> Any:
    dtype, shape, offset = head
    if dtype not in DTYPES:
        raise EncodingError(f"an array of dtype {dtype!r}, which is not known")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise EncodingError(f"an array whose shape is no list of 0 to {MAX_DIMENSIONS} lengths")
    if not all(type(n) is int and n >= 0 for n in [*shape, offset]) or offset % 8:
        raise EncodingError(f"an array of shape {shape!r} at {offset!r}")
    end = offset + math.prod(shape) * DTYPES[dtype]
    if offset < first or end > len(body):
        raise EncodingError(
            f"an array {dtype} of shape {shape} at {offset}; "
            f"the arrays stand at {first} to {len(body)}"
        )
    return restore(Array(dtype, tuple(shape), body[offset:end]))


def _read_frame(head: Any) -> Frame:
    names, columns = head
    if not isinstance(names, list) or not isinstance(columns, list):
        raise EncodingError("a table is two lists: of names, and of columns")
    if not all(type(name) is str for name in names) or len(set(names)) < len(names):
        raise EncodingError("the names of a table's columns are texts, each only once")
    heights = set()
    for column in columns:
        shape = getattr(column, "shape", None)
        if not isinstance(column, list) and (not isinstance(shape, tuple) or len(shape) != 1):
            raise EncodingError("a column of a table is an array or a list of one dimension")
        heights.add(len(column))
    if len(heights) > 1 or len(names) != len(columns):
        raise EncodingError("the columns of a table have one length, and each has a name")
    return Frame(zip(names, columns, strict=True))


def _read_civil(kind: str, number: int) -> Any:
    if type(number) is not int:
        raise EncodingError(f"a time of {shown(number)}; it is a whole number")
    if kind == "timedelta":
        return datetime.timedelta(microseconds=number)
    if kind == "date":
        return (EPOCH + datetime.timedelta(days=number)).date()
    if kind == "datetime":
        return EPOCH + datetime.timedelta(microseconds=number)
    if kind == "time" and 0 <= number < DAY:
        return (EPOCH + datetime.timedelta(microseconds=number)).time()
    raise EncodingError(f"a time of kind {kind!r} and {number}, which is not known")


def _decode_arrow(body: bytes | memoryview) -> Frame:
    try:
        ipc = importlib.import_module("pyarrow.ipc")
    except ImportError as error:
        raise EncodingError("an Arrow message; to read it: pip install pyarrow") from error
    table = ipc.open_stream(body).read_all()
    table.validate(full=True)  # a body of strangers: no offset may point outside of it
    frame = Frame()
    for name, column in recognise(table, "msg").items():
        frame[name] = restore(column) if isinstance(column, Array) else column
    return frame
