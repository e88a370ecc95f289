"""Names, labels and starting values, in the form of the page."""

import datetime
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nbchannels.widgets import columns as module
from nbchannels.widgets.columns import columns_of, texts_of

VIEWS = Path(__file__).parents[2] / "labextension/src/views"
PAGES = "".join((VIEWS / name).read_text() for name in ("checks.ts", "plot/options.ts"))
NOON = datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC)
LOCAL = datetime.datetime(2024, 1, 1, 12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (module.LONGEST_TEXT, "LONGEST_TEXT"),
        (module.MOST_LABELS, "MOST_LABELS"),
        (module.MOST_FIELDS, "MOST_FIELDS"),
        (module.MOST_VALUES, "MOST_INITIAL"),
    ],
)
def test_the_bounds_are_the_pages(ours, theirs):
    found = re.search(rf"const {theirs} = ([0-9_]+);", PAGES)
    assert ours == int(found[1])


class TestTexts:
    @pytest.mark.parametrize(
        ("value", "texts"),
        [
            (None, None),
            ("a", "a"),
            (["a", "b"], ["a", "b"]),
            (("a",), ["a"]),
            ([2021, 2.5, True], ["2021", "2.5", "True"]),
            (range(3), ["0", "1", "2"]),
            (np.array(["Mon", "Tue"]), ["Mon", "Tue"]),
            (np.array([1, 2]), ["1", "2"]),
            (pd.Index(["a", "b"]), ["a", "b"]),
            (pd.Series([1, 2]), ["1", "2"]),
            (pd.DataFrame({"a": [1], 7: [2]}).columns, ["a", "7"]),
            ({"a": 1}.keys(), ["a"]),
            ((name for name in "ab"), ["a", "b"]),
        ],
    )
    def test_what_has_a_text_is_one(self, value, texts):
        assert texts_of(value, "x", 1000) == texts

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ([], "x has 0 texts; it takes 1 to 10"),
            (["a"] * 11, "x has 11 texts; it takes 1 to 10"),
            ("a" * 201, "x is a text of 201 characters, the limit is 200"),
            (["a", "b" * 201], "x is a text of 201 characters"),
            (5, "x is an int: 5; it takes a text or a list of texts"),
            (b"a", "x is a bytes"),
            ({"a": 1}, "x is a dict"),
        ],
    )
    def test_what_is_none_is_told(self, value, said):
        with pytest.raises(ValueError, match=re.escape(said)):
            texts_of(value, "x", 10)


class TestColumns:
    @pytest.mark.parametrize(
        ("value", "y", "columns"),
        [
            (None, None, None),
            ([1, 2.5, None], None, {"y": [1, 2.5, None]}),
            ((1, 2), "a", {"a": [1, 2]}),
            ([1], ["a"], {"a": [1]}),
            (range(2), None, {"y": [0, 1]}),
            ([], None, {"y": []}),
            ([True, False], None, {"y": [1, 0]}),
            ([float("nan"), float("inf"), -float("inf")], None, {"y": [None] * 3}),
            (np.array([1.0, np.nan]), None, {"y": [1.0, None]}),
            (np.array([1, 2], dtype="u1"), None, {"y": [1, 2]}),
            (np.array([True, False]), None, {"y": [1, 0]}),
            (np.array([0.5], dtype="f2"), None, {"y": [0.5]}),
            ([np.float32(0.5), np.int64(2), np.bool_(True)], None, {"y": [0.5, 2, 1]}),
            ({"a": [1], 2: (3,)}, None, {"a": [1], "2": [3]}),
            (
                {"a": np.arange(2), "b": pd.Series([1.5, None])},
                "a",
                {"a": [0, 1], "b": [1.5, None]},
            ),
            (pd.Series([1, None], dtype="Int64"), "a", {"a": [1, None]}),
            (pd.DataFrame({"a": [1.0, None], 3: [1, 2]}), None, {"a": [1, None], "3": [1, 2]}),
            (pl.DataFrame({"a": [1, None]}), None, {"a": [1, None]}),
            (pl.Series("q", [1, 2]), None, {"y": [1, 2]}),
            ([NOON], None, {"y": [NOON.timestamp()]}),
            ([datetime.timedelta(minutes=1)], None, {"y": [60.0]}),
            (
                pd.DataFrame({"a": [1.5]}, index=pd.DatetimeIndex([LOCAL])),
                None,
                {"time": [LOCAL.timestamp()], "a": [1.5]},
            ),
            (np.array(["2024-01-01T12", "NaT"], "M8[ns]"), "t", {"t": [LOCAL.timestamp(), None]}),
            (np.array([1500], "m8[ms]"), "t", {"t": [1.5]}),
        ],
    )
    def test_numbers_as_lists(self, value, y, columns):
        found = columns_of(value, y)
        assert found == columns
        # Booleans are no numbers to the page, though Python holds them equal.
        assert all(type(v) is not bool for column in (found or {}).values() for v in column)
        json.dumps(found, allow_nan=False)

    @pytest.mark.parametrize(
        ("value", "y", "said"),
        [
            ([1], ["a", "b"], "initial is one list, but y names 2 fields; give a dict of lists"),
            (5, None, "initial['y'] is an int: 5; it takes a list of numbers"),
            ("123", None, "initial['y'] is a str: '123'; it takes a list of numbers"),
            ({"a": 3}, None, "initial['a'] is an int: 3"),
            ({"a": {"b": [1]}}, None, "initial['a'] is a dict"),
            ({"a": ["x"]}, None, "initial['a'] holds 'x', a str; numbers are drawn"),
            (np.zeros((2, 2)), None, "initial['y'] holds [0.0, 0.0], a list"),
            (np.array([1j]), None, "complex"),
            ({f"f{n}": [1] for n in range(65)}, None, "initial has 65 fields, the limit is 64"),
            (range(100_001), None, "initial['y'] has 100,001 values, the limit is 100,000"),
            ({"a" * 201: [1]}, None, "a name in initial is a text of 201 characters"),
        ],
    )
    def test_what_cannot_be_drawn_is_told(self, value, y, said):
        with pytest.raises(ValueError, match=re.escape(said)):
            columns_of(value, y)
