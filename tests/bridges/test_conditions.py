"""Conditions as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchannels.bridges.conditions import NotThere, condition_of

ROW = {"loss": 3.5, "step": 10, "name": "a", "done": False, "gone": None}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("loss > 3", True),
        ("loss > 3.5", False),
        ("3 < loss <= 3.5", True),
        ("loss > 3 and step < 10", False),
        ("loss > 3 or step < 10", True),
        ("not loss > 3", False),
        ("name == 'a'", True),
        ("name != 'a'", False),
        ("done", False),
        ("abs(0 - loss) == 3.5", True),
        ("-loss < 0", True),
        ("step % 5 == 0 and step / 2 >= 5", True),
        ("loss * 2 - 1 == 6", True),
        ("gone > 3", False),
        ("  loss > 3  ", True),
    ],
)
def test_what_holds(text, holds):
    assert condition_of(text)(ROW) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "condition '' is not understood"),
        ("loss >", "is not understood: invalid syntax"),
        ("loss = 3", "is not understood"),
        ("print(loss)", r"'print\(loss\)' is not understood; write names of fields"),
        ("__import__('os').system('true')", "is not understood; write names"),
        ("loss.__class__", "'loss.__class__' is not understood"),
        ("(lambda: 1)()", "is not understood"),
        ("[x for x in y]", "is not understood"),
        ("loss ** 9", r"'loss \*\* 9' is not understood"),
        ("loss in name", "'loss in name' is not understood"),
        ("abs(loss, 2)", "is not understood"),
        ("f'{loss}'", "is not understood"),
        ("row['loss'] > 3", "is not understood"),
        ("b'a' == name", "is not understood"),
        ("(" * 300 + "1" + ")" * 150, "is not understood"),
        ("a" * 501, "a condition has at most 500 characters, not 501"),
    ],
)
def test_what_is_not_understood_is_told(text, said):
    with pytest.raises(ValueError, match=said):
        condition_of(text)


def test_a_field_that_is_not_there():
    with pytest.raises(NotThere, match="acc"):
        condition_of("acc > 3")(ROW)


@pytest.mark.parametrize(
    ("text", "error"), [("name > 3", TypeError), ("name * 9 == 1", TypeError), ("1 / 0", Exception)]
)
def test_values_that_cannot_be_compared(text, error):
    with pytest.raises(error):
        condition_of(text)(ROW)


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_a_sentence(text):
    try:
        condition = condition_of(text)
    except ValueError as error:
        assert "condition" in str(error)  # noqa: PT017
    else:
        assert callable(condition)
