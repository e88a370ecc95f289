"""The sentence and the attributes of every error, and its way over the wire."""

import copy
import pickle

import pytest

from nbchannels import exceptions
from nbchannels.exceptions import (
    ChannelClosed,
    ChannelFull,
    ChannelsError,
    DeliveryUnknown,
    EncodingError,
    ImproperlyConfigured,
    InvalidChannelLayerError,
    InvalidMessage,
    InvalidName,
    LayerUnavailable,
    LocalProtocolError,
    MessageTooLarge,
    NoRoute,
    PermissionDenied,
    RemoteProtocolError,
    SendTimeout,
    ServerNotFound,
    WouldDeadlock,
    from_wire,
    shown,
)

# An example of each error, its code, whether it is temporary, and its class after the wire.
EXAMPLES = [
    (ChannelsError("x"), "internal", False, ChannelsError),
    (InvalidName("x"), "bad_name", False, InvalidName),
    (InvalidMessage("x"), "bad_message", False, InvalidMessage),
    (EncodingError("x", "msg['a'][3]"), "bad_message", False, EncodingError),
    (MessageTooLarge(size=11, limit=10), "too_large", False, MessageTooLarge),
    (ChannelFull(channel="work", capacity=5), "full", False, ChannelFull),
    (ChannelClosed("x"), "closed", False, ChannelClosed),
    (InvalidChannelLayerError("x"), "bad_request", False, ChannelsError),
    (LayerUnavailable("x"), "unavailable", True, LayerUnavailable),
    (ServerNotFound("x"), "unavailable", False, LayerUnavailable),
    (exceptions.OutOfOrder("x"), "out_of_order", True, ChannelsError),
    (PermissionDenied("x"), "forbidden", False, PermissionDenied),
    (DeliveryUnknown("x", object()), "unavailable", True, LayerUnavailable),
    (SendTimeout("x"), "unavailable", True, LayerUnavailable),
    (WouldDeadlock("x"), "internal", False, ChannelsError),
    (exceptions.NoConsumer("x"), "no_consumer", False, exceptions.NoConsumer),
    (exceptions.ConsumerFailed("x"), "consumer_failed", False, ChannelsError),
    (exceptions.NotFound("x"), "not_found", False, exceptions.NotFound),
    (exceptions.RecordingError("x"), "internal", False, ChannelsError),
    (exceptions.RequestAborted("x"), "aborted", False, ChannelsError),
    (exceptions.RequestTimeout("x"), "timeout", False, ChannelsError),
    (NoRoute(path="ws/"), "no_route", False, ChannelsError),
    (ImproperlyConfigured("x"), "bad_request", False, ChannelsError),
    (LocalProtocolError("x"), "internal", False, ChannelsError),
    (RemoteProtocolError("name", "x", 4502), "bad_request", False, ChannelsError),
]


def test_every_error_has_an_example():
    classes = {
        value
        for value in vars(exceptions).values()
        if isinstance(value, type) and issubclass(value, ChannelsError)
    }
    assert classes - {type(error) for error, *_ in EXAMPLES} == {exceptions.ProtocolError}


@pytest.mark.parametrize(("error", "code", "temporary", "back"), EXAMPLES)
def test_over_the_wire_and_back(error, code, temporary, back):
    wire = error.to_wire()
    assert (wire["code"], wire["message"]) == (code, str(error))
    assert wire["temporary"] is temporary
    assert all(isinstance(value, (str, int, float)) for value in wire.values())
    found = from_wire(wire)
    assert type(found) is back
    assert str(found) == str(error)
    assert (found.code, found.temporary) == (code, temporary)
    assert found.to_wire().items() >= {"code": code, "temporary": temporary}.items()


@pytest.mark.parametrize(("error", "attributes"), [
    (EXAMPLES[3][0], {"path": "msg['a'][3]"}),
    (EXAMPLES[4][0], {"size": 11, "limit": 10}),
    (EXAMPLES[5][0], {"channel": "work", "capacity": 5}),
])  # fmt: skip
def test_attributes_travel(error, attributes):
    assert error.to_wire().items() >= attributes.items()
    assert vars(from_wire(error.to_wire())).items() >= attributes.items()


@pytest.mark.parametrize("error", [example[0] for example in EXAMPLES if example[2] is False])
def test_errors_can_be_copied_and_pickled(error):
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is type(error)
        assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize(("error", "bases"), [
    (InvalidName("x"), (TypeError, ValueError)),
    (EncodingError("x"), (InvalidMessage, TypeError, ValueError)),
    (MessageTooLarge(), (ValueError,)),
    (InvalidChannelLayerError("x"), (ValueError,)),
    (ServerNotFound("x"), (LayerUnavailable, ConnectionError)),
    (PermissionDenied("x"), (PermissionError,)),
    (DeliveryUnknown("x"), (TimeoutError,)),
    (SendTimeout("x"), (TimeoutError,)),
    (WouldDeadlock("x"), (RuntimeError,)),
])  # fmt: skip
def test_errors_are_what_python_calls_them_too(error, bases):
    assert isinstance(error, (ChannelsError, *bases))
    assert all(isinstance(error, base) for base in bases)


def test_sentences_have_value_limit_and_remedy():
    assert str(MessageTooLarge(size=16_777_217, limit=16_777_216)) == (
        "the encoded message has 16,777,217 bytes, the limit is 16,777,216; "
        "send it in parts, or store it and send where it is"
    )
    assert str(ChannelFull(channel="work", capacity=100)) == (
        "channel 'work' is full: 100 messages wait, capacity 100; "
        "receive faster, or raise its capacity with channel_capacity={'work': 200}"
    )


def test_the_server_has_the_last_word_on_what_is_temporary():
    assert from_wire({"code": "unavailable", "message": "x", "temporary": False}).temporary is False
    assert from_wire({"code": "full", "message": "x", "temporary": True}).temporary is True
    assert ChannelFull.temporary is False


@pytest.mark.parametrize("record", [
    {},
    {"code": None, "message": 5, "temporary": "yes"},
    {"code": "full", "capacity": "many", "channel": 3},
    {"code": "too_large", "size": None, "limit": [1]},
    {"code": "bad_message", "path": 7},
    {"code": "out_of_order", "message": "wait for 12", "temporary": True},
])  # fmt: skip
def test_a_strange_record_still_becomes_an_error(record):
    error = from_wire(record)
    assert isinstance(error, ChannelsError)
    assert error.code == str(record.get("code", "internal"))


class Nasty:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(("value", "sentence"), [
    (5, "an int: 5"),
    (None, "None"),
    ([1] * 10**6, "a list: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...]"),
    ("x\ny", "a str: 'x\\ny'"),
    ({"a": [1]}, "a dict: {'a': [1]}"),
])  # fmt: skip
def test_values_are_shown_briefly(value, sentence):
    assert shown(value) == sentence


@pytest.mark.parametrize(
    "value",
    [Nasty(), [Nasty()], 10**5000, "x" * 10**6, [[[[[[]]]]]] * 99],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_repr_does_the_sentence_is_short(value):
    sentence = shown(value)
    assert type(value).__name__ in sentence
    assert len(sentence) < 90
    assert "\n" not in sentence
