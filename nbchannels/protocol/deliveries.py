"""What a client receives from channels: its credit, its consumers, the leases in its hands.

Sans-IO; `ClientSession` writes what these methods return. Leases outlive a connection: each
``hello`` tells which are held, and which were settled last, in case that did not arrive.
"""

from collections import deque
from typing import Any

from msgspec import UNSET

from nbchannels.protocol.events import Credit, Outcome, Record, Settle

__all__ = ["Deliveries"]

#: Settlements that are told again after a reconnect.
MOST_SETTLED = 256


class Deliveries:
    """The receiving half of a client instance, over all its connections.

    Attributes:
        consumers: the client's consumers by their number, as the server is told of them.
        leases: what was delivered and is not settled.
        settled: what was settled last.
    """

    def __init__(self) -> None:
        self.consumers: dict[int, dict[str, Any]] = {}
        self.leases: dict[int, None] = {}
        self.settled: deque[tuple[int, Outcome]] = deque(maxlen=MOST_SETTLED)
        self._credits: dict[str, int] = {}

    def credit(self, channel: str, credit: int) -> Credit:
        """Be ready for so many more deliveries of a channel; replaces what was said before."""
        self._credits.pop(channel, None)
        if credit:
            self._credits[channel] = credit
        return Credit(channel, credit)

    def credits(self) -> list[Credit]:
        """What is open, to be said again at each connection."""
        return [Credit(channel, credit) for channel, credit in self._credits.items()]

    def delivered(self, record: Record) -> None:
        """A DELIVERY came."""
        self.leases[record.sequence] = None
        if not record.id:  # those for consumers are counted by the server
            left = self._credits.pop(record.name, 0) - 1
            if left > 0:
                self._credits[record.name] = left

    def settle(
        self, leases: list[tuple[int, Outcome]], errors: dict[int, dict[str, str]]
    ) -> Settle | None:
        """Something became of leased messages; ``None`` if none of them is held any more.

        One may have been given by a server that is gone: nobody may hear of its number.
        """
        known = [pair for pair in leases if self.leases.pop(pair[0], ...) is None]
        if not known:
            return None
        self.settled.extend(known)
        told = [(number, errors[number]) for number, _ in known if number in errors]
        return Settle(known, told or UNSET)

    def forget_leases(self) -> None:
        """The server is another process: it knows nothing of them."""
        self.leases.clear()
        self.settled.clear()
