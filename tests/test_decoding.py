"""Bytes → values: whatever comes in, a message or an EncodingError comes out, in bounded memory."""

import datetime
import io
import json
import struct
import sys
import tracemalloc
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbchannels.arrays import Frame
from nbchannels.decoding import decode
from nbchannels.encoding import ARROW, JSON, MSGPACK, RAW, Encoded, encode
from nbchannels.exceptions import EncodingError

VECTORS = Path(__file__).parent / "vectors" / "v1"
BAD = json.loads((VECTORS / "bad_bodies.json").read_text(encoding="utf-8"))["cases"]


def body(head, arrays=b""):
    """A body of codec 2 around a head."""
    start = struct.pack("<I", len(head)) + head
    return start + bytes(-len(start) % 8) + arrays


def extension(code, content):
    data = content if isinstance(content, bytes) else msgspec.msgpack.encode(content)
    return b"\x81\xa1v\xc9" + struct.pack(">IB", len(data), code) + data


def arrow(table, **options):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("case", BAD, ids=lambda case: case["name"])
def test_vectors_of_bad_bodies(case):
    with pytest.raises(EncodingError):
        decode(MSGPACK, bytes.fromhex(case["hex"]))


HOSTILE = {
    "an array of 2^60": extension(1, ["f8", [2**60], 32]),
    "an array of 2^512": extension(1, ["f8", [2**64 - 1] * 8, 32]),
    "an empty array of 2^62 rows": extension(1, ["f8", [2**62, 2**62, 0], 32]),
    "too many dimensions": extension(1, ["u1", [1] * 65, 32]),
    "a shape that is no list": extension(1, ["u1", "11", 32]),
    "a shape of booleans": extension(1, ["u1", [True], 32]),
    "a shape of numbers": extension(1, ["u1", [1.0], 32]),
    "a dtype that is a list": extension(1, [["u1"], [1], 32]),
    "an object": extension(1, ["O", [1], 32]),
    "an array of two": extension(1, ["u1", [1]]),
    "an array that is no list": extension(1, 5),
    "a list of 2^32": b"\x81\xa1v\xdd\xff\xff\xff\xff",
    "a map of 2^32": b"\xdf\xff\xff\xff\xff",
    "a text of 2^32": b"\x81\xa1v\xdb\xff\xff\xff\xff",
    "bytes of 2^32": b"\x81\xa1v\xc6\xff\xff\xff\xff",
    "an extension of 2^32": b"\x81\xa1v\xc9\xff\xff\xff\xff\x01",
    "lists of 2^24 in each other": b"\x81\xa1v" + b"\xdd\x01\x00\x00\x00" * 500,
    "very deep": b"\x81\xa1v" + b"\x91" * 1_000_000,
    "a key that is a number": b"\x81\x01\x01",
    "a key that is a list": b"\x81\x91\x01\x01",
    "a key that is a map": b"\x81\x80\x01",
    "bytes behind the head": b"\x80\x80",
    "a time of no kind": extension(3, ["moment", 1]),
    "a time that is a text": extension(3, ["date", "1"]),
    "a time that is NaN": extension(3, ["datetime", float("nan")]),
    "a time of day after midnight": extension(3, ["time", 86_400_000_000]),
    "a time of day before midnight": extension(3, ["time", -1]),
    "a date after all": extension(3, ["date", 2**63]),
    "a datetime after all": extension(3, ["datetime", 2**63 - 1]),
    "a timedelta of nothing": extension(3, ["timedelta", None]),
    "a time of three": extension(3, ["date", 1, 2]),
    "an instant after all": extension(-1 & 0xFF, b"\xff" * 12),
    "a table of a number": extension(2, [["a"], [1]]),
    "a table of a matrix": extension(2, [["a"], ["ab"]]),
    "a table with a name too many": extension(2, [["a", "b"], [[1]]]),
    "a table with a name twice": extension(2, [["a", "a"], [[1], [2]]]),
    "a table named by numbers": extension(2, [[1], [[1]]]),
    "a table of uneven columns": extension(2, [["a", "b"], [[1], []]]),
    "a table that is a text": extension(2, ["a", "b"]),
    "a table of one": extension(2, [["a"]]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_heads_cost_nothing(name):
    data = body(HOSTILE[name], bytes(64))
    tracemalloc.start()
    try:
        with pytest.raises(EncodingError) as caught:
            decode(MSGPACK, data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 400


def test_tables_in_tables_without_end():
    data = msgspec.msgpack.encode([["a"], [[1]]])
    for _ in range(2000):
        data = b"\x92\x91\xa1a\x91\xc9" + struct.pack(">IB", len(data), 2) + data
    with pytest.raises(EncodingError):
        decode(MSGPACK, body(extension(2, data)))


@pytest.mark.parametrize("text", [
    b"", b"1", b"[]", b"null", b'"a"', b"{", b"{}x", b'{"a":NaN}', b'{"a":1e999}', b"{'a':1}",
    b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'{"a":01}', b'{"a":' + b"9" * 10_000 + b"}",
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"\xef\xbb\xbf{}",
])  # fmt: skip
def test_bad_json(text):
    with pytest.raises(EncodingError):
        decode(JSON, text)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 4, b"\xff" * 100])
def test_bad_msgpack(data):
    with pytest.raises(EncodingError, match="body"):
        decode(MSGPACK, data)


@pytest.mark.parametrize("codec", [-1, 4, 255])
def test_an_unknown_codec(codec):
    with pytest.raises(EncodingError, match=f"codec {codec} is not known; this version reads 0 to"):
        decode(codec, b"{}")


@pytest.mark.parametrize("kind", [bytes, memoryview, lambda data: memoryview(bytearray(data))])
def test_bodies_of_every_kind(kind):
    assert decode(RAW, kind(b"\xff\x00")) == {"body": b"\xff\x00"}
    assert decode(JSON, kind(b'{"a":[1,2.5,null,"\xc3\xbc"]}')) == {"a": [1, 2.5, None, "ü"]}
    found = decode(MSGPACK, kind(encode({"x": np.arange(3)}).body))["x"]
    assert found.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


# Arrow

TABLE = pa.table({
    "i": pa.array([1, None, 3], pa.int32()),
    "x": [1.5, 2.5, 3.5],
    "t": pa.array([datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)] * 3),
    "s": ["a", None, "ü"],
    "c": pa.array(["a", "b", None]).dictionary_encode(),
    "l": [[1], None, [2, 3]],
})  # fmt: skip


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_an_arrow_table_becomes_a_frame(compression):
    frame = decode(ARROW, arrow(TABLE, compression=compression))
    assert type(frame) is Frame
    np.testing.assert_array_equal(frame["i"], [1, np.nan, 3])
    np.testing.assert_array_equal(frame["x"], [1.5, 2.5, 3.5])
    np.testing.assert_array_equal(frame["t"], np.array(["2020-01-01"] * 3, "M8[us]"))
    assert [frame[name] for name in "scl"] == [
        ["a", None, "ü"], ["a", "b", None], [[1], None, [2, 3]]
    ]  # fmt: skip
    assert not frame["x"].flags.writeable


