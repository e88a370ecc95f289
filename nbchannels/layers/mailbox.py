"""One channel: a bounded FIFO of messages, each for one receiver, and the leases on them.

Pure state: the layer's lock guards it, ``now`` is handed in. A taken message is leased until it is
settled; ``receive`` settles at once (at most once), a connection when its client says so.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

from nbchannels.encoding import Encoded
from nbchannels.layers.producers import Producers

__all__ = ["Accepts", "Dialogue", "Letter", "Mailbox"]

#: Letters that one `Mailbox.take` looks at when the front one is for somebody else.
GLANCE = 100


class Dialogue(Protocol):
    """What a letter belongs to, if it is one of several of a request or a WebSocket."""

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits for the answer; a letter of a closed one is dropped."""

    def taken(self, consumer: Any) -> None:
        """A letter of it was handed to a consumer; ``None``: to a plain receiver."""

    def settled(self) -> None:
        """A letter of it was worked on."""

    def lost(self, why: str, sentence: str) -> None:
        """The letter was not worked on, and will not be: ``died``, ``failed`` or ``expired``."""



Accepts: TypeAlias = Callable[["Letter"], bool]
"""Which letters a receiver takes."""


class Letter(NamedTuple):
    """One message in a mailbox.

    Attributes:
        encoded: its codec and body, shared by all mailboxes it is in.
        time: seconds since 1970, when it was sent.
        expires: when waiting ends; counted in waiting time only.
        sender: the server's number of the connection that sent it.
        redelivered: it was handed to a receiver before, and came back.
        retries: how often it was put to the back again (``ConsumeLater``).
        returns: how often its holder died.
        dialogue: that it belongs to; such a letter is never delivered twice.
    """

    encoded: Encoded
    time: float
    expires: float
    sender: int = 0
    redelivered: bool = False
    retries: int = 0
    returns: int = 0
    dialogue: Dialogue | None = None


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

    def take(self, now: float, accepts: Accepts | None = None) -> Letter | None:
        """Take the first letter that has not expired, and that the receiver accepts.

        Of letters for others, the first `GLANCE` are looked past.
        """
        self.used = now
        letters = self.letters
        if accepts is None:
            if not letters:
                return None
            self.received += 1
            return letters.popleft()
        for index in range(min(len(letters), GLANCE)):
            letter = letters[index]
            if letter.expires > now and accepts(letter):
                del letters[index]
                self.received += 1
                return letter
        return None

    def give_back(self, letter: Letter, now: float) -> None:
        """Put a letter that was taken, but not dealt with, to the front again."""
        self.received -= 1
        waited = letter._replace(expires=now + self.expiry, redelivered=True)
        self.letters.appendleft(waited)

    def put_later(self, letter: Letter, now: float) -> None:
        """Put a letter that was taken to the back; it is never refused for want of room."""
        self.letters.append(letter._replace(expires=now + self.expiry, retries=letter.retries + 1))

    def expire(self, now: float) -> list[Letter]:
        """Drop what has waited too long, and what nobody waits for any more; return it."""
        letters = self.letters
        gone: list[Letter] = []
        while letters:
            first = letters[0]
            if first.expires > now and (first.dialogue is None or first.dialogue.is_open):
                break
            gone.append(letters.popleft())
        self.expired += len(gone)
        return gone

    @property
    def idle(self) -> bool:
        """Whether it can be forgotten without anybody noticing."""
        return not (
            self.letters or self.waiters or self.groups or self.kept or self.producers is not None
        )
