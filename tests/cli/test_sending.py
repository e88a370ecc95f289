"""``send``."""

import json
from collections.abc import Iterator

import pytest

from nbchannels.bridge import bridge
from nbchannels.channel import Channel, Group
from nbchannels.cli.reaching import UsageError
from nbchannels.cli.sending import send, send_lines
from nbchannels.exceptions import ChannelFull, InvalidMessage
from nbchannels.kernel.layer import KernelChannelLayer
from tests.cli.conftest import Written

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


@pytest.fixture
def index(layer: KernelChannelLayer) -> Group:
    return Group("index", channel_layer=layer)


def contents(group: Group) -> list[dict[str, int]]:
    return [message.content for message in group.history()]


def test_the_receipt_is_printed(index: Group, out: Written):
    send(index, '{"value": 1}', out, 5.0)
    first, hint = out.text.splitlines()
    assert first == "sent to group 'index', 0 subscribers, offset 1, in memory"
    assert hint.startswith("no one listens to group 'index'")
    assert contents(index) == [{"value": 1}]


def test_the_receipt_for_machines(layer: KernelChannelLayer, out: Written):
    send(Channel("work", channel_layer=layer), "{}", out, 5.0, as_json=True)
    receipt = json.loads(out.text)
    assert (receipt["kind"], receipt["name"], receipt["offset"]) == ("channel", "work", 1)


@pytest.mark.parametrize("text", ["", "{", "value", "{'a': 1}"])
def test_what_is_no_json_is_wrong_use(index: Group, out: Written, text: str):
    with pytest.raises(UsageError, match="""nbchannels send index '{"value": 1}'"""):
        send(index, text, out, 5.0)


@pytest.mark.parametrize("text", ["3", "[]", "null"])
def test_what_is_no_object_is_refused(index: Group, out: Written, text: str):
    with pytest.raises(InvalidMessage):
        send(index, text, out, 5.0)


def test_lines(index: Group, out: Written):
    send_lines(index, [b'{"n": 1}\n', b"\n", b'{"n": 2}\n', b'{"n": 3}'], out, 5.0)
    assert out.text.splitlines()[0] == "3 sent to group 'index'"
    assert contents(index) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_lines_for_machines(index: Group, out: Written):
    send_lines(index, [b'{"n": 1}\n', b'{"n": 2}\n'], out, 5.0, as_json=True)
    told = json.loads(out.text)
    assert (told["sent"], told["first"]["offset"]) == (2, 1)
    nothing = Written()
    send_lines(index, [], nothing, 5.0, as_json=True)
    assert json.loads(nothing.text) == {"sent": 0, "first": None}


def test_one_line_has_its_receipt(index: Group, out: Written):
    send_lines(index, [b'{"n": 1}\n'], out, 5.0)
    assert out.text.startswith("sent to group 'index'")


def test_a_bad_line_ends_it_and_those_before_are_sent(index: Group, out: Written):
    with pytest.raises(InvalidMessage, match="line 4 is no JSON") as caught:
        send_lines(index, [b"{}", b"{}", b"\n", b"{bad", b"{}"], out, 5.0)
    assert caught.value.__notes__ == ["2 sent before"]
    assert len(contents(index)) == 2


def test_each_line_is_sent_as_it_comes(index: Group, out: Written):
    def typed() -> Iterator[bytes]:
        yield b'{"n": 1}\n'
        assert contents(index) == [{"n": 1}]
        yield b'{"n": 2}\n'

    send_lines(index, typed(), out, 5.0)


def test_a_full_channel_is_an_error(layer: KernelChannelLayer, out: Written):
    small = Channel("small.sending", channel_layer=layer)  # the server's: capacity 5
    with pytest.raises(ChannelFull):
        send_lines(small, [b"{}"] * 9, out, 5.0)
    assert bridge.run(layer.channel_statistics("small.sending"))["waiting"] == 5
    with pytest.raises(ChannelFull):
        send(small, "{}", out, 5.0)
