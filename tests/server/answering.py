"""A router whose consumers are coroutines of the test, on the server's own layer."""

import asyncio
import contextlib

from nbchannels.message import Message


class Conversation:
    """The messages of one request, each put into its channel at once."""

    def __init__(self, router, lost):
        self.router = router
        self.lost = lost
        self.sent = []
        self.is_closed = False

    def send(self, channel, content):
        if self.router.error is not None:
            raise self.router.error
        self.sent.append((channel, content))
        layer = self.router.layer
        layer.submit("channel", channel, layer.encode(content))

    def close(self):
        self.is_closed = True


class Router:
    """What the handlers ask: who serves a channel.

    Attributes:
        served: the names of the channels that somebody serves.
        error: raised by the next sends.
        conversations: that were begun, in their order.
    """

    def __init__(self, layer):
        self.layer = layer
        self.served = set()
        self.error = None
        self.conversations = []
        self.tasks = []

    def serves(self, channel, content):
        return channel in self.served

    def converse(self, lost):
        conversation = Conversation(self, lost)
        self.conversations.append(conversation)
        return conversation

    def consume(self, channel, consumer):
        """From now on the coroutine function gets each message of the channel, one at a time."""
        self.served.add(channel)
        self.tasks.append(asyncio.get_running_loop().create_task(self._work(channel, consumer)))

    async def _work(self, channel, consumer):
        while True:
            message = Message(await self.layer.receive(channel), channel, self.layer)
            await consumer(message)

    async def first(self, channel):
        """From now on the channel is served; the next message there."""
        self.served.add(channel)
        async with asyncio.timeout(10):
            return Message(await self.layer.receive(channel), channel, self.layer)

    async def stop(self):
        for task in self.tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(condition, seconds=10):
    """Turn the loop until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it may be about anything
            await asyncio.sleep(0.005)
