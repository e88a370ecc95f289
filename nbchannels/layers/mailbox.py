"""One channel: a bounded FIFO of messages, each for one receiver, and the leases on them.

Pure state: the layer's lock guards it, ``now`` is handed in. A taken message is leased until it is
settled; ``receive`` settles at once (at most once), a connection when its client says so.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from nbchannels.encoding import Encoded
from nbchannels.layers.producers import Producers

__all__ = ["Letter", "Mailbox"]


class Letter(NamedTuple):
    """One message in a mailbox.

    Attributes:
        encoded: its codec and body, shared by all mailboxes it is in.
        time: seconds since 1970, when it was sent.
        expires: when waiting ends; counted in waiting time only.
        sender: the server's number of the connection that sent it.
        redelivered: it was handed to a receiver before, and came back.
        attempts: how often it was put to the back again (``ConsumeLater``).
    """

    encoded: Encoded
    time: float
    expires: float
    sender: int = 0
    redelivered: bool = False
    attempts: int = 0


class Mailbox:
    """The messages of one channel.

    Args:
        name: of the channel.
        capacity: messages that wait; more are refused.
        expiry: seconds that a message waits at most.
    """

    __slots__ = (
        "capacity",
        "closed",
        "dropped",
        "expired",
        "expiry",
        "groups",
        "kept",
        "letters",
        "name",
        "producers",
        "received",
        "sent",
        "used",
        "waiters",
    )

    def __init__(self, name: str, capacity: int, expiry: float) -> None:
        self.name = name
        self.capacity = capacity
        self.expiry = expiry
        self.letters: deque[Letter] = deque()
        #: Who waits to take: the layer's objects.
        self.waiters: deque[Any] = deque()
        #: Groups it is in.
        self.groups: set[str] = set()
        self.producers: Producers | None = None
        #: Made by `new_channel`: stays until it is closed, also when empty.
        self.kept = False
        self.closed = False
        self.sent = self.received = self.dropped = self.expired = 0
        #: When it was last received from.
        self.used = float("-inf")

    def put(self, letter: Letter, now: float) -> bool:
        """Put a letter at the back; ``False`` if there is no room."""
        letters = self.letters
        if len(letters) >= self.capacity:
            self.expire(now)
            if len(letters) >= self.capacity:
                self.dropped += 1
                return False
        letters.append(letter)
        self.sent += 1
        return True

    def take(self, now: float) -> Letter | None:
        """Take the front letter that has not expired."""
        self.expire(now)
        self.used = now
        if not self.letters:
            return None
        self.received += 1
        return self.letters.popleft()

    def give_back(self, letter: Letter, now: float) -> None:
        """Put a letter that was taken, but not dealt with, to the front again."""
        self.received -= 1
        waited = letter._replace(expires=now + self.expiry, redelivered=True)
        self.letters.appendleft(waited)

    def put_later(self, letter: Letter, now: float) -> None:
        """Put a letter that was taken to the back; it is never refused for want of room."""
        self.letters.append(
            letter._replace(expires=now + self.expiry, attempts=letter.attempts + 1)
        )

    def expire(self, now: float) -> int:
        """Drop what has waited too long; return how many."""
        count = sum(1 for _ in self._expired(now))
        self.expired += count
        return count

    def _expired(self, now: float) -> Iterator[Letter]:
        letters = self.letters
        while letters and letters[0].expires <= now:
            yield letters.popleft()

    @property
    def idle(self) -> bool:
        """Whether it can be forgotten without anybody noticing."""
        return not (
            self.letters or self.waiters or self.groups or self.kept or self.producers is not None
        )