def test_an_arrow_table_without_pyarrow(monkeypatch):
    data = arrow(TABLE)
    monkeypatch.setitem(sys.modules, "pyarrow.ipc", None)
    with pytest.raises(EncodingError, match="an Arrow message; to read it: pip install pyarrow"):
        decode(ARROW, data)


def test_an_arrow_table_with_a_name_twice():
    with pytest.raises(EncodingError, match="two columns named 'a'"):
        decode(ARROW, arrow(pa.table([[1], [2]], names=["a", "a"])))


def test_an_arrow_table_whose_offsets_point_outside():
    data = arrow(pa.table({"a": [b"aaaa", b"bb"]}))
    offsets = struct.pack("<3i", 0, 4, 6)
    assert data.count(offsets) == 1
    assert decode(ARROW, data) == {"a": [b"aaaa", b"bb"]}
    with pytest.raises(EncodingError):
        decode(ARROW, data.replace(offsets, struct.pack("<3i", 0, 4, 2**30)))


# Fuzz

MESSAGES = [
    encode(message)
    for message in (
        {"a": 1, "b": [1, 2.5, {"c": "ü"}], "d": None},
        {"x": np.arange(5.0), "y": np.eye(2, dtype="i2"), "n": float("nan"), "b": b"x"},
        {"t": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), "d": datetime.date(2020, 1, 1)},
        {"c": [datetime.datetime(2020, 1, 1), datetime.time(3), datetime.timedelta(5)]},
        pd.DataFrame({"a": [1.0, 2], "s": ["x", None]}),
        {"f": pd.DataFrame({"a": [1]})},
    )
]
ARROWS = [Encoded(ARROW, arrow(TABLE)), Encoded(ARROW, arrow(TABLE, compression="zstd"))]


@given(st.sampled_from([JSON, MSGPACK, ARROW]), st.binary(max_size=200))
@settings(max_examples=max(300, settings().max_examples), deadline=None)
def test_random_bytes(codec, data):
    try:
        assert isinstance(decode(codec, data), dict)
    except EncodingError:
        pass


@st.composite
def mutated(draw, messages):
    codec, data = draw(st.sampled_from(messages))
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 8))
        data[at : at + size] = draw(
            st.binary(max_size=8)
            | st.sampled_from([b"\xff" * 8, bytes(8), struct.pack("<Q", 2**60)])
        )
    return codec, bytes(data)


@given(mutated(MESSAGES))
@settings(max_examples=max(600, settings().max_examples), deadline=None)
def test_mutated_messages(message):
    try:
        found = decode(*message)
    except EncodingError:
        return
    assert isinstance(found, dict)
    assert all(type(key) is str for key in found)


@given(mutated(ARROWS))
@settings(max_examples=max(150, settings().max_examples), deadline=None)
def test_mutated_arrow(message):
    try:
        assert isinstance(decode(*message), Frame)
    except EncodingError:
        pass


@given(st.sampled_from(MESSAGES + ARROWS), st.integers(0, 10_000))
@settings(deadline=None)
def test_truncated_messages(message, size):
    data = message.body[: size % len(message.body)]
    try:
        found = decode(message.codec, data)
    except EncodingError:
        return
    # Only what is no part of the message may be missing: padding, or the end mark of Arrow.
    assert list(found) == list(decode(*message))
