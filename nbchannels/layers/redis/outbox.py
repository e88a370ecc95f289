"""What is on its way to Redis: per target in order, as many messages in one call as have gathered.

One call to a target is under way at a time, so that what was sent later cannot overtake what was
refused before. While a call is under way the next messages gather.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeAlias

from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelsError, DeliveryUnknown, LayerUnavailable, OutOfOrder
from nbchannels.layers.producers import Producer
from nbchannels.layers.redis.calls import Unanswered
from nbchannels.layers.redis.errands import Errand
from nbchannels.protocol.events import RETRIED
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["Outbox", "Parcel"]

#: Messages of one call, and bytes, unless a single one is larger.
MOST, MOST_BYTES = 256, 2**20
#: Messages and bytes that wait to be sent.
WAITING, WAITING_BYTES = 20_000, 64 * 2**20

Target: TypeAlias = tuple[Kind, str]
Deliver: TypeAlias = "Callable[[str, list[Parcel]], Coroutine[Any, Any, None]]"


class Parcel:
    """One message on its way.

    Attributes:
        encoded: as above.
        producer: who sends.
        is_own: nobody numbers the layer's own messages but the layer.
        sender: the server's number of the connection.
        flags: of the record.
        future: of its receipt.
        refused: called before the future has an error that is temporary.
    """

    __slots__ = ("encoded", "flags", "future", "is_own", "producer", "refused", "sender")

    def __init__(
        self,
        encoded: Encoded,
        producer: Producer,
        is_own: bool,
        sender: int,
        flags: int,
        refused: Callable[[], None] | None = None,
    ) -> None:
        self.encoded = encoded
        self.producer = producer
        self.is_own = is_own
        self.sender = sender
        self.flags = flags
        self.refused = refused
        self.future: Future[Receipt] = Future()

    def repeat(self) -> None:
        """It is written again, and nobody knows whether it was there before."""
        self.flags |= RETRIED

    def done(self, receipt: Receipt) -> None:
        """It was sent."""
        with contextlib.suppress(InvalidStateError):  # whoever waited has given up
            self.future.set_result(receipt)

    def failed(self, error: BaseException) -> None:
        """It was not."""
        if isinstance(error, Unanswered) and error.written:
            error = DeliveryUnknown(str(error), self.future)
        is_first = isinstance(error, ChannelsError) and not isinstance(error, OutOfOrder)
        if self.refused is not None and is_first and getattr(error, "temporary", False):
            self.refused()
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


class Outbox:
    """The targets of one layer.

    Args:
        soon: calls a function on the layer's loop, from any thread.
        group: sends messages to a group, all of them in one call.
        channel: sends messages to a channel.
        where: for people: the address.
    """

    def __init__(
        self,
        soon: Callable[[Callable[[], None]], None],
        group: Deliver,
        channel: Deliver,
        where: str,
    ) -> None:
        self._soon = soon
        self._deliver: dict[Kind, Deliver] = {"group": group, "channel": channel}
        self._where = where
        self._lock = threading.Lock()
        self._queues: dict[Target, deque[Parcel]] = {}
        self._busy: set[Target] = set()
        self._ready: dict[Target, None] = {}
        self._is_scheduled = False
        self._is_closed = False
        self._errands: set[Errand] = set()
        self.count = 0
        self.bytes = 0

    def add(self, kind: Kind, name: str, parcel: Parcel) -> None:
        """Send this, after what was added for the same target before; from any thread.

        Raises:
            LayerUnavailable: too much waits already.
        """
        target = kind, name
        size = len(parcel.encoded.body)
        with self._lock:
            if self._is_closed:
                raise self._closed()
            if self.count >= WAITING or (self.bytes + size > WAITING_BYTES and self.count):
                raise LayerUnavailable(
                    f"{self.count:,} messages ({self.bytes:,} bytes) wait to be written to Redis "
                    f"at {self._where}, the limit is {WAITING:,} ({WAITING_BYTES:,} bytes); send "
                    "slower, or wait for the receipts"
                )
            self.count += 1
            self.bytes += size
            self._queues.setdefault(target, deque()).append(parcel)
            if target not in self._busy:
                self._ready[target] = None
            if self._is_scheduled or not self._ready:
                return
            self._is_scheduled = True
        self._soon(self._pump)

    def _pump(self) -> None:
        with self._lock:
            self._is_scheduled = False
            ready, self._ready = self._ready, {}
            self._busy.update(ready)
        for target in ready:
            errand = Errand(self._send(target), self._errands.discard)
            if not errand.is_over:
                self._errands.add(errand)

    async def _send(self, target: Target) -> None:
        """Send what has gathered for a target, until nothing has."""
        deliver = self._deliver[target[0]]
        while True:
            with self._lock:
                batch = self._next(target)
                if not batch:
                    self._busy.discard(target)
                    return
            try:
                await deliver(target[1], batch)
            except asyncio.CancelledError:
                for parcel in batch:
                    parcel.failed(self._closed(written=True))
                raise
            except BaseException as error:
                for parcel in batch:
                    parcel.failed(error)
            self._refuse_behind(target, batch)

    def _next(self, target: Target) -> list[Parcel]:
        queue = self._queues.get(target)
        batch: list[Parcel] = []
        size = 0
        while queue and len(batch) < MOST and (not batch or size < MOST_BYTES):
            parcel = queue.popleft()
            self.count -= 1
            self.bytes -= len(parcel.encoded.body)
            if parcel.future.set_running_or_notify_cancel():
                batch.append(parcel)
                size += len(parcel.encoded.body)
        if not queue:
            self._queues.pop(target, None)
        return batch

    def _refuse_behind(self, target: Target, batch: list[Parcel]) -> None:
        """What a producer sent behind a refused message is refused too: its order holds."""
        refused = {
            parcel.producer.id
            for parcel in batch
            if not parcel.is_own and parcel.future.done() and parcel.future.exception() is not None
        }
        if not refused:
            return
        behind: list[Parcel] = []
        with self._lock:
            queue = self._queues.get(target, deque())
            kept = deque[Parcel]()
            for parcel in queue:
                if parcel.producer.id in refused:
                    behind.append(parcel)
                    self.count -= 1
                    self.bytes -= len(parcel.encoded.body)
                else:
                    kept.append(parcel)
            if queue:
                self._queues[target] = kept
        for parcel in behind:
            parcel.failed(overtaken(target))

    def give_up(self, pending: Future[Receipt]) -> bool:
        """Withdraw a message that was not written yet; whether that was possible."""
        return pending.cancel()

    def _closed(self, *, written: bool = False) -> LayerUnavailable:
        error = Unanswered(f"the layer at {self._where} is closed")
        error.written = written
        return error

    async def close(self) -> None:
        """Nothing more is sent; what waits fails."""
        with self._lock:
            self._is_closed = True
            left = [parcel for queue in self._queues.values() for parcel in queue]
            self._queues.clear()
            self._ready.clear()
            self.count = self.bytes = 0
        for parcel in left:
            parcel.failed(self._closed())
        errands = list(self._errands)
        for errand in errands:
            errand.cancel()
        if errands:
            await asyncio.wait([errand.over for errand in errands])


def overtaken(target: Target) -> OutOfOrder:
    """The error of a message whose producer had one refused in front of it."""
    return OutOfOrder(
        f"an earlier message to {target[0]} {target[1]!r} was refused for a time; it has to come "
        "again before this one"
    )
