"""Rows on their way to a group."""

import datetime
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from nbchannels.bridges import logs
from nbchannels.bridges.logs import Rows, flush, log
from nbchannels.exceptions import (
    EncodingError,
    InvalidMessage,
    InvalidName,
    LayerUnavailable,
    SendTimeout,
)


def columns(group, name):
    """All values of a column, over all messages."""
    return [v for m in group.history(10_000) if name in m for v in m[name]]


def test_rows_arrive_in_their_order(group):
    for i in range(500):
        log(group, loss=i / 2, epoch=i)
    flush(group)
    assert columns(group, "loss") == [i / 2 for i in range(500)]
    assert columns(group, "step") == list(range(500))
    times = columns(group, "time")
    assert times == sorted(times)


def test_rows_are_joined(group):
    for i in range(2000):
        log(group, loss=float(i))
    flush(group)
    assert len(columns(group, "loss")) == 2000
    assert len(group.history(10_000)) < 1000


def test_a_dict_and_keywords(group):
    log(group, {"loss": 1.0, "values": 2.0}, acc=0.5)
    flush(group)
    assert dict(group.history()[0].content).keys() == {"step", "time", "loss", "values", "acc"}


def test_steps_go_on_from_the_one_that_was_given(group):
    log(group, loss=1.0)
    log(group, loss=1.0, step=10)
    log(group, loss=1.0)
    log(group, loss=1.0, step=2.5)
    log(group, loss=1.0)
    flush(group)
    assert columns(group, "step") == [0, 10, 11, 2.5, 3]


def test_a_time_of_ones_own(group):
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    log(group, loss=1.0, time=5)
    log(group, loss=1.0, time=moment)
    flush(group)
    assert columns(group, "time") == [5.0, moment.timestamp()]
    with pytest.raises(InvalidMessage, match="time is 'noon'; it takes seconds since 1970"):
        log(group, loss=1.0, time="noon")


def test_fields_that_come_later(group):
    log(group, loss=1.0)
    log(group, loss=2.0, val=5.0)
    log(group, note="the end")
    flush(group)
    assert columns(group, "loss") == [1.0, 2.0]
    assert columns(group, "val") == [5.0]
    assert columns(group, "note") == ["the end"]


def test_a_row_that_cannot_be_is_told_on_its_line_and_not_taken(group):
    with pytest.raises(EncodingError, match=r"log\('run'\): field 'loss' is a list"):
        log(group, loss=[1, 2])
    with pytest.raises(InvalidMessage, match=r"log\('run'\) has no fields"):
        log(group, step=3)
    with pytest.raises(InvalidMessage, match="values is a dict"):
        log(group, 0.5)
    log(group, loss=1.0)
    flush(group)
    assert columns(group, "step") == [0]


def test_a_bad_name():
    with pytest.raises(InvalidName):
        log("my run", loss=1.0)


def test_two_groups_of_one_name_on_two_layers(group):
    other = type(group)("run", channel_layer=type(group.channel_layer)())
    log(group, loss=1.0)
    log(other, loss=2.0)
    flush()
    assert columns(group, "loss") == [1.0]
    assert columns(other, "loss") == [2.0]


