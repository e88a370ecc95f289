"""Section "Channel Layer" of the Reference."""

import json
import urllib.request

import pytest

import nbchannels
from nbchannels import Channel, channel_layers, consume, get_channel_layer, include, route
from nbchannels.consuming import unconsume
from nbchannels.message import Message
from tests.reference.conftest import MEMORY, PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


def message(layer, channel, **content):
    return Message(content, channel, layer)


def consumer(message, **kwargs):
    """Never called here."""


def another(message, **kwargs):
    """Nor is this."""


ROUTING = [route("http.request", another)]


@pytest.fixture
def routed():
    """Two layers, each with a routing of its own, in the three ways in which one is written."""
    channel_layers.configure(
        {
            "default": {"BACKEND": MEMORY, "ROUTING": {"work": consumer}},
            "other": {"BACKEND": MEMORY, "ROUTING": [route("work", another)]},
            "third": {"BACKEND": MEMORY, "ROUTING": f"{__name__}.ROUTING"},
        }
    )
    yield channel_layers
    channel_layers.configure({})


def test_each_layer_has_its_own_routing_and_alias(routed):
    """Channel Layer 1: of several layers each has its alias, and its consumers."""
    found = {
        alias: layer.router.match(message(layer, "work"))
        for alias in ("default", "other")
        for layer in [channel_layers[alias]]
    }
    assert found == {"default": (consumer, {}), "other": (another, {})}
    assert [channel_layers[alias].alias for alias in routed] == ["default", "other", "third"]


def test_a_layer_is_asked_for_by_its_alias(layer):
    """Channel Layer 2: the same object each time, under the alias that is the default, too."""
    assert channel_layers["default"] is layer
    assert channel_layers[nbchannels.DEFAULT_CHANNEL_LAYER] is layer
    assert get_channel_layer() is layer
    assert "default" in channel_layers


def test_an_unknown_alias(routed):
    """Channel Layer 2: an alias that nobody configured is an error that names the known ones."""
    with pytest.raises(ValueError, match="'defualt' is not configured.*'default', 'other'"):
        channel_layers["defualt"]


def test_channel_layers_stands_at_the_root(layer):
    """Channel Layer 3: `from channels import channel_layers`, with another package's name."""
    assert nbchannels.channel_layers is channel_layers
    assert "channel_layers" in nbchannels.__all__


def test_alias(layer, two_layers):
    """Channel Layer 4: as it was asked for."""
    assert channel_layers["other"].alias == "other"
    channel_layers.set("mine", layer)
    assert channel_layers["mine"].alias == "mine"
    channel_layers.set("mine", None)


def test_router(layer):
    """Channel Layer 5: it knows the channels and finds consumers, those put in service at once."""
    assert layer.router.channels == set()
    consume("work", channel_layer=layer)(consumer)
    assert layer.router.channels == {"work"}
    assert layer.router.match(message(layer, "work")) == (consumer, {})
    unconsume("work", channel_layer=layer)
    assert layer.router.channels == set()


def test_the_messages_are_for_whom_the_router_says(layer, taken):
    """Channel Layer 5: what the router answers is what happens to the message."""
    consume("work", channel_layer=layer, job=r"^(?P<job>c\w+)$")(taken)
    found = layer.router.match(message(layer, "work", job="cleaning"))
    Channel("work").send({"job": "cleaning"})
    assert found == (taken, {"job": "cleaning"})
    assert taken.next_with_kwargs()[1] == {"job": "cleaning"}


def test_channels(layer):
    """Channel Layer 6: names of all routes, those within others too, as a set of str."""
    routing = [route(["a", b"b"], consumer), include([route("c", consumer)], path="^/x")]
    consume(routing, channel_layer=layer)
    channels = layer.router.channels
    assert channels == {"a", "b", "c"}
    assert type(channels) is set
    assert {type(name) for name in channels} == {str}


def test_match(layer):
    """Channel Layer 7: a pair; the named groups of all patterns are the keyword arguments."""
    routing = [
        include(
            [
                route(
                    "http.request",
                    consumer,
                    path=r"^/(?P<room>\w+)/(?P<page>\d+)?",
                    method="GET|POST",
                )
            ],
            path=r"^/(?P<site>\w+)",
        ),
        route("http.request", another),
    ]
    consume(routing, channel_layer=layer)
    asked = message(layer, "http.request", path="/chat/lobby/", method="GET")
    found = layer.router.match(asked)
    assert type(found) is tuple
    assert found == (consumer, {"site": "chat", "room": "lobby", "page": None})
    assert asked["path"] == "/chat/lobby/"
    asked = message(layer, "http.request", path="/chat/lobby/", method="PUT")
    assert layer.router.match(asked) == (another, {})


def test_match_finds_nothing(layer):
    """Channel Layer 8: for another channel, and where a pattern does not fit or its key is not."""
    consume("work", channel_layer=layer, job="^clean")(consumer)
    assert layer.router.match(message(layer, "works", job="cleaning")) is None
    assert layer.router.match(message(layer, "work", job="unclean")) is None
    assert layer.router.match(message(layer, "work")) is None
    assert layer.router.match(message(layer, "work", job="cleaning")) == (consumer, {})


@pytest.mark.integration
@pytest.mark.parametrize("layer", ["server"], indirect=True)
def test_the_servers_router_knows_it_too(server, layer):
    """Channel Layer 6: on the server, the channels that consumers of its clients can handle."""

    def known():
        asked = urllib.request.Request(
            f"{server.url}nbchannels/api/consumers",
            headers={"Authorization": f"token {server.token}"},
        )
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return {one["channel"] for one in json.loads(answer.read())["consumers"]}

    assert "work" not in known()
    consume("work", channel_layer=layer)(consumer)
    assert "work" in known()
    unconsume("work", channel_layer=layer)
    assert "work" not in known()
