"""A function that raises DenyConnection, as in Channels 1.x, refuses the WebSocket."""

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from nbchannels import Channel, consume, unconsume
from nbchannels.bridge import bridge
from nbchannels.exceptions import DenyConnection
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.memory import InMemoryChannelLayer
from tests.kernel.conftest import RunningServer

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


def deny(message):
    raise DenyConnection("members only")


def test_it_is_a_reply_that_closes():
    layer = InMemoryChannelLayer()
    consume("websocket.connect", channel_layer=layer)(deny)
    Channel("websocket.connect", channel_layer=layer).send({"reply_channel": "answers"})
    answer = Channel("answers", channel_layer=layer).receive(timeout=5)
    assert answer.content == {"close": True}
    unconsume(channel_layer=layer)
    assert bridge.run(layer.dead_letters()) == []


def test_on_another_channel_it_is_a_failure_as_any():
    layer = InMemoryChannelLayer()
    consume("work", channel_layer=layer)(deny)
    consume("done", channel_layer=layer, reply=True)(lambda message: {})
    Channel("work", channel_layer=layer).send({"reply_channel": "answers"})
    Channel("done", channel_layer=layer).ask({})  # one thread for all: that one is over
    (letter,) = bridge.run(layer.dead_letters())
    assert "DenyConnection: members only" in letter["error"]
    unconsume(channel_layer=layer)


@pytest.mark.integration
@pytest.mark.slow
def test_a_real_client_is_refused(server: RunningServer):
    layer = KernelChannelLayer(find=server.found)
    consume("websocket.connect", channel_layer=layer)(deny)
    address = f"ws://127.0.0.1:{server.port}/base/nbchannels/http/room"
    told = {"Authorization": f"token {server.token}"}
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(address, additional_headers=told, proxy=None, open_timeout=10),
    ):
        pass
    assert refused.value.response.status_code == 403
    assert bridge.run(layer.dead_letters()) == []
    unconsume(channel_layer=layer)
    bridge.run(layer.close())
