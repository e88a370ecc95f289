"""What the doctor finds, and what it says to do: each finding made on purpose."""

import asyncio
import re
import socket
import threading
import time

import pytest

import nbchannels.diagnoses
from nbchannels.bridge import bridge, user_bridge
from nbchannels.channel import Channel, Group
from nbchannels.consuming import consume, unconsume
from nbchannels.exceptions import ServerNotFound, WouldDeadlock
from nbchannels.kernel import doctor
from nbchannels.kernel.credentials import Found
from nbchannels.kernel.doctor import Finding, examine
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from tests.kernel.conftest import Cable, RunningServer
from tests.kernel.test_layer import Kernel

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


@pytest.fixture(autouse=True)
def nothing_told():
    nbchannels.diagnoses.diagnoses.clear()
    yield
    nbchannels.diagnoses.diagnoses.clear()


@pytest.fixture
def layer():
    layer = InMemoryChannelLayer(channel_capacity={"small": 2})
    before = channel_layers.set("default", layer)
    yield layer
    unconsume()
    channel_layers.set("default", before)


@pytest.fixture
def put():
    """Put a layer under the default alias; it is closed afterwards."""
    made = []
    before = channel_layers.set("default", None)

    def put_it(layer):
        made.append(layer)
        channel_layers.set("default", layer)
        return layer

    yield put_it
    for layer in made:
        bridge.run(layer.close())
    channel_layers.set("default", before)


def finding(pattern):
    """The one finding whose text has this; what a consumer did is known a moment after it did."""
    deadline = time.monotonic() + 10
    while True:
        all_found = examine()
        found = [f for f in all_found if re.search(pattern, f.what)]
        if found or time.monotonic() > deadline:
            assert len(found) == 1, "\n".join(map(str, all_found))
            return found[0]
        time.sleep(0.02)


def is_silent(pattern):
    return not any(re.search(pattern, f.what) for f in examine())


# --- In this process ---


def test_a_layer_in_memory_is_seen_by_nobody_else(layer):
    found = finding("layer 'default' is an InMemoryChannelLayer of this process")
    assert found.mark == "warning"
    assert "KernelChannelLayer" in found.remedy


def test_problems_come_first_and_remedies_stand_below(layer):
    Channel("small").send({})
    Channel("small").send({})
    lines = doctor.report().splitlines()
    marks = [line[0] for line in lines if not line.startswith(" ")]
    assert marks == sorted(marks, key="✗!✓".index)
    assert lines[0].startswith("✗ channel 'small' is full")
    assert lines[1].startswith("    → add a consumer")


def test_a_finding_without_a_remedy_is_one_line():
    assert str(Finding("ok", "all is well")) == "✓ all is well"


def test_what_waits_without_a_consumer(layer):
    Channel("wrok").send({})
    found = finding("1 message in channel 'wrok', and no consumer")
    assert (found.mark, found.remedy[:20]) == ("warning", "@nb.consume('wrok'),")
    consume("work")(lambda message: None)
    assert finding("and no consumer").remedy == "did you mean 'work', which has one?"
    Channel("wrok").receive(5)
    assert is_silent("and no consumer")
    Channel("wrok").send({})  # somebody receives in a loop
    assert is_silent("and no consumer")


def test_a_full_channel(layer):
    for n in range(2):
        Channel("small").send({"n": n})
    found = finding("channel 'small' is full: 2 of 2")
    assert found.mark == "problem"
    assert "capacity=100" in found.remedy


def test_a_channel_that_was_full(layer):
    bridge.run(layer.group_add("index", "small"))
    for n in range(5):
        Group("index").send({"n": n})
    assert is_silent("was full")
    Channel("small").receive(5)
    found = finding("channel 'small' was full, and 3 messages did not get into it")
    assert "capacity=4" in found.remedy


def test_dead_letters_by_reason(layer):
    for n in range(2):
        bridge.run(layer.send("work", {"n": n}))
        layer.finish("work", layer.take("work", None), "fail", f"ValueError: {n}")
    found = finding(r"2 dead letters \(failed\); the last, of channel 'work': ValueError: 1")
    assert "%channels dead N" in found.remedy
    assert "%channels resend N" in found.remedy


