"""A client's credit on one channel: messages are leased to it as long as the credit lasts."""

import asyncio
from typing import Protocol

from nbchannels.exceptions import ChannelClosed
from nbchannels.layers.hosted import HostedLayer
from nbchannels.layers.mailbox import Letter

__all__ = ["Receiver", "Tap"]


class Receiver(Protocol):
    """The connection that gets the messages."""

    layer: HostedLayer

    @property
    def writable(self) -> bool:
        """Whether its socket takes more now."""

    def deliver(self, channel: str, letter: Letter) -> None:
        """Hand one message over."""


class Tap:
    """A waiter on a channel that delivers to a connection.

    Args:
        connection: that gets the messages.
        channel: they come from.
        loop: the server's.
    """

    def __init__(self, connection: Receiver, channel: str, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self.channel = channel
        self.credit = 0
        self._loop = loop
        self._waiting = False
        self._closed = False

    def wake(self) -> bool:
        """There may be a message; called from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._woken)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _woken(self) -> None:
        self._waiting = False
        if self._closed or not self.pour():
            self.connection.layer.pass_on(self.channel)

    def pour(self) -> bool:
        """Deliver while there is credit and the socket takes it; False if it could not."""
        connection = self.connection
        while self.credit > 0 and connection.writable:
            try:
                waiter = None if self._waiting else self
                letter = connection.layer.take(self.channel, waiter)
            except ChannelClosed:
                return True
            if letter is None:
                self._waiting = True
                return True
            self.credit -= 1
            connection.deliver(self.channel, letter)
        return False

    def close(self) -> None:
        """No more deliveries."""
        self._closed = True
        if self._waiting:
            self._waiting = False
            self.connection.layer.leave(self.channel, self)
