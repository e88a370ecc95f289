"""Conditions on a group that are watched."""

import asyncio
import queue

import numpy as np
import pytest

from nbchannels.arrays import Frame
from nbchannels.bridges.alerts import _alerts, alert, rows_of
from nbchannels.bridges.logs import flush, log
from nbchannels.channel import Channel, Group
from nbchannels.message import Message


class Calls:
    """What an action was called with, to be waited for."""

    def __init__(self):
        self.rows = queue.Queue()

    def __call__(self, row):
        self.rows.put(row)

    def next(self):
        return self.rows.get(timeout=20)


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture(autouse=True)
def nothing_stays():
    yield
    for found in list(_alerts.known.values()):
        found.stop()


def send(group, *losses):
    for loss in losses:
        group.send({"loss": loss})


def test_it_is_told_when_it_begins_to_hold(group, calls):
    found = alert(group, "loss > 3", call=calls)
    send(group, 1, 4, 5, 2, 6)
    assert [calls.next()["loss"], calls.next()["loss"]] == [4, 6]
    assert calls.rows.empty()
    assert found.count == 2
    assert repr(found) == "<alert loss > 3 on group 'run': raised, raised 2 times, 0 errors>"


def test_one_that_wavers_is_told_once(group, calls):
    alert(group, "loss > 3", until="loss < 2", call=calls)
    send(group, 4, 2.5, 4, 2.5, 1, 5)
    assert [calls.next()["loss"], calls.next()["loss"]] == [4, 5]
    assert calls.rows.empty()


def test_not_more_often_than_it_shall(group, calls):
    found = alert(group, "loss > 3", call=calls, every=3600)
    last = Calls()
    alert(group, "loss == 100", call=last)
    send(group, 4, 1, 4, 1, 4, 100)
    last.next()
    assert calls.next()["loss"] == 4
    found.stop()
    assert found.count == 1


def test_a_function(group, calls):
    alert(group, lambda row: row["loss"] > 3, call=calls)
    group.send({"other": 5})
    send(group, 4)
    assert calls.next() == {"loss": 4}


def test_rows_of_log(group, calls):
    alert(group, "loss == 7", call=calls)
    for i in range(10):
        log(group, loss=float(i))
    flush(group)
    row = calls.next()
    assert (row["step"], row["loss"]) == (7, 7.0)


def test_a_coroutine_function(group, calls):
    async def call(row):
        await asyncio.sleep(0)
        calls(row)

    alert(group, "loss > 3", call=call)
    send(group, 4)
    assert calls.next() == {"loss": 4}


def test_a_channel_is_sent_to(group, layer):
    work = Channel("alarms", channel_layer=layer)
    alert(group, "loss > 3", send=work)
    send(group, 4)
    assert dict(work.receive(20).content) == {
        "type": "nbchannels.alert",
        "group": "run",
        "condition": "loss > 3",
        "row": {"loss": 4},
    }


def test_without_an_action_those_who_watch_are_told(group):
    listener = group.listen(timeout=20)
    alert(group, "loss > 3")
    group.send({"loss": 4.125, "time": 5.0})
    texts = (message for message in listener if message.get("type"))
    told = next(texts)
    assert (told["type"], told["level"]) == ("nbchannels.notification", "warning")
    assert told["text"] == "loss > 3: loss 4.125"
    listener.close()


def test_errors_are_told_once_each_and_end_nothing(group, calls, told):
    def call(row):
        calls(row)
        raise OSError("no siren")

    found = alert(group, "loss > 3", call=call)
    send(group, 4, 1, "text", 5)
    assert [calls.next()["loss"], calls.next()["loss"]] == [4, 5]
    last = Calls()
    alert(group, "loss == 100", call=last)
    send(group, 100)
    last.next()
    found.stop()
    kinds = [sentence for kind, sentence in told() if kind == "alert-failed"]
    assert len([s for s in kinds if "OSError: no siren" in s]) == 1
    assert found.errors >= 2


def test_the_same_again_ends_the_earlier_one(group, calls):
    first = alert(group, "loss > 3", call=calls)
    second = alert(group, "loss > 3", call=calls)
    assert list(_alerts.known.values()) == [second]
    send(group, 4)
    assert calls.next() == {"loss": 4}
    first.stop()
    assert list(_alerts.known.values()) == [second]
    with alert(group, lambda row: False), alert(group, lambda row: True):
        assert len(_alerts.known) == 3
    assert len(_alerts.known) == 1


@pytest.mark.parametrize(
    ("arguments", "options", "error", "said"),
    [
        ((5,), {}, TypeError, "a condition is a text such as 'loss > 3', or a function, not an i"),
        (("loss >",), {}, ValueError, "is not understood"),
        (("loss > 3",), {"until": "x("}, ValueError, "is not understood"),
        (("loss > 3",), {"every": -1}, ValueError, "every is an int: -1; it takes seconds"),
        (("loss > 3",), {"call": print, "send": Group("a")}, TypeError, "call= or send=, not both"),
    ],
)
def test_what_cannot_be_is_told(group, arguments, options, error, said):
    with pytest.raises(error, match=said):
        alert(group, *arguments, **options)
    assert not _alerts.known


def test_the_rows_of_a_message():
    assert list(rows_of(Message({"a": np.float32(0.5), "b": "x"}))) == [{"a": 0.5, "b": "x"}]
    table = Frame(a=np.arange(2), b=["x", "y"])
    assert list(rows_of(Message(table))) == [{"a": 0, "b": "x"}, {"a": 1, "b": "y"}]
