"""Arrays and tables of other libraries, recognised when present, and our two neutral forms.

numpy, pandas, polars, pyarrow and torch are never imported on their own account: whoever holds one
of their objects has loaded them. On the way back, numpy makes the arrays if it is installed.

What is missing in a column of numbers is NaN, of times NaT; in any other column, and beside
integers that a float64 does not hold exactly, it is None in a list.
"""

import array
import importlib
import sys
from typing import Any, NamedTuple

from nbchannels.exceptions import EncodingError, shown

__all__ = ["DTYPES", "Array", "Frame", "recognise", "restore"]

_UNITS = ("s", "ms", "us", "ns")
#: The dtypes of the wire with their size in bytes.
DTYPES = {"b1": 1, "i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 1, "u2": 2, "u4": 4, "u8": 8} | {
    "f4": 4,
    "f8": 8,
    **{f"{letter}[{unit}]": 8 for letter in ("M8", "m8") for unit in _UNITS},
}
# How Python's own buffers say them; times stand there as 64-bit integers.
_FORMATS = {"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "f4": "f", "f8": "d"} | {
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}
_EXACT = 2**53  # integers that a float64 holds exactly


class Array(NamedTuple):
    """An array as it travels: ``dtype`` of `DTYPES`, row-major little-endian ``data``."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview

    def tolist(self) -> Any:
        """Its values as nested lists (times as numpy gives them)."""
        return restore(self).tolist()


class Frame(dict[str, Any]):
    """A table: its columns by name, in order, each an array or a list of one length.

    What ``send(df)`` sends, and what a receiver gets. `to_dataframe` makes it a DataFrame again.
    """

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` of the columns (pandas must be installed)."""
        return importlib.import_module("pandas").DataFrame(dict(self))


def recognise(value: Any, path: str) -> Any:
    """Turn an array, a table or a scalar of another library into something we can encode.

    Returns:
        An `Array`, a `Frame`, a list or a plain scalar; ``NotImplemented`` for anything unknown.

    Raises:
        EncodingError: recognised, but of a dtype that does not travel.
    """
    if isinstance(value, (Array, Frame)):
        return value
    if isinstance(value, array.array):
        return value.tounicode() if value.typecode == "u" else _from_view(memoryview(value), path)
    if isinstance(value, memoryview):
        is_bytes = value.format in ("B", "b", "c") and value.ndim == 1
        return value.tobytes() if is_bytes else _from_view(value, path)
    modules = sys.modules
    numpy, pandas, polars = (modules.get(name) for name in ("numpy", "pandas", "polars"))
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return _from_numpy(numpy, value, path)
        if isinstance(value, numpy.generic):
            return _from_scalar(numpy, value, path)
    if pandas is not None:
        if isinstance(value, pandas.DataFrame):
            return _from_pandas(pandas, value, path)
        if isinstance(value, (pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)):
            return _column(pandas, value, path)
        known = _pandas_scalar(pandas, value, path)
        if known is not NotImplemented:
            return known
    if polars is not None:
        if isinstance(value, polars.DataFrame):
            columns = value.get_columns()
            return Frame({s.name: _from_polars(s, f"{path}[{s.name!r}]") for s in columns})
        if isinstance(value, polars.Series):
            return _from_polars(value, path)
    library = type(value).__module__.partition(".")[0]
    if library == "pyarrow":
        return _from_arrow(value, path)
    if library == "torch" or (hasattr(value, "__array__") and not isinstance(value, type)):
        return _from_protocol(value, path)
    return NotImplemented


def _from_view(value: memoryview, path: str) -> Array:
    code = value.format.lstrip("@=" if sys.byteorder == "big" else "@=<")
    if code not in tuple("?bBhHiIlLqQfd") or sys.byteorder == "big":
        raise EncodingError(
            f"{path} is a buffer of format {value.format!r}, which does not travel; "
            "send a numpy array, or bytes(...)",
            path,
        )
    letter = "b" if code == "?" else "f" if code in "fd" else "u" if code.isupper() else "i"
    return Array(f"{letter}{value.itemsize}", tuple(value.shape or ()), value.tobytes())


def _from_protocol(value: Any, path: str) -> Any:
    """A torch tensor, or anything else that numpy makes an array of."""
    try:
        numpy = importlib.import_module("numpy")
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            value = value.resolve_conj().resolve_neg().numpy()
        found = numpy.asarray(value)
    except Exception as error:
        raise EncodingError(
            f"{path} is {shown(value)}, which numpy does not take: {error}; "
            "convert it to a numpy array first",
            path,
        ) from error
    if found.dtype == object and not found.shape:  # numpy did not understand it either
        return NotImplemented
    return _from_numpy(numpy, found, path)


