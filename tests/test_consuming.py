"""``@consume`` on a layer in this process."""

import asyncio

import pytest

import nbchannels as nb
from nbchannels.consuming import router_of, services_of
from nbchannels.exceptions import ImproperlyConfigured
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer

PATIENCE = 10.0


@pytest.fixture
def layer():
    found = InMemoryChannelLayer()
    yield found
    nb.unconsume(channel_layer=found)


def ask(layer, channel, content):
    return nb.Channel(channel, channel_layer=layer).ask(content, timeout=PATIENCE).content


def test_it_gives_the_function_back_and_serves(layer):
    @nb.consume("square", reply=True, channel_layer=layer)
    def square(message):
        return {"y": message["x"] ** 2}

    assert square({"x": 3}) == {"y": 9}
    assert ask(layer, "square", {"x": 4}) == {"y": 16}


def test_several_channels_and_filters(layer):
    @nb.consume(["a", "b.*"], reply=True, channel_layer=layer, path=r"^/(?P<user>\w+)$")
    async def who(message, user):
        return {"user": user, "channel": message.channel.name}

    assert ask(layer, "a", {"path": "/ann"}) == {"user": "ann", "channel": "a"}
    assert ask(layer, "b.c", {"path": "/bob"}) == {"user": "bob", "channel": "b.c"}


def test_a_table_with_prefixes_keeps_its_order(layer):
    def first(message):
        return {"by": "first", "path": message["path"]}

    def second(message):
        return {"by": "second", "path": message["path"]}

    table = [
        nb.include([nb.route("page", first, path=r"^/x")], path=r"^/app"),
        nb.route("page", second),
    ]
    assert nb.consume(table, reply=True, channel_layer=layer) is None
    assert ask(layer, "page", {"path": "/app/x"}) == {"by": "first", "path": "/app/x"}
    assert ask(layer, "page", {"path": "/other"}) == {"by": "second", "path": "/other"}


def test_unconsume_says_how_many(layer):
    nb.consume(["a", "b"], channel_layer=layer)(lambda message: None)
    assert nb.unconsume("a", channel_layer=layer) == 1
    assert nb.unconsume(channel_layer=layer) == 1
    assert nb.unconsume(channel_layer=layer) == 0


def test_by_alias():
    channel_layers.configure(
        {"default": {"BACKEND": InMemoryChannelLayer}, "other": {"BACKEND": InMemoryChannelLayer}}
    )
    try:
        nb.consume("a", alias="other")(lambda message: None)
        assert channel_layers["other"].router.channels == {"a"}
        assert channel_layers["default"].router.channels == set()
        assert nb.unconsume("a", alias="other") == 1
    finally:
        channel_layers.configure({})


@pytest.mark.parametrize(
    ("channels", "options", "sentence"),
    [
        ("a", {"on": "moon"}, "on='moon'"),
        ("a b", {}, "a b"),
        ([], {}, "channel"),
        ("a", {"path": "("}, "path"),
        ([nb.route("a", len)], {"path": "x"}, "beside a table of routes"),
    ],
)
def test_what_cannot_be_is_told(layer, channels, options, sentence):
    def put():
        nb.consume(channels, channel_layer=layer, **options)(lambda message: None)

    with pytest.raises(ImproperlyConfigured, match=sentence):
        put()


def test_what_is_not_called_is_no_consumer(layer):
    with pytest.raises(ImproperlyConfigured, match="a function or a class"):
        nb.consume("a", channel_layer=layer)(3)


def test_a_layer_that_brings_no_messages_says_what_does():
    class Bare:
        """A class that has only the specification."""

        alias = "site"

    with pytest.raises(ImproperlyConfigured, match=r"nbchannels\.worker\.Worker"):
        services_of(Bare())


def test_the_router_of_a_layer(layer):
    nb.consume("a", channel_layer=layer)(len)
    layer.routing = {"b": len}
    assert router_of(layer).channels == {"a", "b"}
    assert layer.router.match(nb.Message({}, "a", layer)) == (len, {})


def test_capacity_and_expiry_are_the_channels_from_then_on(layer):
    nb.consume("a", capacity=3, expiry=7.5, channel_layer=layer)(lambda message: None)
    statistics = asyncio.run(layer.channel_statistics("a"))
    assert (statistics["capacity"], statistics["expiry"]) == (3, 7.5)
