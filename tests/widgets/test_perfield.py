"""Settings for all fields, or for each."""

import numpy as np
import pytest

from nbchannels.widgets.perfield import number_format, number_of, per_field, text_of


def test_one_for_all_or_one_for_each():
    assert per_field(None, "unit", text_of) is None
    assert per_field("%", "unit", text_of) == "%"
    assert per_field({"cpu": "%", 7: "°C"}, "unit", text_of) == {"cpu": "%", "7": "°C"}
    assert per_field({"a": np.float32(0.5)}, "warn", number_of) == {"a": 0.5}


@pytest.mark.parametrize(
    ("value", "read", "said"),
    [
        (5, text_of, "option is an int: 5; it takes a text"),
        ("u" * 201, text_of, "option is a text of 201 characters, the limit is 200"),
        ({"cpu": 5}, text_of, r"option\['cpu'\] is an int: 5; it takes a text"),
        ({"n" * 201: "%"}, text_of, "a name in option is a text of 201 characters"),
        ({str(n): "%" for n in range(65)}, text_of, "option has 65 fields, the limit is 64"),
        ("hot", number_of, "option is a str: 'hot'; it takes a finite number"),
        (float("nan"), number_of, "it takes a finite number"),
        (True, number_of, "it takes a finite number"),
        (10**400, number_of, "it takes a finite number"),
        ([1], number_of, "it takes a finite number"),
        ("", number_format, "it takes a number format such as '.2f'"),
        ("<script>", number_format, "it takes a number format such as '.2f'"),
        (".100f", number_format, "it takes a number format"),
        (2, number_format, "it takes a number format"),
    ],
)
def test_what_cannot_be_is_told(value, read, said):
    with pytest.raises(ValueError, match=said):
        per_field(value, "option", read)


@pytest.mark.parametrize("text", [".2f", ",d", "+.1%", ",.0f", ".3g", "e", "d", ","])
def test_formats_are_pythons(text):
    assert number_format(text, "format") == text
    assert format(12, text)
