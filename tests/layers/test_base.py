"""What all layers inherit: limits by pattern, and options that are checked."""

import re
from concurrent.futures import Future

import pytest

from nbchannels.exceptions import DeliveryUnknown, InvalidChannelLayerError
from nbchannels.layers.base import Limits
from nbchannels.layers.memory import InMemoryChannelLayer


def test_limits_by_glob_and_pattern_first_match_counts():
    limits = Limits("channel_capacity", 100, {"a*": 5, re.compile("^b"): 7, "*": 9})
    assert [limits.of(name) for name in ("abc", "bcd", "cde")] == [5, 7, 9]
    assert Limits("x", 100).of("any") == 100


@pytest.mark.parametrize("value", [0, -1, "5", None, True])
def test_bad_limits_are_refused(value):
    with pytest.raises(InvalidChannelLayerError, match=r"channel_capacity: 'a\*' has"):
        InMemoryChannelLayer(channel_capacity={"a*": value})


@pytest.mark.parametrize("option", ["expiry", "capacity", "group_expiry", "history"])
@pytest.mark.parametrize("value", [0, -1, "5", None])
def test_bad_options_are_refused(option, value):
    with pytest.raises(InvalidChannelLayerError, match=f"{option} is .*above 0"):
        InMemoryChannelLayer(**{option: value})


def test_giving_up_says_that_it_may_have_arrived():
    pending = Future()
    error = InMemoryChannelLayer().give_up(pending, 5)
    assert isinstance(error, DeliveryUnknown)
    assert error.receipt is pending
    assert "within 5 s" in str(error)
