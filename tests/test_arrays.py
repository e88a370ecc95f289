"""Arrays, tables and scalars of other libraries: what travels, as what, and what is refused."""

import array
import datetime
import decimal
import math
import sys
import types
import unittest.mock
import zoneinfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from nbchannels.arrays import DTYPES, Array, Frame, recognise, restore
from nbchannels.decoding import decode
from nbchannels.encoding import encode
from nbchannels.exceptions import EncodingError

UTC = datetime.UTC
BERLIN = pd.date_range("2020-01-01", periods=3, tz="Europe/Berlin")
NAT = np.datetime64("NaT")
MIDNIGHT = datetime.datetime(2020, 1, 1)
NEARLY = MIDNIGHT.replace(microsecond=123456)  # 123,456,789 ns after midnight


def sent(value):
    """What a receiver gets."""
    return decode(*encode({"v": value}))["v"]


def same(found, expected, dtype=None):
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, expected)
    if dtype is not None:
        assert found.dtype == np.dtype(dtype)
    return True


# numpy

NUMBERS = st.sampled_from([
    f"{order}{kind}" for order in "<>" for kind in
    ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "M8[s]", "M8[ms]", "M8[us]",
     "M8[ns]", "m8[s]", "m8[ms]", "m8[us]", "m8[ns]")
] + ["?"])  # fmt: skip


