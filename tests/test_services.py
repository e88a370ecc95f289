"""The services of a process: one for each binding, in order, and the router that shows them."""

import pytest

from nbchannels.exceptions import ChannelsError
from nbchannels.layers.bindings import Binding
from nbchannels.message import Message
from nbchannels.routes import Route
from nbchannels.service import Service
from nbchannels.services import ServiceRouter, Services

pytestmark = pytest.mark.asyncio


class Serving:
    """What brings the messages; here it only remembers."""

    def __init__(self):
        self.begun = {}
        self.ended = []
        self.refuse = None

    async def begin(self, number, service, binding):
        if self.refuse is not None:
            raise self.refuse
        self.begun[number] = (service, binding)

    async def end(self, number):
        self.ended.append(number)


def one(message):
    """A consumer."""


def two(message):
    """Another."""


def service(channels, consumer=one, **filters):
    return Service(Route(channels, consumer, **filters), consumer)


async def test_each_binding_has_a_number():
    serving = Serving()
    services = Services(serving)
    both = service(["a", "b"])
    await services.add(both)
    assert [binding for _, binding in serving.begun.values()] == [Binding("a"), Binding("b")]
    assert list(services) == [both]
    assert len(services) == 2
    assert {services.get(number) for number in serving.begun} == {both}
    assert services.get(99) is None


async def test_the_same_binding_replaces_and_another_filter_does_not():
    serving = Serving()
    services = Services(serving)
    old, new, other = service("a"), service("a", two), service("a", two, path="^/x")
    for each in (old, new, other):
        await services.add(each)
    assert serving.ended == [1]
    assert list(services) == [new, other]


async def test_what_is_refused_is_not_in_service():
    serving = Serving()
    serving.refuse = ChannelsError("no")
    services = Services(serving)
    with pytest.raises(ChannelsError):
        await services.add(service("a"))
    assert list(services) == []


async def test_removing_by_name_and_all():
    serving = Serving()
    services = Services(serving)
    await services.add(service(["a", "b"]))
    await services.add(service("c.*"))
    assert await services.remove("a") == 1
    assert await services.remove("nothing") == 0
    assert await services.remove() == 2
    assert serving.ended == [1, 2, 3]


async def test_who_may_get_a_message_of_a_channel():
    services = Services(Serving())
    named, globbed = service("c.x"), service("c.*")
    await services.add(named)
    await services.add(globbed)
    assert services.on("c.x") == [named, globbed]
    assert services.on("c.y") == [globbed]
    assert services.on("d") == []


async def test_the_router_knows_services_first_and_then_the_configuration():
    services = Services(Serving())
    await services.add(service("a", one))
    router = ServiceRouter(services, {"a": two, "b": two})
    assert router.channels == {"a", "b"}
    assert router.match(Message({}, "a")) == (one, {})
    assert router.match(Message({}, "b")) == (two, {})
    assert router.match(Message({}, "c")) is None
