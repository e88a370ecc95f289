"""Rows as they are checked, and the columns they are joined into."""

import datetime
import decimal
import enum
import fractions
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchannels.bridges.rows import LONGEST_TEXT, Columns, checked, fields_of, step_of
from nbchannels.exceptions import EncodingError, InvalidMessage

UTC = datetime.UTC


class Loss:
    """As torch's tensors of no dimension are."""

    ndim = 0

    def __init__(self, value):
        self.value = value

    def item(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Colour(enum.IntEnum):
    RED = 3


class Name(str):
    __slots__ = ()

    def __str__(self):
        return "something else"


@pytest.mark.parametrize(
    ("value", "travels"),
    [
        (1, 1),
        (True, True),
        (2.5, 2.5),
        (None, None),
        ("a", "a"),
        (2**63 - 1, 2**63 - 1),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(3.0), 3.0),
        (np.datetime64("2026-01-02T03:04:05"), datetime.datetime(2026, 1, 2, 3, 4, 5)),
        (np.datetime64("NaT"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (pd.Timestamp("2026-01-02", tz="UTC"), datetime.datetime(2026, 1, 2, tzinfo=UTC)),
        (Loss(0.25), 0.25),
        (Loss(np.float32(0.25)), 0.25),
        (Colour.RED, 3),
        (Name("a"), "a"),
        (decimal.Decimal("0.5"), 0.5),
        (fractions.Fraction(1, 4), 0.25),
        (datetime.date(2026, 1, 2), datetime.date(2026, 1, 2)),
    ],
    ids=repr,
)
def test_what_a_field_may_be(value, travels):
    found = checked("x", value, "run")
    assert found == travels
    assert type(found) is type(travels)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("x", [1, 2], r"field 'x' is a list: \[1, 2\]; a row has a single value"),
        ("x", np.arange(3), "field 'x' is a ndarray"),
        ("x", {"a": 1}, "field 'x' is a dict"),
        ("x", b"raw", "field 'x' is a bytes"),
        ("x", 1j, "field 'x' is a complex"),
        ("x", object, "field 'x' is a type"),
        ("x", Loss([1]), "field 'x' is a Loss"),
        ("x", Loss(RuntimeError("on the GPU")), "whose item.. fails: on the GPU"),
        ("x", 2**63, "an integer of 64 bits"),
        ("x", "\ud800", "no valid unicode text"),
        ("x", "a" * (LONGEST_TEXT + 1), "10,001 characters, the limit is 10,000"),
        (3, 1.0, "has a name of type int; names are str: use '3'"),
    ],
)
def test_what_it_may_not_be_is_told_with_its_name(name, value, said):
    with pytest.raises(EncodingError, match=said):
        checked(name, value, "run")


def test_a_dict_and_keywords():
    assert fields_of("run", {"a": 1, "b": 1}, {"b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(InvalidMessage, match=r"log\('run', a float: 0.3\): values is a dict"):
        fields_of("run", 0.3, {})


@pytest.mark.parametrize("step", [float("nan"), float("inf"), "3", None, [1], 2**70])
def test_a_step_is_a_finite_number(step):
    with pytest.raises(EncodingError, match="a step is a finite number"):
        step_of("run", step)


def test_steps_of_other_libraries():
    assert step_of("run", np.int32(4)) == 4
    assert step_of("run", 1.5) == 1.5


def rows(*fields):
    return [(step, 100.0 + step, found) for step, found in enumerate(fields)]


def plain(tables):
    return [
        {name: [None if v != v else v for v in column] for name, column in table.items()}
        for table in tables
    ]


def test_rows_alike_are_one_table():
    (table,) = Columns().join(rows({"a": 1.0, "b": "x"}, {"b": "y", "a": 2.0}))
    assert list(table) == ["step", "time", "a", "b"]
    assert plain([table]) == [
        {"step": [0, 1], "time": [100.0, 101.0], "a": [1.0, 2.0], "b": ["x", "y"]}
    ]


def test_fields_of_other_rows_are_another_table():
    tables = Columns().join(rows({"loss": 1.0}, {"loss": 2.0, "val": 9}, {"loss": 3.0}))
    assert plain(tables) == [
        {"step": [0, 1, 2], "time": [100.0, 101.0, 102.0], "loss": [1.0, 2.0, 3.0]},
        {"step": [1], "time": [101.0], "val": [9]},
    ]


def test_a_missing_value_is_no_missing_field():
    assert plain(Columns().join(rows({"a": 1}, {"a": None}))) == [
        {"step": [0, 1], "time": [100.0, 101.0], "a": [1, None]}
    ]


def kind(column):
    return getattr(column, "typecode", type(column).__name__)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ([1, 2], "q"),
        ([1.0, 2], "d"),
        ([1, None], "d"),
        ([2**60, None], "list"),
        ([2**60, 0.5], "list"),
        ([True, False], "list"),
        ([None, None], "list"),
        (["a", None], "list"),
        ([1, "a"], "list"),
    ],
)
def test_the_kind_of_a_column(values, kinds):
    (table,) = Columns().join(rows(*({"a": value} for value in values)))
    assert kind(table["a"]) == kinds


def test_a_field_that_had_a_fraction_keeps_its_kind():
    columns = Columns()
    columns.join(rows({"a": 0.5}))
    (table,) = columns.join(rows({"a": 1}))
    assert kind(table["a"]) == "d"


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=3)
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), min_size=1))
def test_every_value_is_in_one_table_in_its_order(given_rows):
    tables = Columns().join(rows(*given_rows))
    for name in "abc":
        expected = [(i, row[name]) for i, row in enumerate(given_rows) if name in row]
        found = [pair for t in tables if name in t for pair in zip(t["step"], t[name], strict=True)]
        assert len([t for t in tables if name in t]) <= 1
        assert len(found) == len(expected)
        for (step, value), (place, was) in zip(found, expected, strict=True):
            assert step == place
            if was is None:
                assert value is None or math.isnan(value)
            else:
                assert value == was or (was != was and value != value)
