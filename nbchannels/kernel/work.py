"""What a kernel or script does with the messages of channels: receives, leases, consumes.

Deliveries for a plain `receive` go to the inbox, those for a consumer to its service. What was
delivered stays leased while this process lives, also over a reconnect.
"""

import asyncio
from typing import Any

from nbchannels.bridge import user_bridge
from nbchannels.decoding import decode
from nbchannels.exceptions import ChannelsError, EncodingError, LayerUnavailable
from nbchannels.kernel.connection import Connection
from nbchannels.kernel.inbox import Inbox
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.bindings import Binding
from nbchannels.layers.leases import Lease
from nbchannels.message import Message
from nbchannels.protocol.events import REDELIVERED, Outcome, Record
from nbchannels.service import Service
from nbchannels.services import Services

__all__ = ["Work", "describe"]

#: Characters of a failure and of its traceback that the server is told.
MOST_ERROR, MOST_TRACEBACK = 500, 8_000


class Work:
    """The receiving half of the kernel's layer.

    Args:
        layer: whose it is.
        connection: its own.
    """

    def __init__(self, layer: BaseChannelLayer, connection: Connection) -> None:
        self._layer = layer
        self._connection = connection
        self.inbox = Inbox(self)
        self.services = Services(self)

    # Receiving.

    async def receive(self, channel: str) -> dict[str, Any]:
        """See `BaseChannelLayer.receive`."""
        await self._connection.astart()
        record = await self.inbox.receive(channel)
        content = self._content(record)
        self.settle(record.sequence, "done")
        return content

    async def lease(self, channel: str) -> Lease:
        """See `BaseChannelLayer.lease`."""
        await self._connection.astart()
        record = await self.inbox.receive(channel)
        content = self._content(record)
        return Lease(
            channel, record.sequence, content, record.time,
            bool(record.flags & REDELIVERED), record.tag,
        )  # fmt: skip

    def _content(self, record: Record) -> dict[str, Any]:
        """The message of a delivery; one that cannot be read goes to the dead letters."""
        try:
            return decode(record.codec, record.body)
        except EncodingError as error:
            self.settle(record.sequence, "fail", str(error))
            raise

    def credit(self, channel: str, credit: int) -> None:
        """See `Wire.credit`."""
        with self._connection.lock:
            self._connection.session.credit(channel, credit)
        self._connection.wake()

    def settle(self, lease: int, outcome: Outcome, error: str = "", traceback: str = "") -> None:
        """See `Wire.settle`; from any thread, also without a connection: it is told later."""
        errors = {}
        if error or traceback:
            errors[lease] = {
                "error": error[:MOST_ERROR],
                "traceback": traceback[-MOST_TRACEBACK:],
            }
        with self._connection.lock:
            self._connection.session.settle([(lease, outcome)], errors)
        self._connection.wake()

    # Consumers.

    async def begin(self, number: int, service: Service, binding: Binding) -> None:
        """See `Serving.begin`."""
        await self._connection.astart()
        consumer = describe(number, service, binding)
        consumers = self._connection.session.deliveries.consumers
        with self._connection.lock:  # before it is told: a reconnect meanwhile tells it, too
            consumers[number] = consumer
        try:
            await self._connection.call("consume", consumer)
        except BaseException:
            with self._connection.lock:
                consumers.pop(number, None)
            raise

    async def end(self, number: int) -> None:
        """See `Serving.end`."""
        with self._connection.lock:
            self._connection.session.deliveries.consumers.pop(number, None)
        try:
            await self._connection.call("unconsume", {"number": number})
        except LayerUnavailable:
            if self._connection.is_open:
                raise
            # The next connection does not tell it: then it has ended there, too.

    def resume(self) -> None:
        """Another session begins: it is told of the consumers."""
        self._connection.session.deliveries.consumers |= {
            number: describe(number, service, binding)
            for number, binding, service in self.services.items()
        }

    def deliver(self, record: Record) -> None:
        """A delivery came, on the connection's thread."""
        if not record.id:
            self.inbox.deliver(record)
            return
        service = self.services.get(record.id)
        if service is None:  # it was ended while this was under way
            self.settle(record.sequence, "return")
            return
        user_bridge.call(self._start, service, record)

    def _start(self, service: Service, record: Record) -> None:
        task = asyncio.get_running_loop().create_task(self._consume(service, record))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    async def _consume(self, service: Service, record: Record) -> None:
        """On the loop for user code."""
        try:
            content = decode(record.codec, record.body)
        except EncodingError as error:
            self.settle(record.sequence, "fail", f"it cannot be read: {error}")
            return
        message = Message(
            content, record.name, self._layer, time=record.time, retries=record.tag,
            redelivered=bool(record.flags & REDELIVERED),
        )  # fmt: skip
        self.settle(record.sequence, *await service.run(message))

    # The dead letters.

    async def dead_letters(self, limit: int, channel: str | None) -> list[dict[str, Any]]:
        """See `BaseChannelLayer.dead_letters`: at most 20, their content if it has 64 KiB."""
        arguments: dict[str, Any] = {"limit": min(limit, 20)}
        if channel is not None:
            arguments["channel"] = channel
        found, entries = await self._connection.call_with_entries("dead_letters", arguments)
        contents = {}
        for record in entries:
            try:
                contents[record.sequence] = decode(record.codec, record.body)
            except EncodingError as error:
                contents[record.sequence] = {"unreadable": str(error)}
        return [
            letter
            | {"content": contents.get(letter["number"], {"unreadable": "too large to be shown"})}
            for letter in found
        ]

    def fail(self, error: ChannelsError) -> None:
        """Refused for good: whoever receives is told."""
        self.inbox.fail(None, error)


def describe(number: int, service: Service, binding: Binding) -> dict[str, Any]:
    """A consumer as the server is told of it.

    Raises:
        ImproperlyConfigured: its filters are more than the server takes.
    """
    wanted: dict[str, Any] = {
        "number": number,
        "binding": binding.to_wire(),
        "credit": 1,
        "function": service.name,
        "on": service.place,
    }
    if service.capacity is not None:
        wanted["capacity"] = service.capacity
    if service.expiry is not None:
        wanted["expiry"] = service.expiry
    return wanted


_tasks: set["asyncio.Task[None]"] = set()  # a task that nobody holds can vanish
