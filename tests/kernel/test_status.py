"""What %channels tells."""

import pytest

from nbchannels.channel import Group
from nbchannels.kernel import status
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer

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
