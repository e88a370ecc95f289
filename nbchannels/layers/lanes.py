"""Sends that wait for one another: to one target in their order, to several at the same time."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import NamedTuple

from nbchannels.bridge import Bridge
from nbchannels.encoding import Encoded
from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.producers import Producer
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["Lanes", "Parcel"]

#: Messages that wait to be sent, and their bytes.
MOST, MOST_BYTES = 10_000, 64 * 2**20


class Parcel(NamedTuple):
    """A message on its way, and who waits to hear of it."""

    kind: Kind
    name: str
    encoded: Encoded
    producer: Producer | None
    sender: int
    receipt: "Future[Receipt]"


class Lanes:
    """Brings messages to their targets, on the loop of a bridge. From any thread.

    Args:
        bridge: whose loop it is.
        deliver: brings one message to its target; one at a time for each target.
    """

    def __init__(self, bridge: Bridge, deliver: Callable[[Parcel], Awaitable[Receipt]]) -> None:
        self._bridge = bridge
        self._deliver = deliver
        self._lock = threading.Lock()
        self._lanes: dict[tuple[Kind, str], deque[Parcel]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = self._bytes = 0

    def add(self, parcel: Parcel) -> None:
        """Send a message behind all that were added for its target before.

        Raises:
            LayerUnavailable: too much waits already.
        """
        target, size = (parcel.kind, parcel.name), len(parcel.encoded.body)
        with self._lock:
            if self._count >= MOST or (self._count and self._bytes + size > MOST_BYTES):
                raise LayerUnavailable(
                    f"{self._count:,} messages of {self._bytes:,} bytes wait to be sent, the limit "
                    f"is {MOST:,} of {MOST_BYTES:,}; send more slowly"
                )
            self._count += 1
            self._bytes += size
            lane = self._lanes.get(target)
            if lane is not None:
                lane.append(parcel)
                return
            self._lanes[target] = deque([parcel])
        self._bridge.call(self._begin, target)

    def _begin(self, target: tuple[Kind, str]) -> None:
        task = asyncio.get_running_loop().create_task(self._drive(target))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive(self, target: tuple[Kind, str]) -> None:
        while True:
            with self._lock:
                lane = self._lanes[target]
                if not lane:
                    del self._lanes[target]
                    return
                parcel = lane[0]
            is_awaited = parcel.receipt.set_running_or_notify_cancel()
            try:
                receipt = await self._deliver(parcel)
            except asyncio.CancelledError:
                self._abandon(target, is_awaited)
                raise
            except Exception as error:
                if is_awaited:
                    parcel.receipt.set_exception(error)
            else:
                if is_awaited:
                    parcel.receipt.set_result(receipt)
            with self._lock:
                lane.popleft()
                self._count -= 1
                self._bytes -= len(parcel.encoded.body)

    def _abandon(self, target: tuple[Kind, str], is_awaited: bool) -> None:
        """The loop, or the layer, ends: who waits is told."""
        with self._lock:
            first, *others = self._lanes.pop(target)
            self._count -= 1 + len(others)
            self._bytes -= sum(len(parcel.encoded.body) for parcel in (first, *others))
        for parcel in (first, *others):
            if is_awaited if parcel is first else parcel.receipt.set_running_or_notify_cancel():
                parcel.receipt.set_exception(LayerUnavailable("the layer was closed meanwhile"))

    def end(self) -> None:
        """Give up what waits; on the loop."""
        for task in self._tasks:
            task.cancel()
