"""What %channels tells."""

import re
import socket

import pytest

from nbchannels.bridge import bridge
from nbchannels.channel import Group
from nbchannels.consuming import consume
from nbchannels.exceptions import ServerNotFound
from nbchannels.kernel import diagnoses, status
from nbchannels.kernel.credentials import Found
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from tests.kernel.conftest import RunningServer

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


@pytest.fixture(autouse=True)
def layer():
    before = channel_layers.set("default", InMemoryChannelLayer())
    yield
    channel_layers.set("default", before)


def test_the_report_has_numbers():
    Group("index").send({})
    Group("nbchannels.view.0a").send({})
    told = status.report()
    assert "InMemoryChannelLayer in this process" in told
    assert "2 groups, 0 channels; 2 messages sent, 0 dropped" in told
    assert "index" in told
    assert "nbchannels.view" not in told


def test_top_and_names():
    assert status.top() == "no groups yet"
    Group("index").send({})
    assert "1 message" in status.top()
    assert status.known_names(timeout=5)["groups"] == ["index"]
    assert "InMemoryChannelLayer" in status.connect()


def test_settings_of_views_do_not_push_the_groups_out():
    Group("index").send({})
    for n in range(40):
        Group(f"nbchannels.view.{n}").send({})
    assert "index" in status.report()
    assert "index" in status.top()


def test_the_report_names_the_newest_ten():
    for n in range(15):
        Group(f"g{n}").send({})
    told = status.report()
    assert [f"g{n} " in told for n in range(15)] == [False] * 5 + [True] * 10


class TestAServerThatDoesNotAnswer:
    @pytest.fixture
    def silent(self, monkeypatch):
        """A layer that never gets through to its server."""
        monkeypatch.setattr(status, "PATIENCE", 0.1)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            layer = KernelChannelLayer(find=lambda: Found(url, token="t"))
            before = channel_layers.set("default", layer)
            yield url
            layer.connection.close()
            channel_layers.set("default", before)

    def test_the_report_says_where_it_stands(self, silent):
        Group("index").send({}, wait=False)
        told = status.report()
        assert told.startswith(f"○ connecting to {silent}")
        assert "reconnected 0 times, 1 message not acknowledged yet" in told

    def test_completion_does_not_wait(self, silent):
        assert status.known_names(timeout=10) == {}

    def test_connecting_begins_only(self, silent):
        assert status.connect() == f"connecting to {silent}"


@pytest.mark.integration
@pytest.mark.slow
def test_another_server_names_the_consumers_that_are_left_behind(server: RunningServer):
    old = KernelChannelLayer(find=server.found)
    before = channel_layers.set("default", old)
    try:
        consume("work")(print)
        told = status.connect(server.url, server.token)
        assert told.endswith("; run the cells of these consumers again: work")
        assert "consumers" not in status.connect(server.url, server.token)
    finally:
        bridge.run(channel_layers["default"].close())
        channel_layers.set("default", before)


def test_no_server_at_all_is_an_error_with_its_remedy():
    def nowhere():
        raise ServerNotFound("no server; run: jupyter lab")

    before = channel_layers.set("default", KernelChannelLayer(find=nowhere))
    try:
        with pytest.raises(ServerNotFound, match="jupyter lab"):
            status.report()
        with pytest.raises(ServerNotFound, match="jupyter lab"):
            status.connect()
    finally:
        channel_layers.set("default", before)


def test_the_log_has_times():
    diagnoses.note("something happened")
    assert re.search(r"^\d\d:\d\d:\d\d something happened$", status.log(), re.MULTILINE)
