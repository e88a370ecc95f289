"""The layer in this process's memory: the server's default.

One lock guards all state and is never held across an await, so coroutines may run on any loop and
`submit` on any thread. What is received, and by whom, is in `nbchannels.layers.receiving`.
"""

import itertools
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from nbchannels.encoding import Encoded
from nbchannels.layers.base import Limits
from nbchannels.layers.cursor import Page, Start
from nbchannels.layers.groups import GroupState, LogCursor
from nbchannels.layers.mailbox import Dialogue
from nbchannels.layers.producers import Producer
from nbchannels.layers.receiving import ReceivingLayer
from nbchannels.layers.registry import Bounds, Registry
from nbchannels.names import PROBLEMS, require_channel_name, require_group_name
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["InMemoryChannelLayer"]

Observer: TypeAlias = Callable[[Kind, str, Encoded, float, int, int | None], None]
#: Entries of one `read` at most, and their bytes.
PAGE, PAGE_BYTES = 256, 2**20


class InMemoryChannelLayer(ReceivingLayer):
    """Channels and groups in the memory of this process.

    Args:
        expiry: see `BaseChannelLayer`.
        group_expiry: see `BaseChannelLayer`.
        capacity: see `BaseChannelLayer`.
        channel_capacity: see `BaseChannelLayer`.
        channel_expiry: other expiries, by glob or compiled pattern of the channel's name.
        history: messages kept in the log of one group.
        history_bytes: bytes kept in the log of one group.
        total_history_bytes: bytes kept in all logs; the idlest shrinks first.
        mailbox_bytes: bytes that wait in all channels.
        max_groups: how many groups there may be.
        max_channels: how many channels there may be.
        clock: seconds since 1970; for tests.
    """

    def __init__(
        self,
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, Any] | None = None,
        *,
        channel_expiry: Mapping[Any, Any] | None = None,
        history: int = Bounds().history,
        history_bytes: int = Bounds().history_bytes,
        total_history_bytes: int = Bounds().total_history_bytes,
        mailbox_bytes: int = Bounds().mailbox_bytes,
        max_groups: int = Bounds().groups,
        max_channels: int = Bounds().channels,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(expiry, capacity, channel_capacity, group_expiry)
        bounds = Bounds(
            history, history_bytes, total_history_bytes, mailbox_bytes, max_groups, max_channels
        )
        for option, value in bounds._asdict().items():
            self.require_positive(option, value)
        self._expiries = Limits("channel_expiry", expiry, channel_expiry)
        self.bounds = bounds
        #: Called with kind, name, encoded, time, sender and offset of each message that was sent,
        #: on the sender's thread, while somebody watches them go by.
        self.observer: Observer | None = None
        #: Who is in a group, of whoever hosts this layer and knows the clients.
        self.present: Callable[[str], Awaitable[list[dict[str, Any]]]] | None = None
        self._lock = threading.Lock()
        self._clock = clock
        self._registry = Registry(
            self.get_capacity, self._expiries.of, secrets.randbits, bounds, group_expiry
        )

    # Sending.

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
    ) -> Receipt:
        """See `BaseChannelLayer.submit`; the receipt is there at once.

        Args:
            kind: see there.
            name: see there.
            encoded: see there.
            receipt: see there.
            producer: who sends, and its number of this message: a repetition is not sent again.
            sender: the server's number of the connection.
            flags: of the record, `RETRIED` or none.
            dialogue: that a message to a channel belongs to.
        """
        with self._lock:
            now = self._clock()
            if kind == "group":
                sent = self._registry.append(name, encoded, now, producer, sender, flags)
            else:
                sent = self._registry.put(name, encoded, now, producer, sender, dialogue)
            woken = self._woken(sent.woken) if sent.woken else ()
        if sent.group is not None:
            sent.group.announce()
        self._tell(woken)
        observer = self.observer
        if observer is not None and not sent.receipt.duplicate:
            observer(kind, name, encoded, now, sender, sent.receipt.offset)
        return sent.receipt

    def say(self, group: str, encoded: Encoded) -> None:
        """Append what the host of this layer says itself: it counts as nobody's message."""
        with self._lock:
            sent = self._registry.append(group, encoded, self._clock())
            self._registry.counters["group_sent"] -= 1
        assert sent.group is not None
        sent.group.announce()

    # Groups.

    async def group_add(self, group: str, channel: str) -> None:
        """See `BaseChannelLayer.group_add`."""
        require_group_name(group)
        require_channel_name(channel)
        with self._lock:
            state = self._registry.group(group, self._clock())
            box = self._registry.mailbox(channel, self._clock())
            state.members[channel] = box
            box.groups.add(group)

    async def group_discard(self, group: str, channel: str) -> None:
        """See `BaseChannelLayer.group_discard`."""
        require_group_name(group)
        require_channel_name(channel)
        with self._lock:
            state = self._registry.groups.get(group)
            box = state.members.pop(channel, None) if state else None
            if box is not None:
                box.groups.discard(group)
                self._registry.release(box)

    async def group_channels(self, group: str) -> list[str]:
        """See `BaseChannelLayer.group_channels`."""
        require_group_name(group)
        with self._lock:
            state = self._registry.groups.get(group)
            return list(state.members) if state else []

    async def presence(self, group: str) -> list[dict[str, Any]]:
        """See `BaseChannelLayer.presence`."""
        if self.present is not None:
            return await self.present(require_group_name(group))
        return await super().presence(group)

    async def subscribe(self, group: str, start: Start = "now") -> LogCursor:
        """See `BaseChannelLayer.subscribe`."""
        return self.cursor(group, start)

    def cursor(self, group: str, start: Start = "now") -> LogCursor:
        """`subscribe`, for callers that do not wait."""
        require_group_name(group)
        with self._lock:
            state = self._registry.group(group, self._clock())
            return LogCursor(state, state.log.locate(start), self._lock)

    async def read(self, group: str, start: Start = "earliest", limit: int = PAGE) -> Page:
        """See `BaseChannelLayer.read`; at most 256 entries and 1 MiB."""
        require_group_name(group)
        with self._lock:
            state = self._registry.group(group, self._clock())
            anchor = state.log.locate(start)
            entries = state.log.after(anchor.offset, min(limit, PAGE), PAGE_BYTES)
        return Page(anchor, [entry.record() for entry in entries])

    async def clear(self, group: str) -> None:
        """See `BaseChannelLayer.clear`."""
        require_group_name(group)
        with self._lock:
            state = self._registry.clear(group, self._clock())
        state.announce()
        if self.witness is not None:
            self.witness("cleared", {"group": group})

    # The layer as a whole.

    def sweep(self) -> None:
        """Forget what has expired; to be called now and then."""
        with self._lock:
            now = self._clock()
            self._registry.expire_all(now)
            self._registry.forget(now)
        self.tell_lost()

    async def names(self) -> dict[str, list[str]]:
        """See `BaseChannelLayer.names`."""
        with self._lock:
            groups, channels = self._registry.groups, self._registry.mailboxes
            return {
                "groups": list(
                    itertools.islice((name for name in reversed(groups) if name != PROBLEMS), 500)
                ),
                "channels": list(itertools.islice(reversed(channels), 500)),
            }

    async def group_statistics(self, group: str) -> dict[str, Any]:
        """See `BaseChannelLayer.group_statistics`."""
        require_group_name(group)
        with self._lock:
            return _statistics(self._registry.groups.get(group))

    async def statistics(self) -> dict[str, Any]:
        """See `BaseChannelLayer.statistics`."""
        with self._lock:
            return self._registry.statistics() | {"leased": len(self._held)}

    async def flush(self) -> None:
        """See `BaseChannelLayer.flush`."""
        with self._lock:
            states = self._registry.flush(self._clock())
            self._held.clear()
        for state in states:
            state.announce()
        self.tell_lost()
        if self.witness is not None:
            self.witness("flushed", {})

    async def close(self) -> None:
        """See `BaseChannelLayer.close`."""
        await self.flush()


def _statistics(state: GroupState | None) -> dict[str, Any]:
    if state is None:
        return {
            "members": 0,
            "subscribers": 0,
            "messages": 0,
            "bytes": 0,
            "epoch": None,
            "offset": 0,
        }
    return {
        "members": len(state.members),
        "subscribers": len(state.cursors),
        "messages": len(state.log),
        "bytes": state.log.bytes,
        "epoch": state.log.epoch,
        "offset": state.log.top,
    }
