"""What nobody shall see: rules by key, applied to values."""

import pytest

from nbchannels.redaction import HIDDEN, Redaction, key_pattern


def test_without_a_rule_a_value_is_itself():
    value = {"password": 1}
    assert not Redaction()
    assert Redaction().apply(value) is value


def test_values_are_hidden_at_any_depth_and_the_value_itself_is_left_alone():
    value = {"a": [{"Token": 1}, [{"my_token": {"b": 2}}]], "b": "token"}
    shown = Redaction(["*token*"]).apply(value)
    assert shown == {"a": [{"Token": HIDDEN}, [{"my_token": HIDDEN}]], "b": "token"}
    assert value == {"a": [{"Token": 1}, [{"my_token": {"b": 2}}]], "b": "token"}


@pytest.mark.parametrize("rule", ["", "a, b", "['a']"])
def test_a_rule_that_would_hide_nothing_is_refused(rule: str):
    with pytest.raises(ValueError, match="is no key"):
        key_pattern(rule)
    with pytest.raises(ValueError, match="is no key"):
        Redaction(["good", rule])


def test_one_rule_is_one_key():
    rules = Redaction(["api?key"])
    assert [rules.means(key) for key in ("api_key", "API-KEY", "apikey", "my_api_key")] == [
        True, True, False, False,
    ]  # fmt: skip
