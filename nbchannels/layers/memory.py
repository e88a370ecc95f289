"""The layer in this process's memory: the server's default.

What any hosted layer has is in `nbchannels.layers.hosted`; here sending is decided at once.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from nbchannels.encoding import Encoded
from nbchannels.layers.cursor import Start
from nbchannels.layers.groups import LogCursor
from nbchannels.layers.hosted import HostedLayer
from nbchannels.layers.mailbox import Dialogue
from nbchannels.layers.producers import Producer
from nbchannels.layers.registry import Bounds
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["InMemoryChannelLayer"]


class InMemoryChannelLayer(HostedLayer):
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

    backend: ClassVar[str] = "memory"

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
        bounds = Bounds(
            history, history_bytes, total_history_bytes, mailbox_bytes, max_groups, max_channels
        )
        super().__init__(
            expiry,
            capacity,
            channel_capacity,
            group_expiry,
            channel_expiry=channel_expiry,
            bounds=bounds,
            clock=clock,
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
        """See `HostedLayer.submit`; the receipt is always there at once."""
        return self._submit_here(kind, name, encoded, producer, sender, flags, dialogue)

    # Groups.

    async def subscribe(self, group: str, start: Start = "now") -> LogCursor:
        """See `BaseChannelLayer.subscribe`."""
        return self.cursor(group, start)

    def cursor(self, group: str, start: Start = "now") -> LogCursor:
        """`subscribe`, for callers that do not wait."""
        return self._cursor(group, start)

    # The layer as a whole.

    async def close(self) -> None:
        """See `BaseChannelLayer.close`."""
        await self.flush()
