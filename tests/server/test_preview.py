"""Stored messages as JSON for people."""

import datetime
import json
import sys
from typing import Any

import numpy as np
import pytest

from nbchannels.arrays import Frame
from nbchannels.encoding import ARROW, JSON, MSGPACK, RAW, encode
from nbchannels.protocol.events import MESSAGE, Record
from nbchannels.server.preview import describe


def record(codec: int, body: bytes) -> Record:
    return Record(MESSAGE, codec, 0, "", 1, 77, 5, 1000.5, 3, memoryview(body))


def shown(message: Any) -> Any:
    entry = describe(record(*encode(message)))
    assert entry["omitted"] is None
    json.dumps(entry, allow_nan=False)
    return entry["message"]


def test_what_stands_around_it():
    assert describe(record(JSON, b'{"a": 1}')) == {
        "offset": 5,
        "tag": 77,
        "time": 1000.5,
        "sender": 3,
        "codec": "json",
        "size": 8,
        "message": {"a": 1},
        "omitted": None,
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**63, 2**63),
        ([float("nan"), float("inf"), -float("inf")], ["nan", "inf", "-inf"]),
        (b"abc", {"bytes": 3, "base64": "YWJj"}),
        (b"x" * 1000, {"bytes": 1000}),
        (datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "2026-01-02T00:00:00+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.timedelta(seconds=1.5), 1.5),
        (np.arange(3), [0, 1, 2]),
        (np.array([[1.0, np.nan]]), [[1.0, "nan"]]),
        (np.array(["2026-01-02"], "M8[s]"), ["2026-01-02T00:00:00"]),
        (np.zeros((10, 101), "f4"), {"array": "float32", "shape": [10, 101], "bytes": 4040}),
        (np.array(1.5), 1.5),
        (np.zeros(0), []),
    ],
)
def test_values(value: Any, expected: Any):
    assert shown({"v": value, "force": b""})["v"] == expected


def test_a_table():
    assert shown(Frame(a=np.arange(2), b=["x", "y"])) == {"a": [0, 1], "b": ["x", "y"]}


def test_without_numpy(monkeypatch: pytest.MonkeyPatch):
    small, large = encode({"v": np.arange(3)}), encode({"v": np.zeros(5000)})
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert describe(record(*small))["message"] == {"v": [0, 1, 2]}
    assert describe(record(*large))["message"]["v"] == {
        "array": "d",
        "shape": [5000],
        "bytes": 40000,
    }


@pytest.mark.parametrize(
    ("codec", "body", "said"),
    [
        (ARROW, b"x" * 2000, "an Arrow table of 2,000 bytes"),
        (JSON, b" " * 300_000, "300,000 bytes of text, at most 262,144 are shown"),
        (MSGPACK, (300_000).to_bytes(4, "little") + bytes(300_000), "300,000 bytes of text"),
        (MSGPACK, b"", "cannot be decoded"),
        (MSGPACK, b"\xff\xff\xff\x7f", "bytes of text, at most"),
        (MSGPACK, b"\x01\0\0\0\xc1\0\0\0", "cannot be decoded"),
        (JSON, b"[1]", "not a dict"),
        (JSON, b'{"a":' * 5000, "cannot be decoded"),
        (9, b"", "codec 9 is not known"),
    ],
)
def test_what_is_not_shown(codec: int, body: bytes, said: str):
    entry = describe(record(codec, body))
    assert entry["message"] is None
    assert said in entry["omitted"]
    assert len(entry["omitted"]) <= 500


def test_a_large_array_does_not_hide_the_rest():
    message = shown({"x": np.zeros(1_000_000), "name": "n"})
    assert message["name"] == "n"
    assert message["x"]["bytes"] == 8_000_000


def test_raw_bytes():
    assert describe(record(RAW, b"abc"))["message"] == {"body": {"bytes": 3, "base64": "YWJj"}}


def test_keys_that_are_no_text_and_deep_nesting():
    body = b"\x81\x01\x02"
    head = len(body).to_bytes(4, "little") + body
    assert "a key that is no text" in describe(record(MSGPACK, head))["omitted"]
    deep = b"\x81\xa1a" + b"\x91" * 500 + b"\xc0"
    entry = describe(record(MSGPACK, len(deep).to_bytes(4, "little") + deep))
    json.dumps(entry)
    assert "…" in str(entry["message"])
