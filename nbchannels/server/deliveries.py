"""What one connection hands out from channels: for credit, and to the consumers of its client."""

import asyncio
import time
from typing import Any, Protocol

from nbchannels.exceptions import ChannelsError
from nbchannels.layers.bindings import is_glob
from nbchannels.layers.hosted import HostedLayer
from nbchannels.layers.mailbox import Letter
from nbchannels.names import require_channel_name
from nbchannels.protocol.codec import encode_record
from nbchannels.protocol.events import (
    DELIVERY,
    REDELIVERED,
    Control,
    Failure,
    Hello,
    Outcome,
    Record,
    Settle,
)
from nbchannels.protocol.server import held_of, settled_of
from nbchannels.server.clients import Client, Lease
from nbchannels.server.consumers import KernelConsumer, read_consumer
from nbchannels.server.hub import Hub
from nbchannels.server.rights import Rights
from nbchannels.server.taps import Tap

__all__ = ["Deliveries"]

#: Channels that one connection waits on.
MOST_TAPS = 10_000


class Outlet(Protocol):
    """The connection."""

    hub: Hub
    client: Client
    rights: Rights

    @property
    def writable(self) -> bool:
        """Whether its socket takes more now."""

    @property
    def stalled_since(self) -> float | None:
        """Since when it was found not to."""

    def send_entries(self, data: bytes) -> None:
        """Send a binary message."""

    def tell(self, control: Control) -> None:
        """Send a control record."""

    async def require(self, action: str, kind: str, name: str) -> None:
        """Check a right."""


class Deliveries:
    """The receiving side of one connection.

    Args:
        connection: that hands over.

    Attributes:
        taps: its credit, by channel.
    """

    def __init__(self, connection: Outlet) -> None:
        self.layer: HostedLayer = connection.hub.layer
        self.taps: dict[str, Tap] = {}
        self.hub = connection.hub
        self._connection = connection
        self._is_closed = False

    @property
    def client(self) -> Client:
        """Whose connection it is."""
        return self._connection.client

    @property
    def writable(self) -> bool:
        """Whether the socket takes more now."""
        return self._connection.writable

    @property
    def is_stalled(self) -> bool:
        """See `Deliverer.is_stalled`."""
        return self._connection.stalled_since is not None

    def drained(self) -> None:
        """The socket takes more again."""
        for tap in list(self.taps.values()):
            tap.pour()
        for consumer in self.client.consumers.values():
            consumer.resume()

    def close(self) -> None:
        """Nothing more is handed out; what was, stays with the client."""
        self._is_closed = True
        for tap in self.taps.values():
            tap.close()
        self.taps.clear()

    def credit(self, channel: str, credit: int) -> None:
        """The client is ready for so many deliveries of a channel; 0 ends it."""
        tap = self.taps.get(channel)
        if tap is None:
            if credit <= 0 or self._is_closed:
                return
            if len(self.taps) >= MOST_TAPS:
                error = ChannelsError(
                    f"this connection waits on {len(self.taps):,} channels, the limit is "
                    f"{MOST_TAPS:,}"
                )
                error.code = "too_many"
                raise error
            tap = self.taps[channel] = Tap(self, channel, asyncio.get_running_loop())
        tap.credit = max(0, min(credit, 10_000))
        tap.pour()
        if not tap.credit:
            tap.close()
            if self.taps.get(channel) is tap:
                del self.taps[channel]

    def deliver(self, channel: str, letter: Letter, consumer: KernelConsumer | None = None) -> None:
        """Hand one message of a channel to the client, as a lease."""
        number = next(self.hub.leases)
        self.client.leases[number] = Lease(channel, letter, consumer, time.monotonic())
        if letter.dialogue is not None:
            letter.dialogue.taken(consumer)
        tap = None if consumer is not None else self.taps.get(channel)
        if tap is not None and not tap.credit:  # spent: who receives once is not kept
            tap.close()
            del self.taps[channel]
        flags = REDELIVERED if letter.redelivered else 0
        record = Record(
            DELIVERY, letter.encoded.codec, flags, channel, consumer.number if consumer else 0,
            letter.retries, number, letter.time, letter.sender, letter.encoded.body,
        )  # fmt: skip
        self._connection.send_entries(encode_record(record))

    def settle(self, control: Settle) -> None:
        """The client says what became of messages in its hands."""
        self._settle(*settled_of(control))

    def _settle(self, leases: list[tuple[int, Outcome]], errors: dict[int, dict[str, str]]) -> None:
        for number, outcome in leases:
            lease = self.client.leases.pop(number, None)
            if lease is None:
                continue
            told = errors.get(number, {})
            error, consumer = str(told.get("error", "")), lease.consumer
            traceback = str(told.get("traceback", ""))
            who = consumer.shown if consumer is not None else ""
            self.layer.finish(lease.channel, lease.letter, outcome, error, traceback, who)
            if consumer is not None:
                consumer.settled(lease, outcome, error)

    def resume(self, hello: Hello) -> None:
        """After a reconnect: what was settled, what is still held, who serves.

        What was delivered and did not arrive goes back: the client does not name it.
        """
        settled, held = held_of(hello)
        self._settle(settled, {})
        for number, lease in reversed(list(self.client.leases.items())):
            if number not in held:
                del self.client.leases[number]
                self.layer.give_back(lease.channel, lease.letter)
                if lease.consumer is not None:
                    lease.consumer.settled(lease, "return", "")
        told = [wanted.get("number") for wanted in hello.consumers]
        for number in [number for number in self.client.consumers if number not in told]:
            self.client.consumers.pop(number).end()

    async def consume(self, wanted: dict[str, Any]) -> None:
        """The client has a consumer: it is told of messages from now on.

        Raises:
            ChannelsError: it may not, or the description is none.
        """
        client = self.client
        consumer = read_consumer(self.hub, client, wanted, self._permits_read)
        channel = consumer.binding.channel
        if is_glob(channel):
            await self._connection.require("read", "socket", "ws")
        else:
            await self._connection.require("read", "channel", require_channel_name(channel))
        if self._is_closed:  # while the policy was asked; the next connection tells it again
            return
        known = client.consumers.get(consumer.number)
        if known is not None and known.is_same(consumer):
            known.resume()  # a reconnect
            return
        if known is not None:
            known.end()
        client.consumers[consumer.number] = consumer
        self._adopt(consumer)
        self.layer.enlist(consumer, consumer.capacity, consumer.expiry)
        self.hub.note("consumer", "registered", channel=channel, consumer=consumer.shown)

    def _adopt(self, consumer: KernelConsumer) -> None:
        """What the one of this number before it has in hand counts against its credit."""
        for number, lease in list(self.client.leases.items()):
            if lease.consumer is not None and lease.consumer.number == consumer.number:
                self.client.leases[number] = lease._replace(consumer=consumer)
                consumer.held += 1

    def complain(self, error: ChannelsError) -> None:
        """See `Deliverer.complain`."""
        self._connection.tell(Failure(None, error.to_wire()))

    def unconsume(self, number: Any) -> None:
        """The client's consumer of this number ends; what it has in hand it may still settle."""
        consumer = self.client.consumers.pop(number, None) if type(number) is int else None
        if consumer is not None:
            consumer.end()

    def _permits_read(self, channel: str) -> bool:
        return self._connection.rights.permits("read", "channel", channel)
