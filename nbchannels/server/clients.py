"""Who is connected, and what belongs to them: process-local channels and leased messages.

A client is more than a connection: it reconnects. What belongs to it stays for `GRACE` seconds
after its connection was lost; then what it had leased goes back to the front of its channels.
"""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from nbchannels.layers.bindings import Binding
from nbchannels.layers.mailbox import Letter

__all__ = ["GRACE", "Client", "Clients", "Lease"]

#: Seconds that a client has to come back.
GRACE = 60.0


class Lease(NamedTuple):
    """A message in the hands of a client.

    Attributes:
        channel: it came from.
        letter: the message.
        consumer: the `KernelConsumer` that it was delivered for; ``None`` for a plain `receive`.
        since: when, in monotonic seconds.
    """

    channel: str
    letter: Letter
    consumer: Any
    since: float


@dataclass(slots=True, eq=False)
class Client:
    """One client instance, over its reconnects.

    Attributes:
        producer: its random id; a reconnect shows the same.
        principal: who it was authenticated as; a reconnect must be the same.
        kind: what it is.
        user: the user's name for people.
        label: what it calls itself: a notebook's path, a script's name.
        connection: its number now; ``None`` while it is away.
        channels: its process-local channels.
        leases: messages handed to it and not settled, by their number.
        consumers: what it has registered, by the number it gave.
        slow: bindings whose filters held the server up; they are refused.
        dialogues: requests and WebSockets that it has taken and that are not over.
        away_since: when its connection was lost.
        left_groups: what it subscribed to then.
        since: when it came first, in seconds since 1970.
        number: of the client, for people; a reconnect has the same.
    """

    producer: str
    principal: str
    kind: Literal["page", "kernel", "script"]
    user: str = ""
    label: str | None = None
    connection: int | None = None
    channels: set[str] = field(default_factory=set)
    leases: dict[int, Lease] = field(default_factory=dict)
    consumers: dict[int, Any] = field(default_factory=dict)
    slow: set[Binding] = field(default_factory=set)
    dialogues: set[Any] = field(default_factory=set)
    away_since: float = 0.0
    left_groups: frozenset[str] = frozenset()
    since: float = field(default_factory=time.time)
    number: int = field(default_factory=itertools.count(1).__next__)

    @property
    def key(self) -> str:
        """What names it to people who look; not its producer id, which is its own."""
        return f"{self.kind}-{self.number}"

    def describe(self) -> dict[str, Any]:
        """For the inspector and REST."""
        return {
            "key": self.key,
            "kind": self.kind,
            "user": self.user,
            "label": self.label,
            "connection": self.connection,
            "connected": self.connection is not None,
            "since": self.since,
            "channels": len(self.channels),
            "leases": len(self.leases),
            "consumers": len(self.consumers),
        }


class Clients:
    """The clients of this server, by their producer id."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], Client] = {}

    def __iter__(self) -> Any:
        return iter(list(self._clients.values()))

    def __len__(self) -> int:
        return len(self._clients)

    def find(self, client: Client) -> Client | None:
        """The client known with this one's producer and principal."""
        return self._clients.get((client.principal, client.producer))

    def arrive(self, client: Client) -> Client:
        """The client of this producer and principal: the one known, or this new one.

        Another principal with the same producer id is another client: ids are no credentials.
        """
        known = self._clients.setdefault((client.principal, client.producer), client)
        known.user, known.label, known.kind = client.user, client.label, client.kind
        return known

    def gone(self, now: float) -> list[Client]:
        """Forget and return the clients that did not come back in time."""
        late = [
            client
            for client in self._clients.values()
            if client.connection is None and now - client.away_since >= GRACE
        ]
        for client in late:
            self.dismiss(client)
        return late

    def dismiss(self, client: Client) -> None:
        """Forget a client at once."""
        self._clients.pop((client.principal, client.producer), None)
