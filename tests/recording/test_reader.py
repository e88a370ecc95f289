"""A recording as it is read: in the order of time, whatever order it stands in."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.writer import Writer

from nbchannels.exceptions import EncodingError, RecordingError
from nbchannels.recording.entries import Entry, Gap
from nbchannels.recording.reader import Recording
from tests.recording.conftest import entry


def test_what_it_holds(written: Any):
    path = written([entry(1), entry(2, group="b"), Gap("run", "trimmed", 3, 2, 4), entry(5)])
    found = Recording(path)
    assert found.groups == {"run": 2, "b": 1}
    assert (found.messages, len(found), found.start, found.end, found.duration) == (
        3, 3, 1.0, 5.0, 4.0,
    )  # fmt: skip
    assert (found.is_complete, found.lost, found.redacted, found.foreign) == (True, 3, [], {})
    assert [gap.first for gap in found.gaps] == [2]
    assert found.size == Path(path).stat().st_size
    assert found
    said = repr(found)
    assert said.startswith(f"<recording {path}: 3 messages ('b' 1, 'run' 2), 4.0 s from 1970-01-01")
    assert said.endswith("1 gap of 3 messages>")


def test_entries_come_back_with_everything(written: Any):
    items = [
        entry(1), entry(2, codec=2, body=b"\x01\x02", sender=8), None,
        entry(2**40, 3.0, epoch="f", tag=2**32 - 1), entry(1, 3.0, "b", codec=0, body=b""),
    ]  # fmt: skip
    found = list(Recording(written(items)).entries())
    expected = [item._replace(moment=item.time) for item in items if item is not None]
    assert found == expected


def test_an_empty_recording(written: Any):
    found = Recording(written([]))
    assert (found.messages, found.start, found.end, found.duration) == (0, None, None, 0.0)
    assert list(found.entries()) == list(found) == []
    assert repr(found) == f"<recording {found.path}: 0 messages>"
    assert found


def test_overlapping_histories_are_put_in_the_order_of_time(written: Any):
    slow = [entry(n, float(n), "slow") for n in range(1, 61)]
    fast = [entry(n, 59 + n / 100, "fast") for n in range(1, 100)]
    items: list[Any] = [*slow[:30], None, *fast[:50], None, *slow[30:], None, *fast[50:]]
    for closed in (True, False):
        found = list(Recording(written(items, closed=closed)).entries())
        assert found == sorted(found, key=lambda item: item.moment)
        for name, expected in (("slow", slow), ("fast", fast)):
            assert [e.offset for e in found if e.group == name] == [e.offset for e in expected]


# The file is overwritten with each example.
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.tuples(st.sampled_from("abc"), st.integers(0, 20), st.integers(0, 3)),
        ),
        max_size=40,
    ),
    st.booleans(),
)
def test_each_group_keeps_its_order_and_all_follow_the_time(written: Any, plan: Any, closed: bool):
    numbers = {"a": 0, "b": 0, "c": 0}
    items: list[Any] = []
    for step in plan:
        if step is None:
            items.append(None)
            continue
        group, at, codec = step
        numbers[group] += 1
        items.append(entry(numbers[group], float(at), group, codec=codec, body=b"%d" % at))
    found = list(Recording(written(items, closed=closed)).entries())
    assert [item.moment for item in found] == sorted(item.moment for item in found)
    for group in "abc":
        ours = [item for item in items if item is not None and item.group == group]
        assert [item._replace(moment=0) for item in found if item.group == group] == ours


def test_a_part_of_it(written: Any):
    found = Recording(written([entry(n) for n in range(1, 8)] + [entry(1, 9.0, "b")]))

    def part(*arguments: Any, **more: Any) -> list[tuple[str, int]]:
        return [(item.group, item.offset) for item in found.entries(*arguments, **more)]

    assert part(start=2) == [("run", n) for n in range(3, 8)] + [("b", 1)]
    assert part(start=2, stop=4) == [("run", 3), ("run", 4)]
    assert part(["b"]) == part("b") == [("b", 1)]
    assert part(stop=0) == []


def test_a_group_that_is_not_there_is_told_with_those_that_are(written: Any):
    found = Recording(written([entry(1, group="sensors")]))
    with pytest.raises(RecordingError) as caught:
        found.entries(["sensor"])
    assert "there is no group 'sensor'" in str(caught.value)
    assert str(caught.value).endswith("it has 'sensors'; did you mean 'sensors'?")


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(RecordingError, match="there is no file 'away.mcap'"):
        Recording("away.mcap")
    with pytest.raises(RecordingError, match="cannot be read: Is a directory"):
        Recording(tmp_path)


def test_messages_and_a_table(written: Any):
    found = Recording(written([entry(1, 1.5), entry(2, 2.5), entry(1, 2.0, "b")]))
    assert [(m.group, m.offset, m.time, m.content) for m in found] == [
        ("run", 1, 1.5, {"n": 1}), ("b", 1, 2.0, {"n": 1}), ("run", 2, 2.5, {"n": 2}),
    ]  # fmt: skip
    table = found.to_dataframe("run")
    assert list(table["n"]) == [1, 2]
    assert table.index[0].timestamp() == 1.5
    assert len(found.to_dataframe()) == 3


def test_a_message_that_cannot_be_decoded_is_named(written: Any):
    found = Recording(written([entry(4, body=b"{")]))
    with pytest.raises(EncodingError, match=r"run.mcap, group 'run', offset 4: the body"):
        list(found)


def test_topics_in_other_encodings_are_told(path: str):
    with open(path, "wb") as file:
        writer = Writer(file)
        writer.start()
        for topic, encoding in (("/imu", "cdr"), ("/state", "json")):
            channel = writer.register_channel(topic, encoding, 0)
            writer.add_message(channel, 10**9, b"{}", 10**9)
        writer.finish()
    found = Recording(path)
    assert (found.groups, found.foreign) == ({"/state": 1}, {"/imu": "cdr"})
    with pytest.raises(RecordingError, match="topic '/imu' in .* encoded as 'cdr', which"):
        found.require(["/imu"])
    (sentence,) = found.warnings({"/state"})
    assert "/imu (cdr)" in sentence


def test_gaps_of_a_file_that_was_not_closed_are_found(written: Any):
    gap = Gap("run", "trimmed", 2, 2, 3)
    found = Recording(written([entry(1), gap, entry(4)], closed=False))
    assert [(g.first, g.lost) for g in found.gaps] == [(2, 2)]
    first, second = found.warnings({"run"})
    assert "was not closed: its recorder was killed, or still records; 2 messages can be" in first
    assert "group 'run': 2 messages are missing (offset 2 to 3)" in second
    assert len(found.warnings({"other"})) == 1
    assert repr(found).endswith("NOT CLOSED>")
    kinds = [type(item) for item in found.entries()]
    assert kinds == [Entry, Gap, Entry]


def test_many_gaps_are_told_as_a_number(written: Any):
    items = [item for n in range(1, 31) for item in (Gap("run", "trimmed", 1, n, n), entry(n))]
    told = Recording(written(items)).warnings({"run"})
    assert len(told) == 11
    assert told[-1].endswith("20 more gaps")
