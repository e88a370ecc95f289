"""Section "Consumers" of the Reference."""

import functools
import time

import pytest

from nbchannels import Channel, ConsumeLater, consume, exceptions, include, route, route_class
from nbchannels.bridge import bridge
from nbchannels.message import Message
from tests.reference.conftest import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


def dead(layer):
    """The dead letters, once there are any."""
    deadline = time.monotonic() + PATIENCE
    while not (found := bridge.run(layer.dead_letters())):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_consumer_is_called_with_the_message_alone(layer, taken):
    """Consumers 1: what is put in service gets one positional argument, the message."""
    got = []

    def consumer(*args, **kwargs):
        got.append((args, kwargs))
        taken(args[0])

    consume("work", channel_layer=layer)(consumer)
    Channel("work").send({"n": 1})
    taken.next()
    ((args, kwargs),) = got
    assert len(args) == 1
    assert isinstance(args[0], Message)
    assert kwargs == {}


def test_a_routing_puts_its_consumers_in_service(layer, taken):
    """Consumers 1: a routing, as it is written for Channels 1.x, is put in service as it stands."""

    class Chat:
        def __init__(self, message):
            taken(message)

        @staticmethod
        def channel_names():
            return {"chat"}

    inner = [route("work", taken, job=r"^(?P<job>\w+)$")]
    consume([route_class(Chat), include(inner, job=r"^our-")], channel_layer=layer)
    Channel("work").send({"job": "our-cleaning"})
    message, kwargs = taken.next_with_kwargs()
    assert (message["job"], kwargs) == ("our-cleaning", {"job": "cleaning"})
    Channel("chat").send({"text": "hello"})
    assert taken.next()["text"] == "hello"


def function(taken):
    def consumer(message):
        taken(message)

    return consumer


def coroutine(taken):
    async def consumer(message):
        taken(message)

    return consumer


def bound_method(taken):
    class Holder:
        def method(self, message):
            taken(message)

    return Holder().method


def callable_class(taken):
    class Consumer:  # as the generic consumers of 1.x: made for each message
        def __init__(self, message):
            taken(message)

    return Consumer


SHAPES = {
    "function": function,
    "coroutine": coroutine,
    "method": bound_method,
    "class": callable_class,
    "object": lambda taken: taken,
    "lambda": lambda taken: lambda message: taken(message),
    "partial": lambda taken: functools.partial(lambda taken, message: taken(message), taken),
    "builtin": lambda taken: taken._queue.put,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_any_callable_is_a_consumer(layer, taken, shape):
    """Consumers 2: functions, methods, objects, classes, partials, and coroutine functions too."""
    consume("work", channel_layer=layer)(SHAPES[shape](taken))
    Channel("work").send({"n": 1})
    got = taken._queue.get(timeout=PATIENCE)
    message = got if shape == "builtin" else got[0]
    assert message["n"] == 1


def test_what_is_no_callable_is_refused(layer):
    """Consumers 2: whatever else is assigned to a channel is refused at once."""
    with pytest.raises(ValueError, match="takes a function or a class"):
        consume("work", channel_layer=layer)({"not": "callable"})
    with pytest.raises(ValueError, match="a callable that takes a message"):
        route("work", {"not": "callable"})


@pytest.mark.parametrize("value", [None, 0, "text", {"reply": 1}, object()])
def test_what_a_consumer_returns_is_ignored(layer, taken, value):
    """Consumers 3: nobody gets it, the message is done, and the next one comes."""
    replies = []

    def consumer(message):
        taken(message)
        return value

    def reply(message):
        replies.append(message)

    consume("answer", channel_layer=layer)(reply)
    consume("work", channel_layer=layer)(consumer)
    for n in range(2):
        Channel("work").send({"n": n, "reply_channel": "answer"})
    assert [taken.next()["n"] for _ in range(2)] == [0, 1]
    assert replies == []
    assert bridge.run(layer.dead_letters()) == []


def test_consume_later_is_to_the_back_of_the_same_channel(layer, taken):
    """Consumers 4: what waits already comes before it, and it is the same message."""
    for n in range(3):
        Channel("work").send({"n": n})

    def consumer(message):
        taken(message)
        if message["n"] == 0 and message.retries == 0:
            raise ConsumeLater

    consume("work", channel_layer=layer)(consumer)
    got = [taken.next() for _ in range(4)]
    assert [m["n"] for m in got] == [0, 1, 2, 0]
    assert {m.channel.name for m in got} == {"work"}
    assert [m.retries for m in got] == [0, 0, 0, 1]


def test_consume_later_is_the_exception_of_the_exceptions_module(layer):
    """Consumers 4: `channels.exceptions.ConsumeLater` is found under the same name."""
    assert exceptions.ConsumeLater is ConsumeLater
    assert issubclass(ConsumeLater, Exception)


def test_ten_times_later_and_no_more(layer, taken):
    """Consumers 5: eleven runs in all; then the message is among the dead letters."""

    def consumer(message):
        taken(message)
        raise ConsumeLater

    consume("work", channel_layer=layer)(consumer)
    Channel("work").send({"n": 1})
    (letter,) = dead(layer)
    assert [taken.next().retries for _ in range(11)] == list(range(11))
    assert taken.is_empty
    assert letter["channel"] == "work"
    assert letter["reason"] == "retries"
    assert letter["content"] == {"n": 1}
    # Where Channels drops it, it can be looked at, and sent again.
    consume("work", channel_layer=layer)(taken)
    bridge.run(layer.resend(letter["number"]))
    assert taken.next()["n"] == 1