@st.composite
def arrays(draw):
    """Of every dtype and shape, big-endian, empty, transposed, with strides of any sign."""
    shape = draw(npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    values = draw(npst.arrays(draw(NUMBERS), shape))
    if draw(st.booleans()):
        values = values.T
    steps = [slice(None, None, draw(st.sampled_from([1, 2, -1]))) for _ in shape]
    return values[(..., *steps)]


@given(arrays())
@settings(deadline=None)
def test_arrays_arrive_as_they_were(values):
    found = sent(values)
    assert found.shape == values.shape
    assert found.dtype == values.dtype.newbyteorder("<")
    np.testing.assert_array_equal(found, values)
    assert not found.flags.writeable


@given(st.lists(arrays(), max_size=5))
@settings(deadline=None)
def test_several_arrays_lie_at_multiples_of_8(values):
    for found, value in zip(sent(values), values, strict=True):
        np.testing.assert_array_equal(found, value)
        assert found.ctypes.data % min(8, found.itemsize) == 0 or not found.size


@pytest.mark.parametrize(("value", "expected", "dtype"), [
    (np.array(5.0), 5.0, "f8"),
    (np.zeros((0, 3), "i2"), np.zeros((0, 3)), "i2"),
    (np.array([1.5, np.nan, 65504], "f2"), [1.5, np.nan, 65504], "f4"),
    (np.array([1.5], "g"), [1.5], "f8"),
    (np.arange(4).reshape(2, 2).view(np.recarray), [[0, 1], [2, 3]], "i8"),
    (np.array(["2020-01-01", "NaT"], "M8[D]"), np.array(["2020-01-01", "NaT"], "M8[s]"), "M8[s]"),
    (np.array(["2020"], "M8[Y]"), np.array(["2020-01-01"], "M8[s]"), "M8[s]"),
    (np.array([7], "M8[10us]"), np.array([70], "M8[us]"), "M8[us]"),
    (np.array([3], "m8[15m]"), np.array([2700], "m8[s]"), "m8[s]"),
    (np.array([7000], "M8[ps]"), np.array([7], "M8[ns]"), "M8[ns]"),
    (np.array(["NaT"], "M8"), np.array(["NaT"], "M8[s]"), "M8[s]"),
    (np.ma.array([1.5, 2], mask=[0, 1], dtype="f4"), [1.5, np.nan], "f4"),
    (np.ma.array([1, 2], mask=[0, 0]), [1, 2], "i8"),
    (np.ma.array([1, 2], mask=[0, 1]), [1, np.nan], "f8"),
    (np.ma.array(["2020", "2020"], "M8[us]", mask=[0, 1]), np.array(["2020", NAT], "M8[us]"), None),
])  # fmt: skip
def test_arrays_of_strange_kinds(value, expected, dtype):
    assert same(sent(value), expected, dtype)


@pytest.mark.parametrize(("value", "expected"), [
    (np.array(["a", "ü"]), ["a", "ü"]),
    (np.array([["a"], ["b"]]), [["a"], ["b"]]),
    (np.array([b"a\xff"]), [b"a\xff"]),
    (np.array([1, "a", None, [2]], object), [1, "a", None, [2]]),
    (np.array("a"), "a"),
    (np.ma.array([True, False], mask=[0, 1]), [True, None]),
    (np.ma.array([2**60, 2], mask=[0, 1]), [2**60, None]),
    (np.ma.array([[1, 2**60], [3, 4]], mask=[[1, 0], [0, 0]]), [[None, 2**60], [3, 4]]),
])  # fmt: skip
def test_arrays_that_travel_as_lists(value, expected):
    assert sent(value) == expected


@pytest.mark.parametrize(("value", "what", "remedy"), [
    (np.array([1j]), "is a complex array", "send its .real and .imag"),
    (np.zeros(2, [("a", "i4")]), "is a structured array", "send its fields: {name: a[name]"),
    (np.zeros(2, "V3"), "is an array of dtype |V3", "send a.tobytes()"),
    (np.array([1], "m8[M]"), "has the dtype timedelta64[M]", "send a.astype('m8[s]')"),
    (np.array([1], "m8"), "has the dtype timedelta64", "send a.astype('m8[s]')"),
    (np.array([1], "M8[ps]"), "has the dtype datetime64[ps]", "send a.astype('M8[ns]')"),
    (np.array([2**62], "M8[D]"), "whose values have no exact M8[s]", "send a.astype('M8[s]')"),
    (np.array([{1}], object), "[0] is a set: {1}", "send a list: sorted(...)"),
    (np.complex64(1j), "is complex", "send its .real and .imag"),
    (np.zeros(1, [("a", "i4")])[0], "is a structured value", "send its fields"),
    (np.datetime64(2**60, "s"), "outside the times of Python", "send str(...)"),
    (np.timedelta64(2**60, "s"), "outside the times of Python", "send str(...)"),
    (np.timedelta64(1, "Y"), "has the dtype timedelta64[Y]", "send a.astype('m8[s]')"),
])  # fmt: skip
def test_what_numpy_has_and_we_have_not(value, what, remedy):
    with pytest.raises(EncodingError) as caught:
        sent({"a": [0, 1, 2, value]})
    assert str(caught.value).startswith("msg['v']['a'][3]")
    assert caught.value.path.startswith("msg['v']['a'][3]")
    assert what in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(("value", "expected"), [
    (np.float32(1.5), 1.5),
    (np.float64(1.5), 1.5),
    (np.longdouble(1.5), 1.5),
    (np.int64(-3), -3),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.bool_(True), True),
    (np.str_("ü"), "ü"),
    (np.bytes_(b"\xff"), b"\xff"),
    (np.void(b"ab"), b"ab"),
    (np.datetime64("NaT"), None),
    (np.timedelta64("NaT"), None),
    (np.datetime64("2020-01-01"), MIDNIGHT),
    (np.datetime64("2020-01-01T00:00:00.123456789"), NEARLY),
    (np.timedelta64(90, "s"), datetime.timedelta(seconds=90)),
])  # fmt: skip
def test_scalars_of_numpy(value, expected):
    found = sent(value)
    assert type(found) is type(expected)
    assert found == expected


def test_nan_of_numpy():
    assert math.isnan(sent(np.float32("nan")))


def test_an_array_that_holds_itself():
    value = np.empty((), object)
    value[()] = value
    with pytest.raises(EncodingError, match="does it contain itself"):
        sent(value)


# Python's own arrays


@pytest.mark.parametrize("code", "bBhHiIlLqQfd")
def test_arrays_of_the_standard_library(code):
    value = array.array(code, [1, 2, 100])
    assert same(sent(value), value, np.dtype(code))


