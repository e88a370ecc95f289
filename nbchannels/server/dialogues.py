"""One HTTP request, or one WebSocket: messages that all go to whoever took the first.

The first message is routed like any other. Who has taken it gets the later ones, in their order.
They are never delivered twice: if their consumer dies or fails, whoever asked is told.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from nbchannels.exceptions import ChannelFull
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.scouts import Scout
from nbchannels.server.consumers import Post

__all__ = ["Conversation"]

#: Messages that wait for the one consumer that serves them.
CAPACITY = 100


class Conversation:
    """The messages of one request or WebSocket.

    Args:
        post: the hub.
        lost: called on the server's loop, once, with why (``died``, ``failed`` or ``expired``) and
            a sentence.
    """

    def __init__(self, post: Post, lost: Callable[[str, str], None]) -> None:
        self.is_open = True
        self._post = post
        self._lost = lost
        # Consumers of the server itself take on another thread.
        self._lock = threading.RLock()
        self._begun = False
        #: Who took the first message; ``None``: nobody yet, or a plain `receive`.
        self._holder: Hashable = None
        self._plain = False
        #: Whether the last message is being worked on: there is one at a time, whoever serves it.
        self._in_hand = False
        self._waiting: deque[tuple[str, Letter]] = deque()

    def send(self, channel: str, content: dict[str, Any]) -> None:
        """Send the next message.

        Raises:
            ChannelFull: `CAPACITY` messages wait, or the channel of the first is full.
        """
        layer = self._post.layer
        encoded = layer.encode(content)
        with self._lock:
            first = not self._begun or self._plain
            self._begun = True
            if not first:
                if len(self._waiting) >= CAPACITY:
                    raise ChannelFull(channel=channel, capacity=CAPACITY)
                letter = Letter(encoded, time.time(), float("inf"), dialogue=self)
                self._waiting.append((channel, letter))
        if first:
            layer.submit("channel", channel, encoded, dialogue=self)
        else:
            self._announce()

    def taken(self, consumer: Scout | None) -> None:
        """Somebody has taken a message: a consumer, or a plain `receive`."""
        with self._lock:
            self._in_hand = True
            if consumer is not None:
                if self._holder is None:
                    self._holder = consumer.party
                return
            self._plain = True
            waiting, self._waiting = self._waiting, deque()
        for channel, letter in waiting:
            self._post.layer.submit("channel", channel, letter.encoded, dialogue=self)

    def settled(self) -> None:
        """See `Dialogue.settled`: the next one may come."""
        self._in_hand = False
        self._announce()

    def _announce(self) -> None:
        """Tell the consumer that serves the next message."""
        while True:
            with self._lock:
                if not self._waiting or self._holder is None or self._in_hand:
                    return
                channel, letter = self._waiting[0]
                consumer = self._post.layer.chosen_of(self._holder, channel, letter.encoded)
                if consumer is not None:
                    break
                self._waiting.popleft()  # its holder has no consumer for this one
        consumer.notify(self)

    def take(self, consumer: Scout) -> tuple[str, Letter] | None:
        """See `Source.take`."""
        with self._lock:
            if not self._waiting or self._in_hand or not self.is_open:
                return None
            channel, letter = self._waiting[0]
            if self._post.layer.chosen_of(consumer.party, channel, letter.encoded) != consumer:
                return None
            self._in_hand = True
            self._waiting.popleft()
            return channel, letter

    def lost(self, why: str, sentence: str) -> None:
        """See `Dialogue.lost`."""
        with self._lock:
            if not self.is_open:
                return
            self.close()
        self._post.soon(lambda: self._lost(why, sentence))

    def close(self) -> None:
        """It is over: what still waits is dropped, and nothing is lost any more."""
        self.is_open = False
        self._waiting.clear()