def _from_numpy(numpy: Any, value: Any, path: str) -> Any:
    kind, dtype = value.dtype.kind, value.dtype
    if kind == "c":
        raise EncodingError(
            f"{path} is a complex array; send its .real and .imag as two fields", path
        )
    if kind == "V":
        what, remedy = (
            ("a structured array", "its fields: {name: a[name] for name in a.dtype.names}")
            if dtype.names
            else (f"an array of dtype {dtype}", "a.tobytes()")
        )
        raise EncodingError(f"{path} is {what}; send {remedy}", path)
    mask = getattr(value, "mask", None)  # of a masked array
    if mask is not None:
        return _with_missing(numpy, value.data, numpy.ma.getmaskarray(value), path)
    if kind in "OUST":  # text and objects travel as a list, each value looked at
        return value.tolist()
    if kind == "f" and dtype.itemsize not in (4, 8):
        value = value.astype("f4" if dtype.itemsize < 4 else "f8")
    elif kind in "Mm":
        value = _of_known_unit(numpy, value, path)
    unit = f"[{numpy.datetime_data(value.dtype)[0]}]" if kind in "Mm" else ""
    name = f"{kind}{value.dtype.itemsize}{unit}"
    if name not in DTYPES:
        raise EncodingError(f"{path} is an array of dtype {dtype}, which does not travel", path)
    data = numpy.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    return Array(name, tuple(value.shape), memoryview(data.reshape(-1).view("u1")))


def _of_known_unit(numpy: Any, value: Any, path: str) -> Any:
    """Times in a unit of the wire.

    Raises:
        EncodingError: they have none, or a value would change.
    """
    kind = value.dtype.kind
    unit, step = numpy.datetime_data(value.dtype)
    if unit in _UNITS and step == 1:
        return value
    target = unit if unit in _UNITS else "ns" if unit in ("ps", "fs", "as") else "s"
    known = value.astype(f"{kind}8[{target}]")
    changed = ~numpy.isnat(value)
    if unit != "generic" and not (kind == "m" and unit in "YM"):  # a year has no fixed length
        changed &= known.astype(value.dtype) != value
    if changed.any():
        raise EncodingError(
            f"{path} has the dtype {value.dtype}, whose values have no exact {kind}8[{target}]; "
            f"send a.astype('{kind}8[{target}]')",
            path,
        )
    return known


def _with_missing(numpy: Any, data: Any, missing: Any, path: str) -> Any:
    """An array of which some values are missing."""
    if not missing.any():
        return _from_numpy(numpy, data, path)
    kind = data.dtype.kind
    if kind in "iu":
        kept = data[~missing]
        if not kept.size or (-_EXACT <= kept.min() and kept.max() <= _EXACT):
            kind, data = "f", data.astype("f8")
    if kind in "fMm":
        return _from_numpy(
            numpy,
            numpy.where(missing, data.dtype.type("nan" if kind == "f" else "NaT"), data),
            path,
        )
    values = data.astype(object)
    values[missing] = None
    return values.tolist()


def _from_scalar(numpy: Any, value: Any, path: str) -> Any:
    kind = value.dtype.kind
    if kind == "c":
        raise EncodingError(f"{path} is complex; send its .real and .imag as two fields", path)
    if kind == "V" and value.dtype.names:
        names = ", ".join(value.dtype.names)
        raise EncodingError(
            f"{path} is a structured value; send its fields {names} as a dict", path
        )
    if kind not in "Mm":
        plain = value.item()
        return float(plain) if isinstance(plain, numpy.generic) else plain
    if numpy.isnat(value):
        return None
    known = _of_known_unit(numpy, value.reshape(1), path)[0]
    plain = known.astype(f"{kind}8[us]")
    moment = plain.item()
    finer = numpy.datetime_data(known.dtype)[0] == "ns"  # Python's times have microseconds
    if isinstance(moment, int) or not (finer or plain.astype(known.dtype) == known):
        raise EncodingError(
            f"{path} is {value!r}, outside the times of Python; send str(...)", path
        )
    return moment


def _pandas_scalar(pandas: Any, value: Any, path: str) -> Any:
    if value is pandas.NA or value is pandas.NaT:
        return None
    if isinstance(value, pandas.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, pandas.Timedelta):
        return value.to_pytimedelta()
    if isinstance(value, pandas.Period):
        return value.start_time.to_pydatetime(warn=False)
    if isinstance(value, pandas.Interval):
        return str(value)
    return NotImplemented