def test_text_in_an_array_is_text():
    assert sent(array.array("u", "aü")) == "aü"


@pytest.mark.parametrize(("value", "expected"), [
    (memoryview(b"abcd")[::2], b"ac"),
    (memoryview(bytearray(b"ab")), b"ab"),
    (memoryview(array.array("d", [1, 2]))[::-1], np.array([2.0, 1.0])),
    (memoryview(np.eye(2, dtype="i4")), np.eye(2, dtype="i4")),
    (memoryview(np.array([True])), np.array([True])),
])  # fmt: skip
def test_buffers(value, expected):
    found = sent(value)
    assert found == expected if isinstance(expected, bytes) else same(found, expected)


def test_a_buffer_of_a_strange_format_is_refused():
    with pytest.raises(EncodingError, match="a buffer of format '>d'.*send a numpy array"):
        sent(memoryview(np.array([1.0], ">f8")))


# pandas

COLUMNS = {
    "f8": (pd.Series([1.5, np.nan]), np.array([1.5, np.nan])),
    "f4": (pd.Series([1.5, 2], dtype="f4"), np.array([1.5, 2], "f4")),
    "i2": (pd.Series([1, 2], dtype="i2"), np.array([1, 2], "i2")),
    "bool": (pd.Series([True, False]), np.array([True, False])),
    "M8[ns]": (pd.Series(np.array(["2020-01-01", NAT], "M8[ns]")),
               np.array(["2020-01-01", NAT], "M8[ns]")),
    "m8": (pd.Series(np.array([1, 2], "m8[s]")), np.array([1, 2], "m8[s]")),
    "tz-aware": (pd.Series(BERLIN[:2]), BERLIN[:2].tz_convert("UTC").tz_localize(None).to_numpy()),
    "tz-aware with NaT": (pd.Series([BERLIN[0], pd.NaT]).astype("datetime64[ns, Europe/Berlin]"),
                          np.array(["2019-12-31T23:00", NAT], "M8[ns]")),
    "Int64": (pd.Series([2**60, 2], dtype="Int64"), np.array([2**60, 2])),
    "Int64 with NA": (pd.Series([1, None], dtype="Int64"), np.array([1.0, np.nan])),
    "large Int64 with NA": (pd.Series([2**60 + 1, None], dtype="Int64"), [2**60 + 1, None]),
    "UInt8": (pd.Series([1, 2], dtype="UInt8"), np.array([1, 2], "u1")),
    "Float32 with NA": (pd.Series([1.5, None], dtype="Float32"), np.array([1.5, np.nan], "f4")),
    "boolean": (pd.Series([True, False], dtype="boolean"), np.array([True, False])),
    "boolean with NA": (pd.Series([True, None], dtype="boolean"), [True, None]),
    "strings": (pd.Series(["a", None]), ["a", None]),
    "object strings": (pd.Series(["a", np.nan], dtype=object), ["a", None]),
    "string": (pd.Series(["a", None], dtype="string"), ["a", None]),
    "dates": (pd.Series([datetime.date(2020, 1, 1), None]), [datetime.date(2020, 1, 1), None]),
    "lists": (pd.Series([[1, 2], {"x": 1}]), [[1, 2], {"x": 1}]),
    "category": (pd.Series(["a", None], dtype="category"), ["a", None]),
    "numbers as category": (pd.Series([1, 2], dtype="category"), np.array([1, 2])),
    "numbers as category with NA": (pd.Series([1, None], dtype="category"), np.array([1, np.nan])),
    "intervals": (pd.Series(pd.cut([1, 9], [0, 5, 10])), ["(0, 5]", "(5, 10]"]),
    "period": (pd.Series(pd.period_range("2020-01", periods=2, freq="M")),
               np.array(["2020-01-01", "2020-02-01"], "M8[D]")),
    "sparse": (pd.Series(pd.arrays.SparseArray([0.0, 1])), np.array([0.0, 1])),
    "arrow int": (pd.Series([1, 2], dtype="int64[pyarrow]"), np.array([1, 2])),
    "arrow int with NA": (pd.Series([1, None], dtype="int32[pyarrow]"), np.array([1, np.nan])),
    "arrow string": (pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())), ["a", None]),
    "arrow bool with NA": (pd.Series([True, None], dtype="bool[pyarrow]"), [True, None]),
    "arrow time": (pd.Series([MIDNIGHT.replace(tzinfo=UTC), None],
                             dtype=pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin"))),
                   np.array(["2020-01-01", NAT], "M8[us]")),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_pandas(name):
    series, expected = COLUMNS[name]
    for value in (series, series.array, pd.DataFrame({"c": series})):
        found = sent(value)
        found = found["c"] if isinstance(found, Frame) else found
        if isinstance(expected, list):
            assert found == expected
        else:
            same(found, expected)


@pytest.mark.parametrize(("index", "columns"), [
    (pd.RangeIndex(5, 7), {}),
    (pd.Index([5, 7]), {"index": np.array([5, 7])}),
    (pd.Index(["a", "b"], name="k"), {"k": ["a", "b"]}),
    (pd.Index([1.5, 2], name=0), {"0": np.array([1.5, 2])}),
    (BERLIN[:2], {"time": np.array(["2019-12-31T23", "2020-01-01T23"], "M8[s]")}),
    (pd.period_range("2020", periods=2, freq="Y"), {"time": np.array(["2020", "2021"], "M8[s]")}),
    (pd.MultiIndex.from_product([[1, 2], ["x"]]), {"level_0": np.array([1, 2]),
                                                   "level_1": ["x", "x"]}),
    (pd.MultiIndex.from_product([[1, 2], ["x"]], names=["p", None]), {"p": np.array([1, 2]),
                                                                      "level_1": ["x", "x"]}),
])  # fmt: skip
def test_the_index_comes_first(index, columns):
    found = decode(*encode(pd.DataFrame({"y": [3, 4]}, index=index)))
    assert list(found) == [*columns, "y"]
    for name, expected in columns.items():
        assert (
            found[name] == expected if isinstance(expected, list) else same(found[name], expected)
        )


def test_names_of_columns():
    frame = pd.DataFrame(
        [[1, 2, 3]], columns=pd.MultiIndex.from_tuples([(1, "x"), (1, "y"), (2, "")])
    )
    assert list(sent(frame)) == ["1.x", "1.y", "2."]
    assert list(sent(pd.DataFrame([[1, 2]]))) == ["0", "1"]
    assert sent(pd.DataFrame()) == {}
    assert list(sent(pd.DataFrame({"ü b": []}))) == ["ü b"]


@pytest.mark.parametrize(("frame", "name", "remedy"), [
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), "a", "df.rename(columns=...)"),
    (pd.DataFrame([[1, 2]], columns=[1, "1"]), "1", "df.rename(columns=...)"),
    (pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a")), "a", "df.reset_index(drop=True)"),
    (pd.DataFrame({"b": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)], names=["a", "a"])), "a",
     "index.rename(...)"),
    (pa.table([[1], [2]], names=["a", "a"]), "a", "table.rename_columns(...)"),
])  # fmt: skip
def test_two_columns_of_one_name_are_refused(frame, name, remedy):
    with pytest.raises(EncodingError) as caught:
        encode(frame)
    assert f"msg has two columns named {name!r}; rename one: " in str(caught.value)
    assert remedy in str(caught.value)