def test_threads(group):
    def work():
        for _ in range(500):
            log(group, loss=1.0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush(group)
    assert sorted(columns(group, "step")) == list(range(2000))


def test_the_first_failure_is_raised_on_its_line(group, layer, told):
    layer.fail = LayerUnavailable("no server")
    with pytest.raises(LayerUnavailable, match="no server"):
        log(group, loss=1.0)
    with pytest.raises(LayerUnavailable):
        log(group, loss=1.0)
    layer.fail = None
    log(group, loss=3.0)
    flush(group)
    assert columns(group, "loss") == [3.0]
    assert "1 row could not be sent: no server" in told()[0][1]


def test_a_later_failure_is_raised_by_the_next_call_and_told(group, layer, told):
    log(group, loss=1.0)
    layer.is_slow = True
    log(group, loss=2.0)
    rows = logs._known.of(group)
    rows.send()
    layer.acknowledge(LayerUnavailable("gone"))
    rows.send()
    with pytest.raises(LayerUnavailable, match="gone") as caught:
        log(group, loss=3.0)
    assert caught.value.__notes__ == ["group 'run': 1 row not sent"]
    assert told() == [("not-sent", "group 'run': 1 row could not be sent: gone")]
    layer.is_slow = False
    log(group, loss=4.0)
    flush(group)
    assert columns(group, "loss")[-1] == 4.0


def test_flush_raises_what_failed(group, layer):
    log(group, loss=1.0)
    layer.is_slow = True
    log(group, loss=2.0)
    logs._known.of(group).send()
    layer.acknowledge(LayerUnavailable("gone"))
    with pytest.raises(LayerUnavailable, match="gone"):
        flush(group)
    flush(group)


def test_flush_says_what_is_not_acknowledged(group, layer):
    log(group, loss=1.0)
    layer.is_slow = True
    log(group, loss=2.0)
    with pytest.raises(SendTimeout, match="1 messages are on their way"):
        flush(group, timeout=0.01)
    layer.acknowledge()
    flush(group)


def test_what_waits_is_bounded_and_a_drop_is_told(group, layer, told, monkeypatch):
    monkeypatch.setattr(logs, "MOST_ROWS", 100)
    log(group, loss=0.0)
    layer.fail = SendTimeout("no room")
    for i in range(1, 1000):
        log(group, loss=float(i))
    rows = logs._known.of(group)
    assert len(rows._rows) <= 100
    layer.fail = None
    flush(group)
    arrived = columns(group, "loss")
    assert rows.dropped == 1000 - len(arrived) > 0
    assert arrived[-1] == 999.0
    first, *_, last = told()
    assert first[0] == last[0] == "dropped"
    assert "the oldest rows are dropped, from step" in first[1]
    assert f"{rows.dropped:,} rows were dropped, up to step" in last[1]


def test_much_text_is_bounded(group, layer, monkeypatch):
    monkeypatch.setattr(logs, "MOST_TEXT", 1000)
    log(group, note="a")
    layer.fail = SendTimeout("no room")
    for _ in range(10):
        log(group, note="a" * 300)
    rows = logs._known.of(group)
    assert rows._text <= 1000
    assert rows.dropped > 0
    layer.fail = None
    flush(group)
    assert rows._text == 0


def test_a_message_that_is_too_large_is_divided(group, layer):
    layer.max_message = 2000
    for i in range(1000):
        log(group, loss=float(i))
    flush(group)
    assert columns(group, "loss") == [float(i) for i in range(1000)]


def test_while_nothing_is_acknowledged_rows_gather(group, layer):
    log(group, loss=0.0)
    layer.is_slow = True
    rows = logs._known.of(group)
    for i in range(500):
        log(group, loss=float(i))
        rows.send()
    assert len(layer.pending) <= 65
    layer.is_slow = False
    layer.acknowledge()
    flush(group, 20)
    assert len(columns(group, "loss")) == 501


def test_a_message_of_few_groups_is_remembered(monkeypatch, layer, group):
    monkeypatch.setattr(logs, "MOST_GROUPS", 3)
    for i in range(10):
        log(type(group)(f"run{i}", channel_layer=layer), loss=1.0)
        flush()
    assert len(logs._known.rows) <= 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_the_child_of_a_fork_sends_nothing_of_its_parent(group, layer):
    log(group, loss=0.0)
    rows = logs._known.of(group)
    layer.fail = SendTimeout("no room")
    log(group, loss=1.0)
    rows.forked()
    assert rows.is_idle
    assert rows._step == 0
    layer.fail = None
    log(group, loss=5.0)
    assert columns(group, "loss") == [0.0, 5.0]


def test_rows_begin_with_a_group(group):
    assert Rows(group).is_idle


SCRIPT = """
import asyncio, atexit
import nbchannels as nb
from nbchannels.layers.memory import InMemoryChannelLayer

layer = InMemoryChannelLayer()
group = nb.Group("run", channel_layer=layer)

async def end():
    page = await layer.read("run", "earliest", 1000)
    print(sum(len(layer.decode(record)["loss"]) for record in page.records))

atexit.register(lambda: asyncio.run(end()))  # the last: what was registered later comes first
for i in range(100):
    nb.log(group, loss=1.0)
"""


def test_what_waits_is_sent_when_the_process_ends():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("100", "")
