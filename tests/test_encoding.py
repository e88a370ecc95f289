"""Values → bytes: what may be sent, how it travels, and what the errors say."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import threading
import timeit
import types
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbchannels.arrays import Frame
from nbchannels.decoding import decode
from nbchannels.encoding import JSON, MAX_DEPTH, MAX_MESSAGE, MSGPACK, encode
from nbchannels.exceptions import EncodingError, InvalidMessage, MessageTooLarge
from nbchannels.message import Message

UTC = datetime.UTC
VECTORS = Path(__file__).parent / "vectors" / "v1"
CASES = json.loads((VECTORS / "bodies.json").read_text(encoding="utf-8"))["cases"]
CODECS = {"json": JSON, "msgpack": MSGPACK}


def meant(value):
    """What a value of the vectors stands for."""
    match value:
        case {"$float": text}:
            return float(text)
        case {"$bytes": digits}:
            return bytes.fromhex(digits)
        case {"$int": digits}:
            return int(digits)
        case {"$array": dtype, "shape": shape, "values": values}:
            known = np.array(values, "i8" if dtype[0] in "Mm" else dtype)
            return known.view(dtype).reshape(shape)
        case {"$frame": columns}:
            return Frame({name: meant(column) for name, column in columns})
        case {"$instant": seconds}:
            return datetime.datetime.fromtimestamp(seconds, UTC)
        case {"$civil": ["datetime", number]}:
            return datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=number)
        case {"$civil": ["timedelta", number]}:
            return datetime.timedelta(microseconds=number)
        case dict():
            return {key: meant(item) for key, item in value.items()}
        case list():
            return [meant(item) for item in value]
    return value


def same(found, expected):
    """Equal, of the same types, NaN as NaN."""
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
        return found.dtype == expected.dtype
    if type(found) is not type(expected):
        return False
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[k], expected[k]) for k in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float) and math.isnan(expected):
        return math.isnan(found)
    return bool(found == expected)


def sent(value):
    return decode(*encode({"v": value}))["v"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vectors(case):
    codec, body = CODECS[case["codec"]], bytes.fromhex(case["hex"])
    value = meant(case["value"])
    assert same(decode(codec, body), value)
    if case["canonical"]:
        encoded = encode(value)
        assert encoded.codec == codec
        if codec == JSON:
            assert json.loads(encoded.body) == json.loads(body)
        else:
            assert encoded.body.hex() == case["hex"]


# Round trips

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT
MOMENTS = st.datetimes() | st.datetimes(timezones=st.just(UTC))
CIVIL = (
    st.dates() | st.times() | st.timedeltas(datetime.timedelta(-(10**8)), datetime.timedelta(10**8))
)
ANYTHING = PLAIN | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary() | MOMENTS | CIVIL


def nested(leaves):
    def containers(children):
        return st.lists(children, max_size=5) | st.dictionaries(TEXT, children, max_size=5)

    return st.dictionaries(TEXT, st.recursive(leaves, containers, max_leaves=20), max_size=5)


@given(nested(PLAIN | st.floats(allow_nan=False, allow_infinity=False)))
@settings(deadline=None)
def test_what_json_can_say_travels_as_json(message):
    encoded = encode(message)
    assert encoded.codec == JSON
    assert same(decode(*encoded), message)
    assert json.loads(encoded.body) == message


@given(nested(ANYTHING))
@settings(deadline=None)
def test_everything_arrives_as_it_was(message):
    encoded = encode(message)
    assert same(decode(*encoded), message)
    assert encoded.codec == JSON or len(encoded.body) % 8 == 0


LONG = [
    [1.5] * 100,
    [1e308] * 100,
    [*[1e308] * 99, -1e308],
    [0.0] * 99 + [float("nan")],
    [0.0] * 98 + [float("inf"), float("-inf")],
    [1] * 100,
    [1] * 99 + [2**53 + 1],
    [1] * 99 + [2**64 - 1],
    [True, None, 1.5] * 50,
    ["a", None, "ü"] * 50,
    [1, 1.5, "a", {"b": [float("nan")]}] * 30,
    [b"a"] * 100,
    [[float("nan")] * 100] * 3,
    [{"a": i} for i in range(100)],
]


@pytest.mark.parametrize("values", LONG, ids=lambda values: f"{values[0]!r:.9}, {values[-1]!r:.20}")
def test_long_lists(values):
    assert same(sent(values), values)
    assert same(sent(dict(enumerated(values))), dict(enumerated(values)))
    is_json = all(
        isinstance(v, (str, bool, type(None), dict))
        or (isinstance(v, (int, float)) and math.isfinite(v) and (abs(v) <= 2**53 or v != int(v)
                                                                  or isinstance(v, float)))
        for v in values
    )  # fmt: skip
    nested_nan = any(isinstance(v, dict) and "b" in v for v in values)
    assert (encode({"v": values}).codec == JSON) is (is_json and not nested_nan)


def enumerated(values):
    return ((str(i), value) for i, value in enumerate(values))


class Whole(int):
    def __str__(self):
        return "no"

    def __int__(self):
        return -1


class Real(float):
    def __float__(self):
        return -1.0


class Text(str):
    def __str__(self):
        return "no"


class Named(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    A = "a"


class Colour(enum.Enum):
    RED = [1, {"b": 2}]


@dataclasses.dataclass
class Point:
    x: int = 1
    y: object = None


Pair = collections.namedtuple("Pair", "a b")


@pytest.mark.parametrize(("value", "expected"), [
    (Whole(3), 3),
    (Real(2.5), 2.5),
    (Real("nan"), float("nan")),
    (Text("x"), "x"),
    (type("Table", (dict,), {})(a=1), {"a": 1}),
    (type("Row", (list,), {})([1]), [1]),
    (type("Row", (list,), {})([float("nan")] * 99), [float("nan")] * 99),
    ((1, (2, float("nan"))), [1, [2, float("nan")]]),
    (Pair(1, 2), [1, 2]),
    (collections.OrderedDict(a=1), {"a": 1}),
    (collections.Counter("aab"), {"a": 2, "b": 1}),
    (collections.ChainMap({"a": 1}), {"a": 1}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    ({Text("k"): 1, Named.A: 2}, {"k": 1, "a": 2}),
    (Named.A, "a"),
    (Colour.RED, [1, {"b": 2}]),
    (enum.IntEnum("I", {"A": 5}).A, 5),
    (enum.IntFlag("F", {"A": 4}).A, 4),
    (Point(2), {"x": 2, "y": None}),
    ([Point(y=Point())], [{"x": 1, "y": {"x": 1, "y": None}}]),
    (bytearray(b"a\xff"), b"a\xff"),
    (type("Bytes", (bytes,), {})(b"a"), b"a"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (pathlib.PureWindowsPath("a\\b"), "a\\b"),
    (datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
     datetime.datetime(2019, 12, 31, 22, tzinfo=UTC)),
    (datetime.datetime.min, datetime.datetime.min),
    (datetime.datetime.max.replace(tzinfo=UTC), datetime.datetime.max.replace(tzinfo=UTC)),
    (datetime.date.min, datetime.date.min),
    (datetime.time.max, datetime.time.max),
    (datetime.timedelta(microseconds=2**63 - 1), datetime.timedelta(microseconds=2**63 - 1)),
    (2**64 - 1, 2**64 - 1),
    (-(2**63), -(2**63)),
    (-0.0, -0.0),
])  # fmt: skip
def test_values_of_other_types(value, expected):
    assert same(sent(value), expected)
    assert same(sent({"n": float("nan"), "v": value})["v"], expected)


def test_a_message_may_be_a_subclass_of_dict():
    assert encode(collections.OrderedDict(y=1)) == (JSON, b'{"y":1}')
    assert encode(collections.Counter("a")) == (JSON, b'{"a":1}')
    assert decode(*encode(collections.defaultdict(list, y=float("inf")))) == {"y": math.inf}
    with pytest.raises(EncodingError, match=r"^msg\['y'\] is an object"):
        encode(collections.OrderedDict(y=object()))


# Errors: the path, the type, the limit, the remedy


@pytest.mark.parametrize(("value", "what", "remedy"), [
    ({1, 2}, "a set: {1, 2}", "send a list: sorted(...)"),
    (frozenset("a"), "a frozenset: frozenset({'a'})", "send a list: sorted(...)"),
    (range(3), "a range: range(0, 3)", "send a list: list(...)"),
    (collections.deque([1]), "a deque: deque([1])", "send a list: list(...)"),
    (1j, "a complex: 1j", "send its .real and .imag"),
    (decimal.Decimal("1.5"), "a Decimal: Decimal('1.5')", "send float(...), or str(...)"),
    (fractions.Fraction(1, 2), "a Fraction: Fraction(1, 2)", "send float(...), or str(...)"),
    (len, "a builtin_function_or_method", "did you mean to call it?"),
    (Point, "a type", "did you mean to call it?"),
    (threading.Lock(), "a lock", "send its values as a dict, or str(...)"),
    (ValueError("x"), "a ValueError: ValueError('x')", "send its values as a dict, or str(...)"),
    (..., "an ellipsis: Ellipsis", "send its values as a dict, or str(...)"),
    (Message({"y": 1}), "a Message: <Message", "send dict(...)"),
    (2**64, "an integer of 65 bits, the limit is 64", "send str(msg['a'][3])"),
    (-(2**63) - 1, "an integer of 65 bits, the limit is 64", "send str(msg['a'][3])"),
    (10**2000, "an integer of 6644 bits, the limit is 64", "send str(msg['a'][3])"),
    ("a\ud800", r"no valid unicode text: '\ud800' at 1", "send msg['a'][3].encode('utf-8', 'repl"),
    (datetime.timedelta.max, "the limit is 2**63 microseconds", "send .total_seconds()"),
    (datetime.time(1, tzinfo=UTC), "a time of day with a zone", "send a datetime"),
    (datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
     "which is out of range", "send str(...)"),
])  # fmt: skip
@pytest.mark.parametrize("others", [[0, 1, 2], [0] * 2 + [math.nan]])
def test_errors_say_where_what_and_what_to_do(value, what, remedy, others):
    with pytest.raises(EncodingError) as caught:
        encode({"a": [*others, value]})
    error = caught.value
    assert error.path == "msg['a'][3]"
    assert str(error).startswith("msg['a'][3] is ")
    assert what in str(error)
    assert remedy in str(error)


def test_an_awaitable_is_to_be_awaited():
    async def answer():
        pass

    coroutine = answer()
    with pytest.raises(EncodingError, match="is a coroutine.*did you mean to await it"):
        sent(coroutine)
    coroutine.close()


@pytest.mark.parametrize(("message", "path", "what"), [
    ({"a": [{"b": {1: 2}}]}, "msg['a'][0]['b']", "the key 1 of type int; keys are str: use '1'"),
    ({1: 2}, "msg", "msg has the key 1 of type int"),
    ({None: 2}, "msg", "msg has the key None of type NoneType"),
    ({("a", 1): 2}, "msg", "has the key ('a', 1) of type tuple"),
    ({b"a": 2}, "msg", "has the key b'a' of type bytes"),
    ({"a": Point(y={1})}, "msg['a']['y']", "is a set: {1}"),
    ({"\ud800": 1}, r"msg['\ud800']", "is no valid unicode text"),
    ({"a": {"\udfff": math.nan}}, r"msg['a']['\udfff']", "is no valid unicode text"),
    ({"a": ["x"] * 100 + ["\ud800"]}, "msg['a'][100]", "is no valid unicode text"),
    ({"a": Colour.RED, "c": enum.Enum("E", {"A": frozenset()}).A}, "msg['c']", "is a frozenset"),
    ({"f": Frame(a=[1], b=np.eye(2))}, "msg['f']", "msg['f']['b'] is no column"),
    ({"f": Frame(a=[1], b="x")}, "msg['f']", "msg['f']['b'] is no column"),
    ({"f": Frame(a=[1], b=[1, 2])}, "msg['f']", "columns of different lengths: {'a': 1, 'b': 2}"),
    ({"f": Frame({1: [1]})}, "msg['f']", "has the key 1 of type int"),
    (Frame(a=[1, {2}]), "msg['a'][1]", "is a set: {2}"),
])  # fmt: skip
def test_paths(message, path, what):
    with pytest.raises(EncodingError) as caught:
        encode(message)
    assert str(caught.value).startswith(path)
    assert caught.value.path.startswith(path)
    assert what in str(caught.value)


def test_a_long_key_does_not_make_a_long_sentence():
    with pytest.raises(EncodingError) as caught:
        encode({"k" * 10**6: {1}})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("content", "what", "remedy"), [
    (5, "not an int: 5", "send a dict like {'value': ...}"),
    (None, "not None", "send a dict like"),
    ("text", "not a str: 'text'", "send a dict like"),
    ([{"y": 1}], "not a list: [{'y': 1}]", "send a dict like"),
    (np.arange(3), "not a ndarray: array([0, 1, 2])", "send a dict like"),
    (Point(), "not a Point: ", "send a dict like"),
    (types.MappingProxyType({"a": 1}), "not a mappingproxy: ", "send dict(...)"),
    (Message({"y": 1}), "not a Message: ", "send dict(...)"),
    (list(range(10**6)), "not a list: [0, 1, 2", "send a dict like"),
])  # fmt: skip
def test_a_message_is_a_dict_or_a_table(content, what, remedy):
    with pytest.raises(InvalidMessage) as caught:
        encode(content)
    assert not isinstance(caught.value, EncodingError)
    assert f"a message is a dict or a table, {what}" in str(caught.value)
    assert remedy in str(caught.value)
    assert len(str(caught.value)) < 200


# Depth


def deep(levels, leaf):
    value = leaf
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return {"v": value}


@pytest.mark.parametrize("leaf", [1, math.nan, "text", np.arange(3), Named.A, None, b"", []])
def test_the_deepest_message(leaf):
    encode(deep(MAX_DEPTH - 1, leaf))
    with pytest.raises(EncodingError, match=r"^msg\['v'\].* is nested deeper than 64; .*flatter"):
        encode(deep(MAX_DEPTH, leaf))


@pytest.mark.parametrize("leaf", [1, math.nan])
def test_cycles(leaf):
    message = {"a": [leaf]}
    message["a"].append(message)
    with pytest.raises(EncodingError, match=r"^msg\['a'\]\[1\].* does it contain itself"):
        encode(message)
    point = Point()
    point.y = [point]
    with pytest.raises(EncodingError, match="does it contain itself"):
        encode({"p": point})


# Size


@pytest.mark.parametrize("make", [
    lambda size: {"v": "x" * (size - len('{"v":""}'))},
    lambda size: {"v": b"x" * (size - 12)},
    lambda size: {"v": np.zeros(size - 24, "u1")},
    lambda size: Frame(v=np.zeros(size - 32, "u1")),
], ids=["json", "bytes", "array", "table"])  # fmt: skip
def test_the_limit_is_exact(make):
    limit = 2**17
    for size in (limit - 8, limit):
        assert len(encode(make(size), limit).body) == size
    for size in (limit + 1, limit + 8):
        with pytest.raises(MessageTooLarge) as caught:
            encode(make(size), limit)
        assert caught.value.limit == limit
        assert limit < caught.value.size <= limit + 64
        assert f"bytes, the limit is {limit:,}; send it in parts" in str(caught.value)


def test_the_limit_of_a_message():
    room = MAX_MESSAGE - len('{"v":""}')
    for size in (room - 1, room):
        assert len(encode({"v": "x" * size}).body) == size + 8
    with pytest.raises(MessageTooLarge, match="16,777,217 bytes, the limit is 16,777,216"):
        encode({"v": "x" * (room + 1)})
    assert len(encode({"v": np.zeros(MAX_MESSAGE - 24, "u1")}).body) == MAX_MESSAGE
    for size in (MAX_MESSAGE - 23, MAX_MESSAGE + 1):
        with pytest.raises(MessageTooLarge, match="the limit is 16,777,216"):
            encode({"v": np.zeros(size, "u1")})


def test_a_million_numbers_travel_as_bytes_and_are_not_copied():
    values = np.random.default_rng(0).standard_normal(1_000_000)
    values[::1000] = np.nan
    values[1] = np.inf
    encoded = encode({"x": values})
    assert encoded.codec == MSGPACK
    assert 8_000_000 < len(encoded.body) < 8_000_100
    found = decode(*encoded)["x"]
    np.testing.assert_array_equal(found, values)
    assert np.shares_memory(found, np.frombuffer(encoded.body, "u1"))
    view = memoryview(bytearray(encoded.body))
    found = decode(MSGPACK, view)["x"]
    assert np.shares_memory(found, np.frombuffer(view, "u1"))
    assert not found.flags.writeable


def test_small_messages_are_encoded_fast():
    message = {"y": 1.5, "t": 123456, "label": "abc"}
    seconds = min(timeit.repeat(lambda: encode(message), number=10_000, repeat=5)) / 10_000
    assert seconds < 15e-6  # 0.9 µs here; ten times that on a busy machine


def test_threads_encode_at_once():
    """The encoder is shared, and calls back into Python while it works."""
    messages = [
        {"x": np.full(50, n), "f": Frame(a=[n, None], b=np.arange(2)), "n": math.nan, "k": n}
        for n in range(8)
    ]
    wrong = []

    def work(message):
        for _ in range(100):
            found = decode(*encode(message))
            if found["k"] != message["k"] or (found["x"] != message["k"]).any():
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(message,)) for message in messages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
