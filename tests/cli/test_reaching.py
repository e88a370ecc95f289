"""Which server it is."""

import pytest

from nbchannels.bridge import bridge
from nbchannels.cli.reaching import UsageError, ask, choose, reach
from nbchannels.exceptions import ServerNotFound
from nbchannels.layers.manager import channel_layers
from tests.kernel.conftest import RunningServer

HERE, THERE = "http://127.0.0.1:8888/", "http://127.0.0.1:9999/"


@pytest.mark.parametrize(
    ("url", "token", "said_url", "said_token", "chosen"),
    [
        (None, None, None, None, None),
        (None, None, HERE, "t", None),  # discovery reads the environment itself
        (HERE, "a", None, None, (HERE, "a")),
        (HERE, "a", THERE, "t", (HERE, "a")),
        (None, "a", HERE, "t", (HERE, "a")),
        (HERE, None, HERE, "t", (HERE, "t")),
        (HERE, None, None, "t", (HERE, "t")),
        (HERE + "lab", None, HERE, "t", (HERE + "lab", "t")),
        (THERE, None, HERE, "t", (THERE, None)),  # it is not shown the other's token
        (HERE + "?token=p", None, HERE, "t", (HERE + "?token=p", None)),
    ],
)
def test_options_and_environment(monkeypatch, url, token, said_url, said_token, chosen):
    for name, value in (("URL", said_url), ("TOKEN", said_token)):
        if value is not None:
            monkeypatch.setenv(f"NBCHANNELS_{name}", value)
    assert choose(url, token) == chosen


def test_a_token_for_no_address():
    with pytest.raises(UsageError, match="name it with --url or NBCHANNELS_URL"):
        choose(None, "t")


def test_it_is_reached(server: RunningServer):
    before = channel_layers.backends.get("default")
    layer = reach(f"{server.url}lab?token={server.token}")
    assert channel_layers["default"] is layer
    assert ask(layer.names()) == ask(layer.names())
    assert layer.connection.is_open
    bridge.run(layer.close())
    channel_layers.set("default", before)


def test_who_does_not_answer_is_named_with_its_option():
    layer = reach("http://127.0.0.1:1/")
    with pytest.raises(ServerNotFound, match=r"http://127\.0\.0\.1:1/ \(from --url\)"):
        ask(layer.names())
    channel_layers.set("default", None)
