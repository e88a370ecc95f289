"""What an HTTP body says: one message or many, checked before the first is sent.

A body without a named codec is JSON, whatever its content type says (curl's default says it were a
form). It is read strictly: no NaN, no key twice, integers kept exactly. A plain JSON message is
stored as it came, byte for byte.
"""

import json
import math
import re
import shlex
import struct
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl

from nbchannels.decoding import decode
from nbchannels.encoding import ARROW, JSON, MSGPACK, RAW, Encoded, encode, padded, shown
from nbchannels.exceptions import EncodingError, InvalidMessage, MessageTooLarge

__all__ = ["BODY_TYPES", "Batch", "TooManyMessages", "read_body"]

#: Content types that name a codec; the body is one message.
BODY_TYPES = {
    "application/msgpack": "msgpack",
    "application/x-msgpack": "msgpack",
    "application/vnd.msgpack": "msgpack",
    "application/vnd.nbchannels.message.v1+msgpack": "codec 2",
    "application/vnd.apache.arrow.stream": "codec 3",
    "application/octet-stream": "codec 0",
}

#: Opening brackets in one JSON body: each becomes an object, 64 bytes for one byte of text.
MOST_BRACKETS = 500_000

_SPACE = re.compile(r"[ \t\n\r]*")
_FORM = re.compile(r"[^\s={}\[\]\"'&]+=[^{}\[\]\"]*")


class Batch(NamedTuple):
    """The messages of one body.

    Attributes:
        messages: encoded, in order.
        many: whether the body was an array; the answer is one then, too.
    """

    messages: list[Encoded]
    many: bool