def test_a_bad_value_in_a_table_is_found():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", {1}]})
    with pytest.raises(EncodingError, match=r"^msg\['b'\]\[1\] is a set: \{1\}"):
        encode(frame)
    with pytest.raises(EncodingError, match=r"^msg\['df'\]\['z'\] is a complex array"):
        encode({"df": pd.DataFrame({"z": [1j]})})


@pytest.mark.parametrize(("value", "expected"), [
    (pd.NA, None),
    (pd.NaT, None),
    (pd.Timestamp("2020-01-01 00:00:00.123456789"), NEARLY),
    (BERLIN[0], datetime.datetime(2019, 12, 31, 23, tzinfo=UTC)),
    (pd.Timedelta("90s"), datetime.timedelta(seconds=90)),
    (pd.Period("2020-01", "M"), MIDNIGHT),
    (pd.Interval(0, 5), "(0, 5]"),
    (pd.MultiIndex.from_tuples([(1, "a")]), [[1, "a"]]),
])  # fmt: skip
def test_scalars_of_pandas(value, expected):
    assert sent(value) == expected


def test_a_table_becomes_a_dataframe_again():
    frame = pd.DataFrame({"x": [1.5, np.nan], "t": BERLIN[:2], "s": ["a", None]})
    found = decode(*encode(frame)).to_dataframe()
    assert list(found) == ["x", "t", "s"]
    np.testing.assert_array_equal(found["x"], frame["x"])
    assert (found["t"].dt.tz_localize("UTC") == frame["t"]).all()
    assert found["s"].isna().tolist() == [False, True]


