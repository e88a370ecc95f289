"""The sending side of a layer on Redis: what stays in this process, and what goes there."""

import functools
from collections.abc import Iterator
from concurrent.futures import Future

from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelFull, ChannelsError, LayerUnavailable, SendTimeout
from nbchannels.layers.mailbox import Dialogue
from nbchannels.layers.producers import Producer
from nbchannels.layers.redis.groups import Groups
from nbchannels.layers.redis.outbox import Outbox, Parcel
from nbchannels.layers.redis.posting import Posting
from nbchannels.layers.redis.running import RunningLayer
from nbchannels.names import is_process_local
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["SendingLayer"]


class SendingLayer(RunningLayer):
    """How messages come to Redis. The parts are made by `RedisChannelLayer`."""

    _groups: Groups
    _posting: Posting
    _outbox: Outbox
    _sequences: Iterator[int]

    def submit(
        self,
        kind: Kind,
        name: str,
        encoded: Encoded,
        *,
        receipt: bool = True,
        producer: Producer | None = None,
        sender: int = 0,
        flags: int = 0,
        dialogue: Dialogue | None = None,
    ) -> "Receipt | Future[Receipt]":
        """See `HostedLayer.submit`; what goes to Redis has a future."""
        if kind == "channel" and (dialogue is not None or self._is_here(name)):
            return self._put_here(name, encoded, producer, sender, dialogue)
        self._require_order(kind, name, producer)
        if self._is_closed:
            raise LayerUnavailable(f"the layer at {self.backbone.where} is closed")
        self._upkeep.used(kind, name)
        own = producer is None
        if producer is None:
            producer = Producer(self.backbone.name, next(self._sequences))
        refused = None if own else functools.partial(self._refuse, kind, name, producer)
        parcel = Parcel(encoded, producer, own, sender, flags, refused)
        if self.observer is not None:
            parcel.future.add_done_callback(
                functools.partial(self._observed, kind, name, encoded, sender)
            )
        self._outbox.add(kind, name, parcel)
        return parcel.future

    def _observed(
        self, kind: Kind, name: str, encoded: Encoded, sender: int, future: "Future[Receipt]"
    ) -> None:
        if not future.cancelled() and future.exception() is None:
            self._observe(kind, name, encoded, self._clock(), sender, future.result())

    def _put_here(
        self,
        name: str,
        encoded: Encoded,
        producer: Producer | None,
        sender: int,
        dialogue: Dialogue | None,
    ) -> Receipt:
        with self._lock:
            now = self._clock()
            sent = self._registry.put(name, encoded, now, producer, sender, dialogue)
            woken = self._woken(sent.woken) if sent.woken else ()
        self._tell(woken)
        self._observe("channel", name, encoded, now, sender, sent.receipt)
        return sent.receipt

    async def _publish(self, name: str, parcels: list[Parcel]) -> None:
        await self._groups.publish(name, parcels)
        self._count("group_sent", parcels)

    async def _put(self, name: str, parcels: list[Parcel]) -> None:
        await self._put_there(name, parcels)
        self._count("sent", parcels)

    def _count(self, word: str, parcels: list[Parcel]) -> None:
        """What was sent by this process is counted here, as what stays here is."""
        sent = refused = 0
        for parcel in parcels:
            future = parcel.future
            if future.cancelled() or not future.done():
                continue
            error = future.exception()
            if error is None:
                sent += not future.result().duplicate
            elif isinstance(error, ChannelFull):
                refused += 1
        with self._lock:
            self._registry.counters[word] += sent
            self._registry.counters["refused"] += refused

    async def _put_there(self, name: str, parcels: list[Parcel]) -> None:
        if is_process_local(name):
            await self._inboxes.put(name, parcels)
        else:
            await self._posting.put(name, parcels)

    async def put_copies(
        self, group: str, epoch: str, channels: list[str], copies: list[tuple[int, Parcel]]
    ) -> int:
        """Put what was sent to a group into named channels; return how many were full."""
        full = 0
        for channel in channels:
            # An offset of this log, from this process: rising, and the same if it is tried again.
            producer = f"{epoch}.{self.backbone.name}"
            parcels = [
                Parcel(parcel.encoded, Producer(producer, offset), True, parcel.sender, 0)
                for offset, parcel in copies
            ]
            if self._is_here(channel):
                for parcel in parcels:
                    try:
                        self._put_here(channel, parcel.encoded, None, parcel.sender, None)
                    except ChannelsError:
                        full += 1
                continue
            try:
                await self._put_there(channel, parcels)
            except LayerUnavailable:
                # It is in the log all the same: that is no failure of the send.
                full += len(parcels)
                continue
            full += sum(parcel.future.exception() is not None for parcel in parcels)
        if full:
            with self._lock:
                self._registry.counters["dropped"] += full
        return full

    def give_up(self, pending: "Future[Receipt]", seconds: float) -> ChannelsError:
        """See `BaseChannelLayer.give_up`."""
        if pending.cancel():
            return SendTimeout(
                f"nothing was written to Redis within {seconds:g} s; the message was withdrawn "
                f"and will not arrive ({self.backbone.silence()})"
            )
        return super().give_up(pending, seconds)