class TooManyMessages(MessageTooLarge):
    """An array has more messages than one body may."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the body has more than {limit:,} messages, the limit of one request; "
            "send it in parts",
            limit=limit,
        )


class _Repeated(dict[str, Any]):
    """A JSON object that says a key twice."""

    key = ""


def read_body(
    body: bytes, content_type: str = "", *, url: str = "", limit: int, batch: int = 10_000
) -> Batch:
    """The messages in a body, validated and encoded. Nothing is sent here.

    Args:
        body: of the request.
        content_type: its header; only `BODY_TYPES` matter.
        url: for the example in an error message; it must hold no secret.
        limit: bytes of one encoded message.
        batch: how many messages an array may hold.

    Raises:
        InvalidMessage, EncodingError: it says what is wrong, and where: ``msg['a'][3]``.
        MessageTooLarge: one message is over ``limit``, or there are too many.
    """
    if len(body) > limit:
        raise MessageTooLarge(size=len(body), limit=limit)
    kind = content_type.partition(";")[0].strip().lower()
    codec = BODY_TYPES.get(kind)
    if codec == "codec 0":
        return Batch([Encoded(RAW, body)], False)
    if codec == "codec 3":
        if body[:4] != b"\xff\xff\xff\xff":
            raise EncodingError(
                "the body is no Arrow IPC stream: it does not begin with ff ff ff ff"
            )
        return Batch([Encoded(ARROW, body)], False)
    if codec == "codec 2":
        encode(decode(MSGPACK, body), limit)  # for its checks: keys, depth, text
        return Batch([Encoded(MSGPACK, body)], False)
    if codec == "msgpack":
        return Batch([_plain_msgpack(body, limit)], False)
    return _read_json(body, kind, url, limit, batch)


def _plain_msgpack(body: bytes, limit: int) -> Encoded:
    """What any msgpack library writes is the head of a codec 2 body without arrays."""
    padding = bytes(padded(4 + len(body)) - 4 - len(body))
    return encode(decode(MSGPACK, struct.pack("<I", len(body)) + body + padding), limit)


# JSON.


def _read_json(body: bytes, kind: str, url: str, limit: int, batch: int) -> Batch:
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > MOST_BRACKETS:
        raise MessageTooLarge(
            f"the body has {brackets:,} opening brackets, the limit is {MOST_BRACKETS:,}; send it "
            "in parts, or tables as columns",
            size=len(body),
            limit=limit,
        )
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EncodingError(
            f"the body is no UTF-8 text: byte {error.start} is 0x{body[error.start]:02x}; send "
            "JSON as UTF-8, or name what it is: -H 'Content-Type: application/octet-stream'"
        ) from None
    start = _skip(text, 0)
    if start == len(text):
        raise InvalidMessage(
            "the body is empty; send a JSON object: " + _example({"value": 1}, url)
        )
    if text[start] != "[":
        if text[start] != "{":
            _refuse(text[start:], kind, url)
        content, end = _scan(text, start, "msg")
        _at_end(text, end)
        encoded = _encode(content, "msg", limit)
        # As it came, but for what stands around it.
        if encoded.codec == JSON:
            encoded = Encoded(JSON, text[start:end].encode())
        return Batch([encoded], False)
    return Batch(_read_array(text, start + 1, limit, batch), True)


def _read_array(text: str, start: int, limit: int, batch: int) -> list[Encoded]:
    messages: list[Encoded] = []
    at = _skip(text, start)
    if text[at : at + 1] == "]":
        raise InvalidMessage("the body is an array of no messages; send [{…}, {…}]")
    while True:
        if len(messages) >= batch:
            raise TooManyMessages(batch)
        path = f"body[{len(messages)}]"
        content, at = _scan(text, at, path)
        messages.append(_encode(content, path, limit))
        at = _skip(text, at)
        mark = text[at : at + 1]
        if mark == "]":
            _at_end(text, at + 1)
            return messages
        if mark != ",":
            _no_json("expecting ',' or ']'", text, at)
        at = _skip(text, at + 1)


def _encode(content: Any, path: str, limit: int) -> Encoded:
    if type(content) is not dict and not isinstance(content, _Repeated):
        raise InvalidMessage(
            f"{path} is {shown(content)}; a message is a JSON object such as "
            '{"value": 1}, many are an array of them'
        )
    if isinstance(content, _Repeated):
        _check(content, path)
    try:
        encoded = encode(content, limit)
    except EncodingError as error:
        if path == "msg":
            raise
        where = path + error.path.removeprefix("msg")
        raise EncodingError(str(error).replace(error.path, where, 1), where) from None
    except MessageTooLarge as error:
        if path == "msg":
            raise
        raise MessageTooLarge(f"{path}: {error}", size=error.size, limit=limit) from None
    if encoded.codec != JSON:  # integers over 2^53 are why, or something that is no JSON at all
        _check(content, path)
    return encoded


def _check(value: Any, path: str) -> None:
    """Raise for a key said twice, and for a number that is too large for a float."""
    if isinstance(value, _Repeated):
        raise EncodingError(
            f"{path} says the key {value.key!r} twice; one of them would be lost", path
        )
    if isinstance(value, dict):
        for key, item in value.items():
            _check(item, f"{path}[{key!r}]")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check(item, f"{path}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise EncodingError(
            f"{path} is a number over 1.8e308, which no float holds; send it as text", path
        )


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = _Repeated(found)
    seen: set[str] = set()
    repeated.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return repeated


def _constant(name: str) -> NoReturn:
    raise EncodingError(
        f"the body has {name}, which JSON has not; send null, or as msgpack: "
        "-H 'Content-Type: application/msgpack'"
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def _scan(text: str, start: int, path: str) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        _no_json(error.msg[:1].lower() + error.msg[1:].removesuffix(" at"), text, error.pos)
    except EncodingError:
        raise
    except RecursionError:
        raise EncodingError(f"{path} is nested far deeper than 64, the limit") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise EncodingError(
            f"{path} has an integer of thousands of digits; send it as text"
        ) from None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _at_end(text: str, end: int) -> None:
    at = _skip(text, end)
    if at < len(text):
        _no_json("something follows the JSON value", text, at)


def _no_json(what: str, text: str, at: int) -> NoReturn:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    raise EncodingError(f"the body is no JSON: {what} at line {line} column {column}")


def _refuse(text: str, kind: str, url: str) -> NoReturn:
    """A body that is neither object nor array: a form, a bare value, or something else."""
    if kind == "multipart/form-data":
        raise InvalidMessage(
            "the body is a form with parts (curl -F); send a JSON object: "
            + _example({"value": 1}, url)
        )
    if _FORM.match(text) and len(text) <= 10_000:
        fields = {key: _value(value) for key, value in parse_qsl(text.strip(), max_num_fields=1000)}
        if fields:
            raise InvalidMessage(
                "the body is a form (a=1&b=2), not JSON; send: " + _example(fields, url)
            )
    content, end = _scan(text, 0, "msg")
    _at_end(text, end)
    _encode(content, "msg", len(text))
    raise AssertionError("unreachable: an object begins with a brace")  # pragma: no cover


def _value(text: str) -> Any:
    """A form's value as one would write it in JSON."""
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (int, float, bool)) and math.isfinite(value) else text


def _example(message: dict[str, Any], url: str) -> str:
    content = json.dumps(message, ensure_ascii=False)
    if len(content) > 300:
        content = '{"…": …}'
    return f"curl -H 'Authorization: token …' -d {shlex.quote(content)} {shlex.quote(url or 'URL')}"