# polars, pyarrow


def test_columns_of_polars():
    berlin = MIDNIGHT.replace(tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    columns = {
        "i": (pl.Series([1, None]), np.array([1, np.nan])),
        "large": (pl.Series([2**60 + 1, None]), [2**60 + 1, None]),
        "u8": (pl.Series([2**64 - 1, 0], dtype=pl.UInt64), np.array([2**64 - 1, 0], "u8")),
        "f4": (pl.Series([1.5, None], dtype=pl.Float32), np.array([1.5, np.nan], "f4")),
        "b": (pl.Series([True, False]), np.array([True, False])),
        "b with null": (pl.Series([True, None]), [True, None]),
        "s": (pl.Series(["x", None]), ["x", None]),
        "d": (pl.Series([datetime.date(2020, 1, 1), None]), [datetime.date(2020, 1, 1), None]),
        "t": (pl.Series([MIDNIGHT, None]), np.array(["2020-01-01", NAT], "M8[us]")),
        "tz": (pl.Series([berlin, None]), np.array(["2019-12-31T23", NAT], "M8[us]")),
        "td": (pl.Series([datetime.timedelta(1), None]), np.array([1, NAT], "m8[D]")),
        "ti": (pl.Series([datetime.time(1), None]), [datetime.time(1), None]),
        "l": (pl.Series([[1, 2], None]), [[1, 2], None]),
        "st": (pl.Series([{"a": 1}, {"a": 2}]), [{"a": 1}, {"a": 2}]),
        "cat": (pl.Series(["a", None], dtype=pl.Categorical), ["a", None]),
        "bin": (pl.Series([b"\xff", None]), [b"\xff", None]),
        "null": (pl.Series([None, None]), [None, None]),
    }  # fmt: skip
    if hasattr(pl, "Int128"):
        columns["i128"] = (pl.Series([1, None], dtype=pl.Int128), [1, None])
    frame = sent(pl.DataFrame({name: series for name, (series, _) in columns.items()}))
    assert list(frame) == list(columns)
    for name, (series, expected) in columns.items():
        for found in (frame[name], sent(series)):
            assert found == expected if isinstance(expected, list) else same(found, expected), name


def test_a_lazy_frame_is_refused():
    with pytest.raises(EncodingError, match=r"is a LazyFrame.*send its \.collect\(\)"):
        sent(pl.DataFrame({"a": [1]}).lazy())


@pytest.mark.parametrize(("column", "expected"), [
    (pa.array([1, None]), np.array([1, np.nan])),
    (pa.array([1, 2], pa.int16()), np.array([1, 2], "i2")),
    (pa.chunked_array([[1.5], [2.5]]), np.array([1.5, 2.5])),
    (pa.array([True, None]), [True, None]),
    (pa.array([MIDNIGHT.replace(tzinfo=UTC), None]), np.array(["2020", NAT], "M8[us]")),
    (pa.array([datetime.timedelta(1)]), np.array([1], "m8[D]")),
    (pa.array(["a", None]), ["a", None]),
    (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    (pa.array([[1], None]), [[1], None]),
    (pa.array([datetime.date(2020, 1, 1)]), [datetime.date(2020, 1, 1)]),
])  # fmt: skip
def test_columns_of_pyarrow(column, expected):
    table = pa.table({"c": column})
    for found in (sent(column), sent(table)["c"], decode(*encode(table))["c"]):
        assert found == expected if isinstance(expected, list) else same(found, expected)


def test_other_things_of_pyarrow():
    assert sent(pa.scalar(5)) == 5
    assert same(sent(pa.record_batch({"a": [1, 2]}))["a"], [1, 2])
    with pytest.raises(EncodingError, match=r"\[0\] is a Decimal.*send float\(...\), or str"):
        sent(pa.array([decimal.Decimal("1.5")]))
    with pytest.raises(EncodingError, match="is a Schema"):
        sent(pa.schema([("a", pa.int8())]))


# Everything else that says it is an array


class Tensor:
    """As much of a torch tensor as we know of it."""

    __module__ = "torch"

    def __init__(self, values, error=None):
        self.values = values
        self.error = error

    def detach(self):
        return self

    cpu = resolve_conj = resolve_neg = detach

    def numpy(self):
        if self.error:
            raise self.error
        return self.values


def test_tensors():
    assert same(sent(Tensor(np.eye(2, dtype="f4"))), np.eye(2), "f4")
    with pytest.raises(EncodingError, match=r"^msg\['v'\] is a Tensor.*unsupported BFloat16; conv"):
        sent(Tensor(None, TypeError("unsupported BFloat16")))


class Arrays:
    def __init__(self, make):
        self.make = make

    def __array__(self, dtype=None, copy=None):
        return self.make()


def test_what_has_the_array_protocol():
    assert same(sent(Arrays(lambda: np.arange(3))), [0, 1, 2])
    with pytest.raises(EncodingError, match=r"^msg\['v'\] is an Arrays.*division by zero; convert"):
        sent(Arrays(lambda: 1 / 0))
    with pytest.raises(EncodingError, match=r"^msg\['v'\] is an Arrays"):
        sent(Arrays(lambda: np.array(object(), object)))
    with pytest.raises(EncodingError, match=r"^msg\['v'\] is a type.*mean to call it"):
        sent(Arrays)
    with pytest.raises(EncodingError, match=r"^msg\['v'\] is a MagicMock"):
        sent(unittest.mock.MagicMock())


def test_unknown_values_are_not_implemented():
    for value in (1, "a", [1], {"a": 1}, None, object(), types.SimpleNamespace(detach=1, cpu=2)):
        assert recognise(value, "msg") is NotImplemented


# Without numpy

without_numpy = pytest.fixture(name="without_numpy")(
    lambda monkeypatch: monkeypatch.setitem(sys.modules, "numpy", None)
)


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_numpy_an_array_is_a_memoryview(without_numpy, dtype):
    data = bytes(range(1, 1 + 4 * DTYPES[dtype])) if dtype != "b1" else b"\0\1\0\1"
    view = restore(Array(dtype, (2, 2), data))
    assert view.shape == (2, 2)
    assert view.tobytes() == data
    assert restore(Array(dtype, (4,), data)).tolist() == [x for row in view.tolist() for x in row]
    assert len(restore(Array(dtype, (0, 3), b""))) == 0
    assert restore(Array("f8", (), b"\0" * 8)).tolist() == 0.0


def test_without_numpy_arrays_and_arrow_travel_on(without_numpy):
    view = sent(array.array("d", [1, 2]))
    assert view.tolist() == [1.0, 2.0]
    assert view.readonly
    assert sent(view).tolist() == [1.0, 2.0]
    assert sent(pa.table({"a": [1, None]})) == {"a": [1, None]}


def test_values_of_an_array():
    assert recognise(np.array([[1, 2]], "i2"), "msg").tolist() == [[1, 2]]