def _from_pandas(pandas: Any, frame: Any, path: str) -> Frame:
    columns: dict[str, Any] = {}
    index = frame.index
    if not isinstance(index, pandas.RangeIndex):
        alone = "time" if isinstance(index, (pandas.DatetimeIndex, pandas.PeriodIndex)) else "index"
        for level, given in enumerate(index.names):
            default = alone if index.nlevels == 1 else f"level_{level}"
            name = default if given is None else _label(given)
            if name in columns:
                raise _two_named(name, "index.rename(...)", path)
            columns[name] = _column(pandas, index.get_level_values(level), f"{path}.index")
    levels = frozenset(columns)
    for position, given in enumerate(frame.columns):
        name = _label(given)
        if name in levels:
            raise _two_named(name, "df.reset_index(drop=True), or df.rename(columns=...)", path)
        if name in columns:
            raise _two_named(name, "df.rename(columns=...)", path)
        columns[name] = _column(pandas, frame.iloc[:, position], f"{path}[{name!r}]")
    return Frame(columns)


def _label(given: Any) -> str:
    return ".".join(map(str, given)) if isinstance(given, tuple) else str(given)


def _two_named(name: str, remedy: str, path: str) -> EncodingError:
    return EncodingError(f"{path} has two columns named {name!r}; rename one: {remedy}", path)


def _column(pandas: Any, values: Any, path: str) -> Any:
    if isinstance(values, pandas.MultiIndex):
        return values.tolist()
    series = values if isinstance(values, pandas.Series) else pandas.Series(values)
    dtype = series.dtype
    numpy = sys.modules["numpy"]
    if isinstance(dtype, pandas.ArrowDtype):
        return _arrow_column(importlib.import_module("pyarrow").array(series.array), path)
    if isinstance(dtype, pandas.PeriodDtype):
        series, dtype = series.dt.start_time, None
    elif isinstance(dtype, pandas.DatetimeTZDtype):
        series, dtype = series.dt.tz_convert("UTC").dt.tz_localize(None), None
    if dtype is None or isinstance(dtype, (numpy.dtype, pandas.SparseDtype)):
        plain = numpy.asarray(series)
        if plain.dtype != object:
            return _from_numpy(numpy, plain, path)
    elif isinstance(dtype, pandas.CategoricalDtype):
        plain = numpy.asarray(series)
        if plain.dtype.kind in "biufMm":
            return _from_numpy(numpy, plain, path)
    elif dtype.kind in "biuf":  # nullable numbers
        missing = series.isna().to_numpy(dtype="?")
        plain = series.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return _with_missing(numpy, plain, missing, path)
    absent = pandas.isna(series)
    return [None if gone else value for value, gone in zip(series, absent, strict=True)]


def _from_polars(series: Any, path: str) -> Any:
    dtype, polars = series.dtype, sys.modules["polars"]
    is_number = dtype.is_integer() or dtype.is_float() or dtype == polars.Boolean
    if not is_number and dtype not in (polars.Datetime, polars.Duration):
        return series.to_list()
    try:
        numpy = importlib.import_module("numpy")
        if not is_number:
            return _from_numpy(numpy, series.to_numpy(), path)
        zero = False if dtype == polars.Boolean else 0
        plain = series.fill_null(zero).to_numpy()
        return _with_missing(numpy, plain, series.is_null().to_numpy(), path)
    except (ImportError, polars.exceptions.PolarsError):  # no numpy, or it has no such type
        return series.to_list()


def _from_arrow(value: Any, path: str) -> Any:
    if hasattr(value, "schema") and hasattr(value, "column"):  # a table, a record batch
        names = value.schema.names
        columns: dict[str, Any] = {}
        for position, name in enumerate(names):
            if name in columns:
                raise _two_named(name, "table.rename_columns(...)", path)
            columns[name] = _arrow_column(value.column(position), f"{path}[{name!r}]")
        return Frame(columns)
    if hasattr(value, "as_py"):
        return value.as_py()
    return _arrow_column(value, path) if hasattr(value, "null_count") else NotImplemented


def _arrow_column(column: Any, path: str) -> Any:
    types = importlib.import_module("pyarrow").types
    kind = column.type
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    if not (is_number or types.is_timestamp(kind) or types.is_duration(kind)):
        return column.to_pylist()
    try:
        numpy = importlib.import_module("numpy")
    except ImportError:
        return column.to_pylist()
    if not is_number or not column.null_count:
        return _from_numpy(numpy, numpy.asarray(column), path)
    zero = False if types.is_boolean(kind) else 0
    plain = numpy.asarray(column.fill_null(zero))
    return _with_missing(numpy, plain, numpy.asarray(column.is_null()), path)


def restore(array: Array) -> Any:
    """The array a receiver gets: a read-only ``numpy.ndarray`` over the received bytes.

    Without numpy it is a typed ``memoryview`` (times as their 64-bit integers).
    """
    try:
        numpy = importlib.import_module("numpy")
    except ImportError:
        view = memoryview(array.data).cast("B")
        cast: Any = view.cast
        return cast(_FORMATS.get(array.dtype, "q"), list(array.shape)) if len(view) else view
    return numpy.ndarray(array.shape, numpy.dtype(array.dtype).newbyteorder("<"), array.data)
