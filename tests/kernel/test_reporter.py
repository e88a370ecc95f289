"""Diagnoses on their way to the server: held back, coalesced, never a reason to connect."""

import asyncio
import threading

import pytest

from nbchannels import diagnoses
from nbchannels.bridge import bridge
from nbchannels.diagnoses import Diagnosis
from nbchannels.exceptions import ChannelsError, LayerUnavailable
from nbchannels.kernel import reporter as module
from nbchannels.kernel.diagnoses import entries
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.kernel.reporter import MOST, Reporter, reporter
from tests.kernel.conftest import RunningServer


class Wire:
    """A connection that keeps what it is told."""

    def __init__(self, *, is_open=True):
        self.is_open = is_open
        self.told = []
        self.error = None
        self._news = threading.Condition()

    async def tell(self, method, arguments):
        assert bridge.here
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        with self._news:
            self.told.append((method, arguments))
            self._news.notify_all()

    def until(self, count):
        with self._news:
            assert self._news.wait_for(lambda: len(self.told) >= count, 10), self.told
        return [arguments for _, arguments in self.told]


def turned():
    """What was handed to the bridge before has run."""
    bridge.run(asyncio.sleep(0.01), 10)


def test_it_is_told_from_any_thread_and_cut():
    wire, told = Wire(), Reporter()
    told.add(wire)
    said = Diagnosis("no-handler", "s" * 5000, "Index", "a" * 5000 + "end", count=3)
    threading.Thread(target=told.report, args=(said,)).start()
    (found,) = wire.until(1)
    assert wire.told[0][0] == "report"
    assert (found["kind"], found["subject"], found["count"]) == ("no-handler", "Index", 3)
    assert (len(found["sentence"]), len(found["detail"])) == (1000, 2000)
    assert found["detail"].endswith("end")


def test_it_is_held_back_until_there_is_a_connection_and_repetitions_are_one():
    wire, told = Wire(is_open=False), Reporter()
    told.add(wire)
    for count in range(1, 4):
        assert told.report(Diagnosis("a", "x", "one", count=count)) is False
    told.report(Diagnosis("b", "x"))
    turned()
    assert wire.told == []
    wire.is_open = True
    told.flush()
    assert [(d["kind"], d["count"]) for d in wire.until(2)] == [("a", 3), ("b", 1)]


def test_not_more_than_100_are_held_back():
    wire, told = Wire(is_open=False), Reporter()
    told.add(wire)
    for n in range(MOST + 50):
        told.report(Diagnosis("a", "x", str(n)))
    wire.is_open = True
    told.flush()
    found = wire.until(MOST)
    turned()
    assert len(wire.told) == MOST
    assert (found[0]["subject"], found[-1]["subject"]) == ("50", str(MOST + 49))


def test_a_connection_that_is_lost_loses_nothing():
    wire, told = Wire(), Reporter()
    told.add(wire)
    wire.error = LayerUnavailable("lost")
    told.report(Diagnosis("a", "x"))
    turned()
    assert wire.told == []
    told.flush()
    assert wire.until(1)[0]["kind"] == "a"


def test_a_server_that_takes_none_is_noted_and_left_alone():
    wire, told = Wire(), Reporter()
    told.add(wire)
    wire.error = ChannelsError("method 'report' is not known to this server")
    told.report(Diagnosis("a", "x"))
    told.report(Diagnosis("b", "x"))
    assert wire.until(1)[0]["kind"] == "b"
    assert "takes no diagnoses" in entries(1)[0][1]


def test_what_is_repeated_is_told_with_its_count(monkeypatch):
    monkeypatch.setattr(module, "REPEAT", 0.05)
    counted = [Diagnosis("a", "x", "counted", count=1)]
    monkeypatch.setattr(module, "recent", lambda: counted)
    wire, told = Wire(), Reporter()
    told.add(wire)
    told.report(counted[0])
    wire.until(1)
    counted[0] = Diagnosis("a", "x", "counted", count=900)
    assert [d["count"] for d in wire.until(2)] == [1, 900]


def test_a_connection_that_nobody_holds_is_forgotten():
    told = Reporter()
    told.add(Wire())
    told.report(Diagnosis("a", "x"))
    turned()
    assert len(told._waiting) == 1
    told.forked()
    assert len(told._waiting) == 0


def test_without_a_connection_none_is_made():
    """A diagnosis in a process that only has a layer of its own."""
    looked = []
    layer = KernelChannelLayer(find=lambda: looked.append(1))
    diagnoses.report("a", "nobody is asked", subject="none")
    turned()
    assert looked == []
    assert layer.connection.status == "idle"
    reporter.forked()


@pytest.mark.integration
@pytest.mark.slow
def test_a_real_server_keeps_it(server: RunningServer):
    layer = KernelChannelLayer(find=server.found)
    reporter.forked()
    diagnoses.report("before", "told before the connection", subject="real")
    bridge.run(layer.names(), 20)
    diagnoses.report("after", "told at once", subject="real", detail="here")

    async def kept():
        while True:
            found = await layer.connection.call("diagnoses", {})
            kinds = {d["kind"]: d for d in found["diagnoses"] if d["subject"] == "real"}
            if len(kinds) == 2:
                return kinds
            await asyncio.sleep(0.02)

    found = bridge.run(kept(), 20)
    assert found["after"]["detail"] == "here"
    assert {d["where"] for d in found.values()} == {"script"}
    assert {d["client"] for d in found.values()} == {"a test"}
    bridge.run(layer.close(), 20)
