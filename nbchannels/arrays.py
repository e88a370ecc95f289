"""Arrays and tables of other libraries, recognised when present, and our two neutral forms.

numpy, pandas, polars, pyarrow and torch are never imported on their own account: whoever holds one
of their objects has loaded them. On the way back, numpy makes the arrays if it is installed.
"""

import array
import importlib
import math
import sys
from typing import Any, NamedTuple

from nbchannels.exceptions import EncodingError

__all__ = ["DTYPES", "Array", "Frame", "recognise", "restore"]

#: The dtypes of the wire with their size in bytes.
DTYPES = {"b1": 1, "i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 1, "u2": 2, "u4": 4, "u8": 8} | {
    "f4": 4,
    "f8": 8,
    **{f"{letter}[{unit}]": 8 for letter in ("M8", "m8") for unit in ("s", "ms", "us", "ns")},
}
_FORMATS = {"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q"} | {
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
    "f4": "f",
    "f8": "d",
}
_FROM_FORMAT = {"b": "i1", "B": "u1", "h": "i2", "H": "u2", "f": "f4", "d": "f8"}


class Array(NamedTuple):
    """An array as it travels: ``dtype`` of `DTYPES`, row-major little-endian ``data``."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview


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
        size = value.itemsize
        code = _FROM_FORMAT.get(value.typecode) or ("u" if value.typecode in "ILQ" else "i") + str(
            size
        )
        return Array(code, (len(value),), value.tobytes())
    numpy = sys.modules.get("numpy")
    pandas = sys.modules.get("pandas")
    polars = sys.modules.get("polars")
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return _from_numpy(numpy, value, path)
        if isinstance(value, numpy.generic):
            return _from_scalar(numpy, value, path)
    if pandas is not None:
        if value is pandas.NA or value is pandas.NaT:
            return None
        if isinstance(value, pandas.DataFrame):
            return _from_pandas(pandas, value, path)
        if isinstance(value, (pandas.Series, pandas.Index)):
            return _column(pandas, value, path)
        if isinstance(value, pandas.Timestamp):
            return value.to_pydatetime(warn=False)
        if isinstance(value, pandas.Timedelta):
            return value.to_pytimedelta()
    if polars is not None:
        if isinstance(value, polars.DataFrame):
            return Frame(
                {name: recognise(value[name], f"{path}[{name!r}]") for name in value.columns}
            )
        if isinstance(value, polars.Series):
            return _from_polars(value, path)
    if type(value).__module__.partition(".")[0] == "pyarrow" and hasattr(value, "column_names"):
        return Frame({n: value.column(n).to_pylist() for n in value.column_names})
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor
        return recognise(value.detach().cpu().numpy(), path)
    if hasattr(value, "__array__") and numpy is not None:
        return _from_numpy(numpy, numpy.asarray(value), path)
    return NotImplemented


def _from_numpy(numpy: Any, value: Any, path: str) -> Any:
    kind = value.dtype.kind
    if kind in "OUST":  # text and objects travel as a list, each value looked at
        return value.tolist()
    if kind == "c":
        raise EncodingError(
            f"{path} is a complex array; send its .real and .imag as two fields", path
        )
    if kind == "V":
        raise EncodingError(
            f"{path} is a structured array; send its fields: "
            "{name: a[name] for name in a.dtype.names}",
            path,
        )
    if kind == "f" and value.dtype.itemsize not in (4, 8):
        value = value.astype("f4" if value.dtype.itemsize < 4 else "f8")
    if kind in "Mm":
        unit = numpy.datetime_data(value.dtype)[0]
        if f"{kind}8[{unit}]" not in DTYPES:
            value = value.astype(
                f"{kind}8[{'s' if unit in ('Y', 'M', 'W', 'D', 'h', 'm') else 'ns'}]"
            )
            unit = numpy.datetime_data(value.dtype)[0]
        name = f"{kind}8[{unit}]"
    else:
        name = f"{kind}{value.dtype.itemsize}"
    if name not in DTYPES:
        raise EncodingError(
            f"{path} is an array of dtype {value.dtype}, which does not travel", path
        )
    data = numpy.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    return Array(name, tuple(value.shape), memoryview(data.reshape(-1).view("u1")))


def _from_scalar(numpy: Any, value: Any, path: str) -> Any:
    if value.dtype.kind in "Mm":
        return value.astype(f"{value.dtype.kind}8[us]").item()
    if value.dtype.kind == "c":
        raise EncodingError(f"{path} is complex; send its .real and .imag as two fields", path)
    plain = value.item()
    return float(plain) if isinstance(plain, numpy.generic) else plain


def _from_pandas(pandas: Any, frame: Any, path: str) -> Frame:
    columns: dict[str, Any] = {}
    index = frame.index
    if not isinstance(index, pandas.RangeIndex):
        if index.nlevels == 1:
            name = "time" if isinstance(index, pandas.DatetimeIndex) else "index"
            columns[str(index.name or name)] = _column(pandas, index, f"{path}.index")
        else:
            for level, name in enumerate(index.names):
                values = index.get_level_values(level)
                columns[str(name or f"level_{level}")] = _column(pandas, values, f"{path}.index")
    for position, name in enumerate(frame.columns):
        if str(name) in columns:
            raise EncodingError(
                f"{path} has two columns named {str(name)!r}; rename one: df.rename(columns=...)",
                path,
            )
        columns[str(name)] = _column(pandas, frame.iloc[:, position], f"{path}[{name!r}]")
    return Frame(columns)


def _column(pandas: Any, series: Any, path: str) -> Any:
    dtype = series.dtype
    numpy = sys.modules["numpy"]
    if isinstance(dtype, pandas.DatetimeTZDtype):
        series = (
            series.tz_convert("UTC")
            if hasattr(series, "tz_convert") and not hasattr(series, "dt")
            else series.dt.tz_convert("UTC")
        )
        return _from_numpy(numpy, series.to_numpy(dtype=f"M8[{dtype.unit}]"), path)
    if isinstance(dtype, numpy.dtype):
        return _from_numpy(numpy, series.to_numpy(), path)
    if getattr(dtype, "kind", "O") in "iufb":  # nullable numbers: a missing one is NaN
        missing = bool(series.isna().any())
        return _from_numpy(
            numpy,
            series.to_numpy(dtype="f8" if missing else None, na_value=math.nan)
            if missing
            else series.to_numpy(dtype=dtype.numpy_dtype),
            path,
        )
    return [
        None if missing else value
        for value, missing in zip(series, pandas.isna(series), strict=True)
    ]


def _from_polars(series: Any, path: str) -> Any:
    if series.dtype.is_numeric() and not series.null_count():
        return recognise(series.to_numpy(), path)
    if series.dtype.is_numeric():
        return recognise(series.cast(sys.modules["polars"].Float64).to_numpy(), path)
    if series.dtype.is_temporal() and str(series.dtype).startswith(("Datetime", "Duration")):
        return recognise(series.to_numpy(), path)
    return series.to_list()


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
    dtype = numpy.dtype(array.dtype).newbyteorder("<")
    return numpy.frombuffer(array.data, dtype=dtype).reshape(array.shape)
