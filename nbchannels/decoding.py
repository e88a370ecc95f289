"""Bytes → values: the other half of `nbchannels.encoding`."""

import datetime
import importlib
import math
import struct
from typing import Any

import msgspec

from nbchannels.arrays import DTYPES, Array, Frame, restore
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


def decode(codec: int, body: bytes | memoryview) -> MessageDict:
    """Decode a body into the message it was made from.

    Arrays are read-only numpy arrays over the bytes of ``body`` (``.copy()`` one to change it); a
    table is a `Frame`. A raw body is ``{"body": bytes}``.

    Raises:
        EncodingError: the body is not what its codec promises.
    """
    try:
        if codec == JSON:
            content = msgspec.json.decode(body)
        elif codec == MSGPACK:
            content = _decode_msgpack(memoryview(body))
        elif codec == RAW:
            content = {"body": bytes(body)}
        elif codec == ARROW:
            content = _decode_arrow(body)
        else:
            raise EncodingError(f"codec {codec} is not known; this version reads 0 to 3")
    except (msgspec.MsgspecError, struct.error, RecursionError, UnicodeDecodeError) as error:
        raise EncodingError(f"the body of the message cannot be decoded: {error}") from error
    if not isinstance(content, dict):
        raise EncodingError(f"the body of the message is {shown(content)}, not a dict")
    return content


def _decode_msgpack(body: memoryview) -> Any:
    (length,) = HEAD.unpack_from(body)
    if HEAD.size + length > len(body):
        raise EncodingError(f"the head has {length} bytes, the body only {len(body) - HEAD.size}")
    first = padded(HEAD.size + length)

    def extension(code: int, data: memoryview) -> Any:
        if code == EXT_ARRAY:
            return _read_array(msgspec.msgpack.decode(data), body, first)
        if code == EXT_FRAME:
            names, columns = decoder.decode(data)
            return Frame(zip(names, columns, strict=True))
        if code == EXT_CIVIL:
            return _read_civil(*msgspec.msgpack.decode(data))
        raise EncodingError(f"extension {code} is not known")

    decoder = msgspec.msgpack.Decoder(ext_hook=extension)
    try:
        return decoder.decode(body[HEAD.size : HEAD.size + length])
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        raise EncodingError(f"the body of the message cannot be decoded: {error}") from error


def _read_array(head: Any, body: memoryview, first: int) -> Any:
    dtype, shape, offset = head
    if dtype not in DTYPES:
        raise EncodingError(f"an array of dtype {dtype!r}, which is not known")
    if not all(isinstance(n, int) and n >= 0 for n in [*shape, offset]) or offset % 8:
        raise EncodingError(f"an array of shape {shape!r} at {offset!r}")
    end = offset + math.prod(shape) * DTYPES[dtype]
    if offset < first or end > len(body):
        raise EncodingError(
            f"an array at {offset} to {end}, the arrays stand at {first} to {len(body)}"
        )
    return restore(Array(dtype, tuple(shape), body[offset:end]))


def _read_civil(kind: str, number: int) -> Any:
    if kind == "timedelta":
        return datetime.timedelta(microseconds=number)
    if kind == "date":
        return (EPOCH + datetime.timedelta(days=number)).date()
    moment = EPOCH + datetime.timedelta(microseconds=number)
    if kind == "datetime":
        return moment
    if kind == "time":
        return moment.time()
    raise EncodingError(f"a time of kind {kind!r}, which is not known")


def _decode_arrow(body: bytes | memoryview) -> Frame:
    try:
        ipc = importlib.import_module("pyarrow.ipc")
    except ImportError as error:
        raise EncodingError("an Arrow message; to read it: pip install pyarrow") from error
    table = ipc.open_stream(body).read_all()
    return Frame({name: table.column(name).to_pylist() for name in table.column_names})
