"""A stored message as JSON for people: arrays as lists while they are small, then described."""

import base64
import datetime
import math
from typing import Any

from nbchannels.decoding import decode
from nbchannels.encoding import ARROW, HEAD, JSON, MSGPACK, RAW
from nbchannels.exceptions import ChannelsError
from nbchannels.protocol.events import Record

__all__ = ["CODECS", "describe"]

#: A longer JSON text, or msgpack head, is not decoded.
MOST_TEXT = 256 * 1024
#: An array with more elements is described.
MOST_ELEMENTS = 1000
#: Bytes that are shown, as base64.
MOST_BYTES = 64
#: Deeper values are left out.
DEPTH = 64

CODECS = {RAW: "raw", JSON: "json", MSGPACK: "msgpack", ARROW: "arrow"}


def describe(record: Record) -> dict[str, Any]:
    """One entry of a log: ``message`` is its content, or null and ``omitted`` says why."""
    content, omitted = _content(record)
    return {
        "offset": record.sequence,
        "tag": record.tag,
        "time": record.time,
        "sender": record.sender,
        "codec": CODECS.get(record.codec, str(record.codec)),
        "size": len(record.body),
        "message": content,
        "omitted": omitted,
    }


def _content(record: Record) -> tuple[Any, str | None]:
    body, size = record.body, len(record.body)
    if record.codec == ARROW:
        return None, f"an Arrow table of {size:,} bytes"
    text = size if record.codec == JSON else 0
    if record.codec == MSGPACK and size >= HEAD.size:
        (text,) = HEAD.unpack_from(body)
    if text > MOST_TEXT:
        return None, f"{text:,} bytes of text, at most {MOST_TEXT:,} are shown"
    try:
        return _plain(decode(record.codec, body), 0), None
    except ChannelsError as error:
        return None, str(error)[:500]


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth > DEPTH:
        return "…"
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, bytes):
        shown = {"base64": base64.b64encode(value).decode()} if len(value) <= MOST_BYTES else {}
        return {"bytes": len(value)} | shown
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if hasattr(value, "tolist"):
        return _array(value, depth)
    return str(value)[:100]


def _array(value: Any, depth: int) -> Any:
    """A numpy array, or without numpy a memoryview."""
    shape = list(value.shape or [])
    if math.prod(shape) > MOST_ELEMENTS:
        kind = str(getattr(value, "dtype", value.format if hasattr(value, "format") else ""))
        return {"array": kind, "shape": shape, "bytes": value.nbytes}
    if getattr(getattr(value, "dtype", None), "kind", None) in ("M", "m"):
        value = value.astype(str)
    return _plain(value.tolist(), depth + 1)