def test_a_group_that_was_sent_to_and_nobody_listens(layer):
    Group("indx").send({})
    Group("index").send({})
    listening = bridge.run(layer.subscribe("index"))
    found = finding("group 'indx' was sent to, and nobody listens")
    assert "did you mean 'index'?" in found.remedy
    assert 'LivePlot("indx")' in found.remedy
    assert is_silent("group 'index' was sent to")
    listening.close()


def worked(service_count):
    deadline = time.monotonic() + 10
    while sum(s.count for s in doctor.services_here(channel_layers["default"])) < service_count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def would_deadlock(message):
    raise WouldDeadlock("await Channel('asks').aask(…)")


def test_a_consumer_that_fails_and_one_that_would_deadlock(layer):
    consume("fails")(lambda message: 1 / 0)
    consume("asks")(would_deadlock)
    Channel("fails").send({})
    Channel("asks").send({})
    worked(2)
    failed = finding("on channel 'fails' failed on 1 of 1 message; the last: ZeroDivisionError")
    assert "%channels dead" in failed.remedy
    assert "await the call" in finding("on channel 'asks' failed.*WouldDeadlock").remedy


def test_all_is_well(layer):
    consume("work")(lambda message: None)
    found = {f.what: f.mark for f in examine()}
    assert found["1 consumer here, none has failed"] == "ok"
    assert found["nothing went wrong in silence"] == "ok"


def test_a_consumer_that_blocks_the_thread_and_one_behind_it(layer, monkeypatch):
    monkeypatch.setattr(doctor, "LONG", 0.05)
    go = threading.Event()

    @consume("slow")
    def slow(message):
        go.wait(20)

    @consume("quick")
    def quick(message):
        pass

    Channel("slow").send({})
    worked(1)
    Channel("quick").send({})
    worked(2)
    time.sleep(0.06)
    try:
        blocking = finding("slow has held a message for 0 s and blocks the consumers' thread")
        assert "test_doctor.py, line" in blocking.what
        waiting = finding("quick has held .* and waits for the consumers' thread")
        assert "slow holds, at" in waiting.what
        assert "slow return sooner" in waiting.remedy
        assert blocking.mark == waiting.mark == "problem"
    finally:
        go.set()


def test_a_coroutine_that_does_not_return(layer, monkeypatch):
    monkeypatch.setattr(doctor, "LONG", 0.05)
    go = threading.Event()

    @consume("slow")
    async def slow(message):
        while not go.is_set():  # noqa: ASYNC110 - it is set by another thread
            await asyncio.sleep(0.01)

    Channel("slow").send({})
    worked(1)
    time.sleep(0.06)
    try:
        assert finding("slow has held a message .* and has not returned").mark == "warning"
    finally:
        go.set()


def test_a_blocked_loop(layer, monkeypatch):
    monkeypatch.setattr(doctor, "TURN", 0.1)
    go = threading.Event()

    async def blocks():
        go.wait(20)

    blocked = user_bridge.start(blocks())
    try:
        found = finding("the loop of your coroutines is blocked, at .*test_doctor.py, .*blocks")
        assert "await asyncio.sleep" in found.remedy
    finally:
        go.set()
        blocked.result(10)


def test_recent_diagnoses_with_their_remedies(layer):
    for _ in range(3):
        nbchannels.diagnoses.report("no-handler", "Index has no tick; add def tick", subject="i")
    nbchannels.diagnoses.report("odd", "one sentence")
    nbchannels.diagnoses.report("consumer-failed", "told of its consumer")
    found = finding(r"^\d s ago \(3 times\): Index has no tick$")
    assert found == ("warning", found.what, "add def tick")
    assert finding(r"^\d s ago: one sentence$").remedy == "%channels log has more"
    assert is_silent("told of its consumer")


def test_a_layer_that_cannot_be_made(monkeypatch):
    before = channel_layers.set("default", None)
    monkeypatch.setattr(channel_layers, "_configs", {"default": {"BACKEND": "no.such.Layer"}})
    try:
        found = [f for f in examine() if f.mark == "problem"]
        assert "no.such.Layer" in found[0].what
        assert "channel_layers.configure" in found[0].remedy
    finally:
        channel_layers.set("default", before)


# --- The way to the server ---


