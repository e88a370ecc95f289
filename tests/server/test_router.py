"""The router of the server's layer."""

import pytest

from nbchannels.inprocess import LocalConsumer
from nbchannels.layers.bindings import Binding
from nbchannels.message import Message
from nbchannels.routes import Route
from nbchannels.server.consumers import KernelConsumer
from nbchannels.server.dialogues import Conversation
from nbchannels.server.router import Router
from nbchannels.service import Service
from tests.server.rig import Rig

pytestmark = pytest.mark.asyncio


async def rig_and_router():
    rig = Rig()
    router = Router(rig.layer, rig.hub)
    consumers = [
        {"number": 1, "binding": {"channel": "work"}, "function": "work"},
        {"number": 2, "binding": {"channel": "page", "steps": [["path", "^/a"]]}},
    ]
    await rig.connect(consumers=consumers)
    return rig, router


def own(rig, channel, function, **filters):
    route = Route(channel, function, **filters)
    (binding,) = route.bindings()
    scout = LocalConsumer(rig.layer, 1, Service(route, function), binding, "server")
    rig.layer.enlist(scout)
    return scout


async def test_a_kernels_channel_matches_its_consumer():
    rig, router = await rig_and_router()
    consumer, kwargs = router.match(Message({}, "work", rig.layer))
    assert isinstance(consumer, KernelConsumer)
    assert (consumer.number, kwargs) == (1, {})
    assert router.match(Message({}, "other", rig.layer)) is None
    assert router.match(Message({}, None, rig.layer, group="work")) is None


async def test_filters_decide():
    rig, router = await rig_and_router()
    assert router.match(Message({"path": "/a/b"}, "page", rig.layer))[0].number == 2
    assert router.match(Message({"path": "/b"}, "page", rig.layer)) is None
    assert router.serves("page", {"path": "/a"})
    assert not router.serves("page", {"path": "/b"})
    assert not router.serves("page", {})


async def test_the_servers_own_consumers_match_with_their_arguments():
    rig, router = await rig_and_router()

    def shop(message, item):
        raise AssertionError("it is only looked for")

    own(rig, "shop.*", shop, path=r"^/(?P<item>\w+)")
    message = Message({"path": "/tea"}, "shop.a", rig.layer)
    assert router.match(message) == (shop, {"item": "tea"})
    assert router.match(Message({"path": "tea"}, "shop.a", rig.layer)) is None


async def test_a_name_comes_before_a_glob_whoever_has_it():
    rig, router = await rig_and_router()
    own(rig, "*", print)
    assert router.match(Message({}, "work", rig.layer))[0].number == 1
    assert router.match(Message({}, "other", rig.layer)) == (print, {})
    assert router.match(Message({}, "specific.a!b", rig.layer)) is None
    assert router.channels == {"work", "page", "*"}


async def test_a_plain_receiver_serves():
    rig, router = await rig_and_router()
    assert not router.serves("other", {})
    rig.layer.take("other", Waiter())
    assert router.serves("other", {})


class Waiter:
    def wake(self):
        return True


async def test_it_describes_and_begins_conversations():
    rig, router = await rig_and_router()
    own(rig, "*", print)
    described = router.describe()
    assert [one["channel"] for one in described] == ["*", "page", "work"]
    assert [one["where"] for one in described] == ["server", "page", "page"]
    assert described[2]["client"] == "user:ada"
    assert Binding("*").serves("work")
    assert isinstance(router.converse(lambda why, sentence: None), Conversation)
