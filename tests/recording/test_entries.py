"""Entries, gaps, and times as whole nanoseconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchannels.recording.entries import CODECS, ENCODINGS, Gap, counted, nanoseconds, seconds


@given(st.floats(min_value=0, max_value=2**33))
def test_a_time_survives_its_nanoseconds(time: float):
    whole = nanoseconds(time)
    assert abs(seconds(whole) - time) <= 0.5e-9
    if time >= 2**23:  # from here on a float is coarser than a nanosecond
        assert seconds(whole) == time


def test_a_time_before_all_times_is_zero():
    assert nanoseconds(-1.5) == 0


def test_every_codec_has_an_encoding_of_its_own():
    assert {CODECS[ENCODINGS[codec]] for codec in range(4)} == {0, 1, 2, 3}
    assert ENCODINGS[1] == "json"  # MCAP's own word


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (Gap("run", "trimmed", 1, 4, 4), "group 'run': 1 message is missing (offset 4 to 4): "),
        (Gap("run", "conflated", 1200, 1, 1200), "1,200 messages are missing (offset 1 to 1200)"),
        (Gap("run", "epoch"), "group 'run': messages may be missing here: the server was"),
        (Gap("", "damaged", detail="8 bytes at 3"), "the file is damaged there (8 bytes at 3)"),
        (Gap("run", "a new reason", 2), "group 'run': 2 messages are missing: a new reason"),
    ],
)
def test_a_gap_is_a_sentence(gap: Gap, said: str):
    assert said in str(gap)
    assert Gap.from_json(gap.to_json() | {"moment": 7, "new": 1}, 9) == gap._replace(moment=9)


def test_counts():
    assert [counted(n, "gap") for n in (0, 1, 1200)] == ["0 gaps", "1 gap", "1,200 gaps"]