def test_no_server(put):
    def nowhere():
        raise ServerNotFound("no Jupyter server has nbchannels. Run: pip install nbchannels")

    put(KernelChannelLayer(find=nowhere))
    found = finding("no Jupyter server has nbchannels")
    assert found == ("problem", "no Jupyter server has nbchannels", "Run: pip install nbchannels")


def test_a_server_that_does_not_answer(put, monkeypatch):
    monkeypatch.setattr(doctor, "PATIENCE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        put(KernelChannelLayer(find=lambda: Found(url, token="t")))
        found = finding(f"no connection to {url}")
        assert found.mark == "problem"
        assert "what is sent waits here" in found.what
        assert "%channels connect" in found.remedy


@pytest.mark.integration
@pytest.mark.slow
class TestAServer:
    def test_all_is_well(self, put, server: RunningServer):
        put(KernelChannelLayer(find=server.found))
        found = finding(f"connected to {server.url}, nbchannels ")
        assert found.mark == "ok"
        assert all(f.mark == "ok" for f in examine())

    def test_refused(self, put, server: RunningServer):
        put(KernelChannelLayer(find=lambda: Found(server.url, "wrong", None, "a test")))
        found = finding("refused this script .HTTP 403.")
        assert found.what.endswith("(HTTP 403); it was shown a token")
        assert "NBCHANNELS_TOKEN" in found.remedy

    def test_another_version(self, put, server: RunningServer):
        layer = put(KernelChannelLayer(find=server.found))
        layer.connection.version = "0.0.7"
        found = finding("this kernel 0.0.7")
        assert (found.mark, "same version in both" in found.remedy) == ("problem", True)

    def test_a_connection_that_was_lost(self, put, server: RunningServer, cable: Cable):
        url = f"http://127.0.0.1:{cable.port}/base/"
        layer = put(KernelChannelLayer(find=lambda: Found(url, server.token, None, "far")))
        bridge.run(layer.names(), 20)
        cable.drop()
        deadline = time.monotonic() + 20
        while not layer.connection.reconnects or layer.connection.status != "open":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "%channels log" in finding("the connection was lost 1 time and came back").remedy

    def test_what_waits_for_another_kernels_channel(self, put, server: RunningServer):
        other = KernelChannelLayer(find=server.found)
        layer = put(KernelChannelLayer(find=server.found))
        bridge.run(layer.flush())
        consume("work", channel_layer=other)(lambda message: None)
        Channel("wrok").send({})
        assert finding("in channel 'wrok'").remedy == "did you mean 'work', which has one?"
        bridge.run(other.close())
        bridge.run(layer.flush())


@pytest.mark.integration
@pytest.mark.slow
def test_in_a_notebook(server: RunningServer):
    """The main thread is busy with cells; the consumers' thread with a cell's function."""
    kernel = Kernel(server)
    try:
        kernel.run(
            "%load_ext nbchannels\nimport nbchannels as nb, time, threading\n"
            "from nbchannels.kernel import doctor\ndoctor.LONG = 0.2\ngo = threading.Event()"
        )
        kernel.run("@nb.consume('between')\nasync def between(message): pass")
        kernel.run("@nb.consume('slow')\ndef slow(message):\n    go.wait(20)")
        out, error = kernel.run(
            "nb.Channel('between').send({}); nb.Channel('slow').send({}); time.sleep(0.5)\n"
            "%channels doctor\n"
            "go.set()"
        )
        assert error == ""
        assert re.search("✗ between has held a message .* and waits for the main thread", out)
        assert 'on="thread" runs beside the cells' in out
        assert re.search(r"✗ slow has held .* thread, at Cell In\[\d+\], line 3 in slow", out)
        assert f"✓ connected to {server.url}" in out
    finally:
        kernel.end()


@pytest.mark.integration
@pytest.mark.slow
def test_a_server_without_the_extension(tmp_path):
    running = RunningServer(tmp_path, extension=False)
    kernel = Kernel(running)
    try:
        out, error = kernel.run("from nbchannels.kernel.doctor import report\nprint(report())")
        assert error == ""
        assert out.startswith("✗ the Jupyter server (pid ")
        assert "has not loaded nbchannels" in out.splitlines()[0]
        assert "→ In the environment of the server run:" in out.splitlines()[1]
        assert "server extension enable nbchannels; then restart that server" in out
    finally:
        kernel.end()
        running.kill()
