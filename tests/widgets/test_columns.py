"""Names, labels and starting values, in the form that the page takes."""

import numpy as np
import pandas as pd
import pytest

from nbchannels.widgets.columns import MOST_LABELS, MOST_VALUES, columns_of, texts_of


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (None, None),
        ("a", "a"),
        (["a", "b"], ["a", "b"]),
        (("a",), ["a"]),
        ([2024, 2025], ["2024", "2025"]),
        (pd.Index(["a", "b"]), ["a", "b"]),
    ],
)
def test_texts(value, texts):
    assert texts_of(value, "x", MOST_LABELS) == texts


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "x is an int: 3"),
        ([], "1 to 1,000"),
        (["a"] * 1001, "1,001 texts"),
        ("a" * 201, "limit is 200"),
    ],
)
def test_texts_that_a_page_would_refuse(value, said):
    with pytest.raises(ValueError, match=said):
        texts_of(value, "x", MOST_LABELS)


@pytest.mark.parametrize(
    ("value", "y", "columns"),
    [
        (None, None, None),
        ([1, None, float("nan")], None, {"y": [1, None, None]}),
        (np.array([1.5, np.inf]), "a", {"a": [1.5, None]}),
        ({"a": (1, True)}, None, {"a": [1, 1]}),
        (pd.DataFrame({"a": [1], "b": [2.5]}), None, {"a": [1], "b": [2.5]}),
    ],
)
def test_columns(value, y, columns):
    assert columns_of(value, y) == columns


@pytest.mark.parametrize(
    ("value", "y", "said"),
    [
        ([1], ["a", "b"], "y names 2 fields; give a dict of lists"),
        ({"a": "text"}, None, "takes a list of numbers"),
        ({"a": ["x"]}, None, "numbers are drawn"),
        ({"a": range(MOST_VALUES + 1)}, None, "the limit is 100,000"),
    ],
)
def test_columns_that_a_page_would_refuse(value, y, said):
    with pytest.raises(ValueError, match=said):
        columns_of(value, y)
