"""The magics, in a bare shell with a memory layer."""

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nbchannels.channel import Channel, Group
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.magics.channels import ChannelsMagics

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


@pytest.fixture
def shell():
    before = channel_layers.set("default", InMemoryChannelLayer())
    shell = InteractiveShell()
    shell.register_magics(ChannelsMagics)
    yield shell
    shell.history_manager.end_session()
    channel_layers.set("default", before)


def test_send_and_group_send_return_receipts(shell):
    shell.user_ns["n"] = 3
    receipt = shell.run_line_magic("group_send", 'index {"y": n + 1}')
    assert (receipt.kind, receipt.name, receipt.offset) == ("group", "index", 1)
    assert Group("index").history()[0].content == {"y": 4}
    assert shell.run_line_magic("send", 'work {"job": n}').kind == "channel"
    assert Channel("work").receive(5).content == {"job": 3}


@pytest.mark.parametrize(
    ("magic", "line", "said"),
    [
        ("send", "", '%send work {"job": 1}'),
        ("send", "work", '%send work {"job": 1}'),
        ("group_send", "index", '%group_send index {"y": 1.5}'),
        ("group_send", "a/b {}", "InvalidName: group name 'a/b'"),
        ("group_send", "index 3", "InvalidMessage"),
        ("channels", "sparkle", "%channels log"),
        ("watch", "", "%watch sensors"),
        ("watch", "index --as pie", "%watch index --as plot"),
    ],
)
def test_errors_show_the_right_call(shell, magic, line, said):
    with pytest.raises(UsageError) as caught:
        shell.run_line_magic(magic, line)
    assert said in str(caught.value)


def test_the_state_of_things(shell, capsys):
    Group("index").asend  # noqa: B018 - only that it is there
    shell.run_line_magic("group_send", 'index {"y": 1}')
    shell.run_line_magic("channels", "")
    shell.run_line_magic("channels", "top")
    shell.run_line_magic("channels", "log")
    told = capsys.readouterr().out
    assert "InMemoryChannelLayer in this process" in told
    assert "1 group" in told
    assert "index" in told


def test_watch_displays_a_plot(shell, monkeypatch):
    shown = []
    monkeypatch.setattr("nbchannels.magics.channels.display", shown.append)
    shell.run_line_magic("watch", "sensors --window 5min")
    (plot,) = shown
    assert plot.specification["group"] == "sensors"
    assert plot.specification["options"]["window"] == {"seconds": 300}
