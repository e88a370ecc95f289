"""One HTTP request, or one WebSocket: messages that all go to whoever took the first.

The first message is routed like any other. Who has taken it gets the later ones, in their order.
They are never delivered to two that may have worked on them: if their consumer dies or fails,
whoever asked is told.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from nbchannels.diagnoses import report
from nbchannels.exceptions import ChannelFull
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.scouts import Scout
from nbchannels.server.clients import Client
from nbchannels.server.consumers import Post

__all__ = ["Conversation"]

#: Messages that wait for the one consumer that serves them, and their bytes together (a single one
#: may be larger).
CAPACITY, CAPACITY_BYTES = 100, 16 * 2**20
#: Channels that end so tell of what is over: whoever does not listen to them misses nothing.
FAREWELL = ".disconnect"


class Conversation:
    """The messages of one request or WebSocket. Made on the server's loop; then from any thread.

    Args:
        post: the hub.
        lost: called on the server's loop, once, with why (``died``, ``failed`` or ``expired``) and
            a sentence.
    """

    def __init__(self, post: Post, lost: Callable[[str, str], None]) -> None:
        self.is_open = True
        self._post = post
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        # Consumers of the server itself take on another thread.
        self._lock = threading.RLock()
        self._begun = False
        #: Who took the first message; ``None``: nobody yet, or a plain `receive`.
        self._holder: Hashable = None
        self._plain = False
        #: Whether a message was worked on to its end.
        self._settled = False
        #: Whether the last message is being worked on: there is one at a time, whoever serves it.
        self._in_hand = False
        self._waiting: deque[tuple[str, Letter]] = deque()
        self._bytes = 0

    def send(self, channel: str, content: dict[str, Any]) -> None:
        """Send the next message; after the end it goes nowhere.

        Raises:
            ChannelFull: `CAPACITY` messages wait, or the channel of the first is full.
        """
        layer = self._post.layer
        encoded = layer.encode(content)
        with self._lock:
            if not self.is_open:
                return
            direct = not self._begun or self._plain
            if direct:
                layer.submit("channel", channel, encoded, dialogue=self)
                self._begun = True
                return
            size = self._bytes + len(encoded.body)
            if len(self._waiting) >= CAPACITY or (self._waiting and size > CAPACITY_BYTES):
                raise ChannelFull(channel=channel, capacity=CAPACITY)
            letter = Letter(encoded, time.time(), float("inf"), dialogue=self)
            self._waiting.append((channel, letter))
            self._bytes = size
        self.announce()

    # What becomes of the messages.

    def taken(self, consumer: Scout | None) -> None:
        """Somebody has taken a message: a consumer, or a plain `receive`."""
        with self._lock:
            self._in_hand = True
            if consumer is None:
                self._all_into_channels()
            elif self._holder is None:
                self._holder = consumer.party
                if isinstance(consumer.party, Client):
                    consumer.party.dialogues.add(self)

    def _all_into_channels(self) -> None:
        """Whoever receives without being a consumer receives each message from its channel."""
        self._plain = True
        try:
            while self._waiting:
                channel, letter = self._next()
                self._post.layer.submit("channel", channel, letter.encoded, dialogue=self)
        except ChannelFull as error:
            self.lost("failed", str(error))

    def _next(self) -> tuple[str, Letter]:
        channel, letter = self._waiting.popleft()
        self._bytes -= len(letter.encoded.body)
        return channel, letter

    def settled(self) -> None:
        """See `Dialogue.settled`: the next one may come."""
        with self._lock:
            self._in_hand, self._settled = False, True
        self.announce()

    def returned(self, channel: str, letter: Letter, *, later: bool) -> bool:
        """See `Dialogue.returned`. The first message, which nobody worked on, is routed anew."""
        with self._lock:
            if not self.is_open:
                return True
            self._in_hand = False
            if self._plain or not self._settled:
                self._forget_holder()
                return False
            self._bytes += len(letter.encoded.body)
            letter = letter._replace(expires=float("inf"))
            if later:
                again = letter._replace(retries=letter.retries + 1)
                self._waiting.append((channel, again))
            else:
                self._waiting.appendleft((channel, letter._replace(redelivered=True)))
        self.announce()
        return True

    def lost(self, why: str, sentence: str) -> None:
        """See `Dialogue.lost`."""
        with self._lock:
            if not self.is_open:
                return
            self.close()
        with contextlib.suppress(RuntimeError):  # the server's loop is closed
            self._loop.call_soon_threadsafe(self._lost, why, sentence)

    def close(self) -> None:
        """It is over: what still waits is dropped, and nothing is lost any more."""
        with self._lock:
            self.is_open = False
            self._waiting.clear()
            self._bytes = 0
            self._forget_holder()

    def _forget_holder(self) -> None:
        if isinstance(self._holder, Client):
            self._holder.dialogues.discard(self)
        self._holder = None

    # For the consumer that serves it.

    def announce(self) -> None:
        """Tell the consumer that serves the next message."""
        while True:
            with self._lock:
                if not self._waiting or self._holder is None or self._in_hand:
                    return
                holder = self._holder
                channel, letter = self._waiting[0]
                consumer = self._post.layer.chosen_of(holder, channel, letter.encoded)
                if consumer is None:
                    self._next()
            if consumer is not None:
                consumer.notify(self)
                return
            if not self._post.layer.serves(holder):
                self.lost("died", "its consumer is not in service any more")
            elif not channel.endswith(FAREWELL):
                report(
                    "no-route",
                    f"a message of channel {channel!r} was dropped: who took the first message of "
                    "its request or WebSocket has no route for it",
                    subject=channel,
                )

    def take(self, consumer: Scout) -> tuple[str, Letter] | None:
        """See `Source.take`."""
        with self._lock:
            if not self._waiting or self._in_hand or not self.is_open:
                return None
            channel, letter = self._waiting[0]
            chosen = self._post.layer.chosen_of(consumer.party, channel, letter.encoded)
            if chosen is consumer:
                self._in_hand = True
                return self._next()
        self.announce()  # another one serves it by now
        return None
