"""The time line of a recording, laid over that of a clock."""

import math

import pytest

from nbchannels.recording.pace import Pace, require_speed

S = 10**9


def test_the_intervals_are_divided_by_the_speed():
    pace = Pace(10.0)
    pace.begin(100 * S, 7.0)
    assert pace.seconds_until(100 * S, 7.0) == 0
    assert pace.seconds_until(130 * S, 7.0) == pytest.approx(3.0)
    assert pace.seconds_until(130 * S, 9.5) == pytest.approx(0.5)
    assert pace.seconds_until(130 * S, 11.0) == pytest.approx(-1.0)


def test_without_a_limit_everything_is_due():
    pace = Pace(math.inf)
    assert pace.seconds_until(5 * S, 0.0) == 0
    pace.begin(0, 0.0)
    assert pace.seconds_until(5 * S, 0.0) == 0


def test_a_pause_does_not_count():
    pace = Pace(2.0)
    pace.begin(0, 0.0)
    pace.pause(1.0)  # 2 s of the recording have gone by
    pace.pause(3.0)
    assert pace.is_paused
    assert pace.seconds_until(0, 4.0) == math.inf
    pace.resume(101.0)
    pace.resume(150.0)
    assert not pace.is_paused
    assert pace.seconds_until(6 * S, 101.0) == pytest.approx(2.0)


def test_another_speed_holds_from_now_on():
    pace = Pace(1.0)
    pace.begin(0, 0.0)
    pace.change(10.0, 4.0)
    assert pace.speed == 10.0
    assert pace.seconds_until(24 * S, 4.0) == pytest.approx(2.0)
    pace.pause(5.0)  # at 14 s
    pace.change(1.0, 9.0)
    pace.resume(20.0)
    assert pace.seconds_until(15 * S, 20.0) == pytest.approx(1.0)


def test_from_no_limit_to_one():
    pace = Pace(math.inf)
    pace.begin(0, 0.0)
    pace.pause(1.0)
    assert pace.seconds_until(1, 1.0) == math.inf
    pace.resume(2.0)
    pace.change(1.0, 3.0)
    assert pace.seconds_until(9 * S, 3.0) < 9.0


@pytest.mark.parametrize("speed", [0, -1, "2", True, float("nan"), [1]])
def test_what_is_no_speed(speed: object):
    with pytest.raises(ValueError, match="it takes a number above 0 .* or None for as fast as"):
        require_speed(speed)


def test_speeds():
    assert (require_speed(None), require_speed(math.inf), require_speed(3)) == (
        math.inf, math.inf, 3.0,
    )  # fmt: skip
