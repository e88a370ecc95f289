"""The magics, in a bare shell with a memory layer."""

import time

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nbchannels.channel import Channel, Group
from nbchannels.consuming import consume, unconsume
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
        ("watch", "index --as", "--as: expected one argument"),
        ("watch", "index --window soon", "window 'soon' is not understood; write a time such as"),
        ("watch", "index --as log --window 5", "a log has no window: %watch index --as plot"),
        ("watch", "index extra", "unrecognized arguments: extra"),
        ("watch", "a/b", "InvalidName: group name 'a/b' has '/'"),
        ("send", "a/b {}", "InvalidName: channel name 'a/b' has '/'"),
        ("send", "work 3", "InvalidMessage"),
        ("send", "work {'f': print}", "EncodingError: msg['f']"),
        ("group_send", "", '%group_send index {"y": 1.5}'),
        ("channels", "connect", "%channels connect URL [TOKEN]"),
        ("channels", "stop", "%channels stop CHANNEL"),
        ("channels", "who", "%channels who GROUP"),
        ("channels", "who a/b", "InvalidName: group name 'a/b' has '/'"),
        ("channels", "stop work", "NotFound: this kernel has no consumer of channel 'work'"),
        ("channels", "resend 7", "NotFound: there is no dead letter 7"),
        ("channels", "discard work", "NotFound: a dead letter has a number, not 'work'"),
        ("channels", "dead 7 8", "%channels dead [CHANNEL | N]"),
        ("channels", "log top", "%channels top"),
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


@pytest.mark.parametrize("kind", ["plot", "value", "log", "table"])
def test_watch_displays_every_kind_of_view(shell, monkeypatch, kind):
    shown = []
    monkeypatch.setattr("nbchannels.magics.channels.display", shown.append)
    shell.run_line_magic("watch", f"sensors --as {kind}")
    (view,) = shown
    assert (view.specification["group"], view.specification["kind"]) == ("sensors", kind)


@pytest.mark.parametrize(
    ("line", "window"),
    [
        ("index", None),
        ("index --window 5min", {"seconds": 300}),
        ("index --window '5 min'", {"seconds": 300}),
        ('index --window "1.5 h" --as plot', {"seconds": 5400}),
        ("--window 500 index", {"points": 500}),
    ],
)
def test_the_window_of_a_view(shell, monkeypatch, line, window):
    shown = []
    monkeypatch.setattr("nbchannels.magics.channels.display", shown.append)
    assert shell.run_line_magic("watch", line) is None
    assert shown[0].specification["options"]["window"] == window


@pytest.mark.parametrize("line", ['work {"a": 1}', '  work   {"a": 1}  ', 'work\t{"a": 1}'])
def test_spaces_do_not_matter(shell, line):
    assert shell.run_line_magic("send", line).name == "work"


def test_an_error_in_the_expression_is_the_users_own(shell):
    with pytest.raises(ZeroDivisionError):
        shell.run_line_magic("send", 'work {"a": 1 / 0}')
    with pytest.raises(NameError, match="unknown"):
        shell.run_line_magic("group_send", "index unknown")
    assert Group("index").history() == []


def test_a_full_channel_is_a_sentence(shell):
    channel_layers.set("default", InMemoryChannelLayer(capacity=1))
    shell.run_line_magic("send", "work {}")
    with pytest.raises(UsageError, match="ChannelFull: channel 'work' is full"):
        shell.run_line_magic("send", "work {}")


def test_no_answer_in_time_is_a_sentence(shell, monkeypatch):
    def slow():
        raise TimeoutError("no answer within 5 s")

    monkeypatch.setattr("nbchannels.magics.channels.status.top", slow)
    with pytest.raises(UsageError, match="TimeoutError: no answer within 5 s"):
        shell.run_line_magic("channels", "top")


def test_connecting_hands_url_and_token_on(shell, monkeypatch, capsys):
    asked = []

    def connect(*given):
        asked.append(given)
        return "connecting to " + given[0]

    monkeypatch.setattr("nbchannels.magics.channels.status.connect", connect)
    shell.run_line_magic("channels", "connect http://a/")
    shell.run_line_magic("channels", "connect http://a/ secret")
    assert asked == [("http://a/",), ("http://a/", "secret")]
    assert capsys.readouterr().out == "connecting to http://a/\n" * 2


@pytest.mark.parametrize("magic", ["channels", "send", "group_send", "watch"])
def test_each_magic_has_help_with_an_example(shell, magic):
    assert f"%{magic}" in shell.find_line_magic(magic).__doc__


def test_consumers_and_dead_letters(shell, capsys):
    layer = channel_layers["default"]

    @consume("work")
    def work(message):
        raise ValueError("no")

    try:
        Channel("work").send({"job": 1})
        while not layer.newest_dead(1):
            time.sleep(0.005)
        told = {}
        for line in ("consumers", "dead", "dead work", "dead 1", "doctor", "stop work"):
            shell.run_line_magic("channels", line)
            told[line] = capsys.readouterr().out
        assert "1 taken, 1 failed: ValueError: no" in told["consumers"]
        assert "ValueError: no  {'job': 1}" in told["dead"]
        assert told["dead work"] == told["dead"]
        assert 'raise ValueError("no")' in told["dead 1"]
        assert "1 dead letter (failed)" in told["doctor"]
        assert told["stop work"] == "channel 'work': 1 consumer of this kernel ended\n"
        shell.run_line_magic("channels", "resend 1")
        assert Channel("work").receive(5).content == {"job": 1}
    finally:
        unconsume()


def test_who(shell, capsys):
    Group("index").add("work")
    shell.run_line_magic("channels", "who index")
    assert capsys.readouterr().out.split() == ["channel", "work", "member"]
