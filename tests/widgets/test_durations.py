"""What one writes for a window."""

import datetime

import numpy as np
import pandas as pd
import pytest

from nbchannels.widgets.durations import window_of


@pytest.mark.parametrize(
    ("value", "window"),
    [
        (None, None),
        (500, {"points": 500}),
        ("5 min", {"seconds": 300}),
        ("5min", {"seconds": 300}),
        ("2 minutes", {"seconds": 120}),
        ("30s", {"seconds": 30}),
        ("30 sec", {"seconds": 30}),
        ("1h", {"seconds": 3600}),
        ("1.5 hours", {"seconds": 5400}),
        ("250ms", {"seconds": 0.25}),
        ("2 days", {"seconds": 172800}),
        ("min", {"seconds": 60}),
        (2.5, {"seconds": 2.5}),
        (datetime.timedelta(minutes=1), {"seconds": 60}),
        ({"points": 3}, {"points": 3}),
        ({"seconds": 3}, {"seconds": 3}),
        (" 5  MIN ", {"seconds": 300}),
        ("1 second", {"seconds": 1}),
        ("10 ms", {"seconds": 0.01}),
        ("3 milliseconds", {"seconds": 0.003}),
        (np.int64(500), {"points": 500}),
        (np.float64(2.5), {"seconds": 2.5}),
        (pd.Timedelta("5min"), {"seconds": 300}),
        (10**9, {"points": 10**9}),
    ],
)
def test_windows(value, window):
    assert window_of(value) == window


@pytest.mark.parametrize(
    "value",
    [
        "",
        "five minutes",
        "5 parsecs",
        0,
        -3,
        -1.0,
        True,
        [],
        float("nan"),
        {"points": -1},
        "5",
        "-5 s",
        "1e3 s",
        float("inf"),
        1e13,
        1e-10,
        10**9 + 1,
        "9" * 400 + " s",
        {"points": 2.5},
        {"points": True},
        {"seconds": True},
        {"seconds": 0},
        {"seconds": "5"},
        {"hours": 1},
        {"points": 1, "seconds": 1},
        datetime.timedelta(0),
        b"5 min",
    ],
)
def test_what_means_nothing_is_told(value):
    with pytest.raises(ValueError, match="'5 min'"):
        window_of(value)
