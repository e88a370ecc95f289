"""Which handler a message reaches."""

import pytest

from nbchannels.consumer import AsyncConsumer, SyncConsumer
from nbchannels.generic.http import AsyncHttpConsumer
from nbchannels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)
from nbchannels.reach import (
    EVENTS,
    Unreached,
    get_handler_name,
    handler_of,
    handlers_of,
    type_of,
)

BASES = (
    AsyncConsumer,
    SyncConsumer,
    AsyncHttpConsumer,
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    JsonWebsocketConsumer,
    WebsocketConsumer,
)


class Base(AsyncJsonWebsocketConsumer):
    async def base_tick(self, event): ...


class Index(Base):
    serializer_class = dict
    limit = 5

    async def connect(self): ...
    async def close(self, code=None, reason=None): ...
    async def websocket_ingest(self, event): ...
    async def websocket_disconnect(self, event): ...
    async def index_tick(self, event): ...
    async def _private(self, event): ...

    @staticmethod
    async def static_tick(event): ...

    @classmethod
    async def class_tick(cls, event): ...

    @property
    def dangerous(self):
        raise AssertionError("a property was run")


# get_handler_name


@pytest.mark.parametrize(
    ("sent", "name"),
    [("test", "test"), ("index.tick", "index_tick"), ("a.b.c_d", "a_b_c_d")],
)
def test_the_name_is_the_type_with_underscores(sent, name):
    assert get_handler_name({"type": sent}) == name


@pytest.mark.parametrize(
    "message", [{}, {"type": None}, {"type": 5}, {"type": ""}, {"type": "_x"}, {"type": ".x"}]
)
def test_a_type_that_names_nothing_is_a_value_error(message):
    with pytest.raises(ValueError, match="type|underscore"):
        get_handler_name(message)


def test_type_of_anything():
    assert type_of({"type": "index.tick"}) == "index.tick"
    assert type_of({}) == "None"
    assert type_of([1]) == "a list: [1]"


# From the layer


@pytest.mark.parametrize(
    "sent", ["websocket.ingest", "index.tick", "index_tick", "base.tick", "static.tick"]
)
def test_the_layer_reaches_what_the_user_adds(sent):
    assert handler_of(Index, {"type": sent}, None) == sent.replace(".", "_")


@pytest.mark.parametrize("base", BASES)
def test_the_layer_reaches_nothing_of_ours(base):
    class Own(base):
        pass

    names = {n for c in base.__mro__ for n in (*vars(c), *vars(c).get("__annotations__", {}))}
    assert len(names) > 20
    for name in names:
        found = handler_of(Own, {"type": name}, None)
        assert isinstance(found, Unreached), name


@pytest.mark.parametrize("base", BASES)
def test_overriding_makes_nothing_of_ours_reachable(base):
    names = {n for c in base.__mro__ for n in vars(c) if not n.startswith("_")} - {"mro"}
    own = type("Own", (base,), {n: lambda self, event: None for n in names})
    for name in names:
        found = handler_of(own, {"type": name.replace("_", ".")}, None)
        assert isinstance(found, Unreached), name
        assert found.kind == "not-reachable"


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_protocol_events_never_come_from_the_layer(event):
    own = type("Own", (AsyncConsumer,), {event: lambda self, message: None})
    found = handler_of(own, {"type": event.replace("_", ".")}, None)
    assert isinstance(found, Unreached)
    assert found.kind == "not-reachable"
    assert "rename" in found.sentence


@pytest.mark.parametrize(
    "name",
    ["serializer_class", "limit", "dangerous", "_private", "__init__", "__class__", "scope",
     "channel_layer", "base_send", "channel_receive", "mro", "nothing"],
)  # fmt: skip
def test_what_is_no_method_of_the_user_is_not_reached(name):
    assert isinstance(handler_of(Index, {"type": name}, None), Unreached)


def test_a_near_miss_names_what_was_meant():
    found = handler_of(Index, {"type": "websocket.ingset"}, None)
    assert found.kind == "no-handler"
    assert "websocket.ingest" in found.sentence
    assert "Index" in found.sentence


def test_a_far_miss_says_what_to_write_and_what_there_is():
    found = handler_of(Index, {"type": "temperature"}, None)
    assert "async def temperature(self, event)" in found.sentence
    assert "index_tick" in found.sentence


def test_a_synchronous_class_is_told_to_write_def():
    found = handler_of(WebsocketConsumer, {"type": "temperature"}, None)
    assert "`def temperature(self, event)`" in found.sentence


@pytest.mark.parametrize("message", [{}, {"n": 1}, {"type": None}, {"type": 7}, [1], None, "x"])
def test_a_message_without_a_type(message):
    found = handler_of(Index, message, None)
    assert found.kind == "missing-type"
    assert "Index" in found.sentence


def test_the_handlers_of_a_class():
    assert list(handlers_of(Index)) == [
        "base_tick", "class_tick", "index_tick", "static_tick", "websocket_ingest",
    ]  # fmt: skip


# From the protocol


@pytest.mark.parametrize("sent", ["websocket.connect", "websocket.receive", "websocket.disconnect"])
def test_the_protocol_reaches_the_handlers_of_its_events(sent):
    assert handler_of(Index, {"type": sent}, "websocket") == sent.replace(".", "_")


@pytest.mark.parametrize("sent", ["close", "send", "dispatch", "http.request", "index.tick"])
def test_the_protocol_reaches_nothing_but_its_own_events(sent):
    found = handler_of(Index, {"type": sent}, "websocket")
    assert isinstance(found, Unreached)
    assert "Index" in found.sentence


def test_a_protocol_of_ones_own():
    class Telegram(AsyncConsumer):
        async def telegram_message(self, event): ...

    assert handler_of(Telegram, {"type": "telegram.message"}, "telegram") == "telegram_message"
    assert handler_of(Telegram, {"type": "telegram.message"}, "") == "telegram_message"


def test_an_event_that_the_class_does_not_handle():
    found = handler_of(AsyncConsumer, {"type": "websocket.receive"}, "websocket")
    assert found.kind == "no-handler"
