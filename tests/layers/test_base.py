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


def test_what_consumers_say_of_their_channels_comes_before_the_configuration():
    limits = Limits("capacity", 100, {"sensor.*": 50})
    assert limits.of("sensor.a") == 50
    limits.override("sensor.*", 7)
    limits.override("*", 8)
    limits.override("sensor.a", 9)
    limits.override("other", 10)
    found = [limits.of(name) for name in ("sensor.a", "sensor.b", "other", "third")]
    assert found == [9, 8, 10, 8], "names before globs, and of globs the newest"
    assert limits.of("specific.a!b") == 100, "replies are nobody's"
    limits.override("sensor.*", 6)
    assert (limits.of("sensor.b"), limits.of("sensor.a")) == (6, 9)


def test_what_consumers_say_is_bounded_the_oldest_is_forgotten():
    limits = Limits("capacity", 100)
    for n in range(1_010):
        limits.override(f"name.{n}", n)
        limits.override(f"glob.{n}.*", n)
    assert (limits.of("name.9"), limits.of("name.10")) == (100, 10)
    assert (limits.of("glob.9.a"), limits.of("glob.10.a")) == (100, 10)
    assert limits.of("glob.1009.a") == 1009
