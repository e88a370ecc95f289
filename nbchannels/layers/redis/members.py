"""The members of a group that are channels of this process: each gets what came after it did."""

import threading
from typing import Protocol

from nbchannels.encoding import Encoded
from nbchannels.layers.groups import GroupState
from nbchannels.layers.mailbox import Mailbox
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.stored import PAGE, PAGE_BYTES
from nbchannels.layers.registry import Registry

__all__ = ["Members"]


class Layer(Protocol):
    """What members need of their layer."""

    backbone: Backbone
    registry: Registry
    lock: threading.Lock

    def tell(self, boxes: list[Mailbox]) -> None:
        """There is news in these mailboxes."""


class Members:
    """Those of one group."""

    def __init__(self, layer: Layer, state: GroupState) -> None:
        self._layer = layer
        self._state = state
        # Epoch and top of the log when a member came: what is older is not for it.
        self._since: dict[str, tuple[str, int]] = {}

    def feed(
        self, epoch: str, encoded: Encoded, offset: int, time: float, sender: int
    ) -> list[Mailbox]:
        """Put a message of the log into them; with the lock. Return who has news."""
        boxes: list[Mailbox] = []
        for name, box in self._state.members.items():
            its, top = self._since.get(name, ("", 0))
            if its != epoch or top < offset:
                boxes.append(box)
        dropped, woken = self._layer.registry.into_members(boxes, encoded, time, sender)
        if dropped:
            self._layer.backbone.lose(
                f"{dropped} of the {len(boxes)} member channels of group {self._state.name!r} in "
                "this process were full and did not get a message; receive from them faster, or "
                "raise channel_capacity",
                self._state.name,
            )
        return woken

    def admit(self, channel: str, box: Mailbox, epoch: str, top: int) -> None:
        """A channel is a member: it gets what was sent after ``top`` of this epoch."""
        woken: list[Mailbox] = []
        with self._layer.lock:
            kept = self._state.log
            if self._state.members.get(channel) is box:
                return  # it is already, and gets what this log has yet to be told of
            self._state.members[channel] = box
            box.groups.add(self._state.name)
            self._since[channel] = epoch, top
            if epoch == kept.epoch:
                for late in kept.after(top, PAGE, PAGE_BYTES):
                    record = late.record()
                    encoded = Encoded(record.codec, bytes(record.body))
                    _, some = self._layer.registry.into_members(
                        [box], encoded, late.time, record.sender
                    )
                    woken += some
        if woken:
            self._layer.tell(woken)

    def dismiss(self, channel: str) -> None:
        """It is a member no more."""
        with self._layer.lock:
            box = self._state.members.pop(channel, None)
            self._since.pop(channel, None)
            if box is not None:
                box.groups.discard(self._state.name)
                self._layer.registry.release(box)

    def parted(self, epoch: str, shared: int) -> None:
        """The log went another way after ``shared``: what stands there now is for all; locked."""
        for name, (its, top) in list(self._since.items()):
            if its == epoch:
                self._since[name] = epoch, min(top, shared)
