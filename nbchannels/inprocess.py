"""Consumers of a layer that lives in this process: the server's own, and those of a script."""

import asyncio
import threading
from collections.abc import Hashable
from typing import Any

from nbchannels.bridge import user_bridge
from nbchannels.decoding import decode
from nbchannels.diagnoses import report
from nbchannels.exceptions import EncodingError
from nbchannels.layers.bindings import Binding
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.receiving import ReceivingLayer
from nbchannels.message import Message
from nbchannels.service import Service

__all__ = ["LocalConsumer", "LocalServing"]


class LocalConsumer:
    """A service as a scout of the layer: takes one message at a time, on the user code's loop.

    Args:
        layer: in this process.
        number: its place among the services of this process.
        service: what runs.
        binding: which messages it takes.
        party: this process.
    """

    def __init__(
        self,
        layer: ReceivingLayer,
        number: int,
        service: Service,
        binding: Binding,
        party: Hashable,
    ) -> None:
        self.layer = layer
        self.binding = binding
        self.order = number
        self.service = service
        self.party = party
        self.is_over = False
        # News come from any thread.
        self._lock = threading.Lock()
        self._ready: dict[Any, None] = {}
        self._is_busy = False
        self._in_hand = False
        self._task: asyncio.Task[None] | None = None

    @property
    def wants(self) -> int:
        """See `Scout.wants`."""
        return 0 if self._in_hand or self.is_over else 1

    def permits(self, channel: str) -> bool:
        """See `Scout.permits`."""
        return True

    def notify(self, channel: Any) -> None:
        """See `Scout.notify`."""
        with self._lock:
            self._ready[channel] = None
        user_bridge.call(self._begin)

    def _begin(self) -> None:
        if not self._is_busy and not self.is_over:
            self._is_busy = True
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while not self.is_over and not task.cancelling():
                source = self._next()
                if source is None:
                    return
                found, again = self._take(source)
                if again:
                    with self._lock:
                        self._ready[source] = None
                if found is not None:
                    await self._consume(*found)
                elif again:  # there is more to look at: others have their turn first
                    await asyncio.sleep(0)
        finally:
            self._is_busy = False

    def _next(self) -> Any:
        """Where to look next. Forgotten before: news that come meanwhile stand there again."""
        with self._lock:
            source = next(iter(self._ready), None)
            if source is not None:
                del self._ready[source]
            return source

    def _take(self, source: Any) -> tuple[tuple[str, Letter] | None, bool]:
        """A message for this consumer, and whether to look there again."""
        if not isinstance(source, str):  # a dialogue
            found: tuple[str, Letter] | None = source.take(self)
            return found, found is not None
        letter, again = self.layer.take_for(self, source)
        if letter is not None and letter.dialogue is not None:
            letter.dialogue.taken(self)
        return None if letter is None else (source, letter), again

    def too_slow(self, seconds: float) -> None:
        """See `Scout.too_slow`: this process' own code holds up nobody else's; it is told."""
        report(
            "slow-filter",
            f"the filters of {self.service.name} on channel {self.binding.channel!r} took "
            f"{seconds:.1f} s for one message; write simpler expressions",
            subject=f"{self.service.name} on {self.binding.channel}",
        )

    def end(self) -> None:
        """It takes nothing more; what was announced to it is announced to others."""
        self.is_over = True
        self.layer.dismiss(self)
        with self._lock:
            left, self._ready = list(self._ready), {}
        for source in left:
            if not isinstance(source, str):
                source.announce()

    def describe(self) -> dict[str, Any]:
        """As a kernel's consumer is described."""
        service = self.service
        return {
            "channel": self.binding.channel,
            "filters": [list(step) for step in self.binding.steps],
            "client": "this server",
            "where": "server",
            "connected": True,
            "number": self.order,
            "function": service.name,
            "on": service.place,
            "taken": service.count,
            "failed": service.failed,
            "error": service.error,
        }

    async def _consume(self, channel: str, letter: Letter) -> None:
        self._in_hand = True
        try:
            await self._run(channel, letter)
        finally:
            self._in_hand = False
        self.layer.wants_more(self)

    async def _run(self, channel: str, letter: Letter) -> None:
        try:
            message = Message(
                decode(*letter.encoded), channel, self.layer, time=letter.time,
                retries=letter.retries, redelivered=letter.redelivered,
            )  # fmt: skip
        except EncodingError as error:
            report("unreadable", f"a message of channel {channel!r} cannot be read: {error}")
            self.layer.finish(channel, letter, "fail", str(error), "", self.service.name)
            return
        settlement = await self.service.run(message)
        self.layer.finish(channel, letter, *settlement, consumer=self.service.name)


class LocalServing:
    """Brings the messages of a layer in this process to its services. See `Serving`."""

    def __init__(self, layer: ReceivingLayer) -> None:
        self._layer = layer
        self._consumers: dict[int, LocalConsumer] = {}

    async def begin(self, number: int, service: Service, binding: Binding) -> None:
        """See `Serving.begin`."""
        consumer = LocalConsumer(self._layer, number, service, binding, self)
        self._consumers[number] = consumer
        self._layer.enlist(consumer, service.capacity, service.expiry)

    async def end(self, number: int) -> None:
        """See `Serving.end`."""
        consumer = self._consumers.pop(number, None)
        if consumer is not None:
            consumer.end()
