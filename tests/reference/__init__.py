"""What the Channels 1.x Reference states, sentence by sentence, and the test of each.

A test's docstring begins with the statements that it is about: ``Group 5: …``, or
``Channel 3, Channel 4: …``. `test_completeness` holds the two together.
"""

from typing import NamedTuple

__all__ = ["STATEMENTS", "Statement"]


class Statement(NamedTuple):
    """A sentence of the Reference that states behaviour, in our words.

    Attributes:
        section: its heading.
        number: its place there.
        text: what it states.
    """

    section: str
    number: int
    text: str

    @property
    def key(self) -> str:
        return f"{self.section} {self.number}"


def _statements(section: str, *texts: str) -> tuple[Statement, ...]:
    return tuple(Statement(section, number, text) for number, text in enumerate(texts, 1))


STATEMENTS: tuple[Statement, ...] = (
    *_statements(
        "Consumers",
        "routing assigns to a channel something that is called with the message, alone",
        "whatever can be called so is a consumer",
        "nothing need be returned, and what is returned changes nothing",
        "ConsumeLater puts the message to the back of the channel that it came from",
        "that happens 10 times, unless told otherwise, and then the message is given up",
    ),
    *_statements(
        "Message",
        "a consumer gets an object that has the dict which was sent, and more",
        "content: the dict",
        "channel: a Channel, so that one consumer can serve several",
        "reply_channel: a Channel of this message's own",
        "reply_channel: None where there is none",
        "channel_layer: the layer that it came through",
        "with several layers, Channel and Group take that layer, and answers go where it came from",
    ),
    *_statements(
        "Channel",
        "a channel is known by its name, a str",
        "the constructor: name, alias, channel_layer; without, the default layer",
        "a name alone does the right thing",
        "an alias sends on the layer of that alias",
        "a layer object sends on that layer",
        "name: the str",
        "channel_layer: the layer that it sends on",
        "send(content): the dict goes over the channel",
        "the content is of the form that the protocol asks for",
    ),
    *_statements(
        "Group",
        "the constructor: name, alias, channel_layer; without, the default layer",
        "as a channel, it takes the alias or the layer where it is not the default one",
        "name: the str",
        "channel_layer: the layer that it sends on",
        "send(content): the dict goes to every member",
        "add(channel): it is a member, given as a Channel or by its name",
        "add(channel): nothing happens where it is one already",
        "discard(channel): it is none any more, given as a Channel or by its name",
        "discard(channel): nothing happens where it is none",
    ),
    *_statements(
        "Channel Layer",
        "a layer has a routing from channels to consumers, and an alias to tell it from others",
        "one does not make it but asks for it by its alias; 'default' is the one of the default",
        "channel_layers is imported from the root",
        "alias: of this layer",
        "router: its mapping of channels to consumers",
        "router.channels: the names that it can handle, a set of str",
        "router.match(message): the consumer to run, and the keyword arguments from its patterns",
        "router.match(message): None where no route is",
    ),
    *_statements(
        "AsgiRequest",
        "it is the web framework's own request, decoded from a message",
        "it has more than that: what only messages have",
        "the constructor takes the message alone",
        "the message is of the form of http.request",
        "reply_channel: a Channel, the one that this request is answered on",
        "message: the one that the constructor got",
    ),
    *_statements(
        "AsgiHandler",
        "it takes a request that came as a message through all its stages",
        "AsgiHandler(message): the views answer, in one or more messages for the client",
        "encode_response(response): a classmethod; the messages of a response, one or more",
    ),
)
