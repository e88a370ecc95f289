"""One channel: a bounded FIFO of messages, each for one receiver, and the leases on them.

Pure state: the layer's lock guards it, ``now`` is handed in. A taken message is leased until it is
settled; ``receive`` settles at once (at most once), a connection when its client says so.
"""

import itertools
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from nbchannels.encoding import Encoded
from nbchannels.layers.producers import Producers

__all__ = ["Dialogue", "Letter", "Mailbox"]


class Dialogue(Protocol):
    """What a letter belongs to, if it is one of several of a request or a WebSocket."""

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits for the answer; a letter of a closed one is dropped."""

    def taken(self, consumer: Any) -> None:
        """A letter of it was handed to a consumer; ``None``: to a plain receiver."""

    def settled(self) -> None:
        """A letter of it was worked on."""

    def returned(self, channel: str, letter: "Letter", *, later: bool) -> bool:
        """A letter of it was taken and not worked on: to the front, or (``later``) to the back.

        Returns:
            Whether the dialogue keeps it; else it belongs into its channel again, as the first of a
            dialogue that nobody has taken.
        """

    def lost(self, why: str, sentence: str) -> None:
        """The letter was not worked on, and will not be: ``died``, ``failed`` or ``expired``."""


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
        dialogue: that it belongs to; such a letter is never delivered to two that may have worked
            on it.
        choice: the number of a plan, and the scouts of it that serve this letter, as bits.
        posted: where it stands in a layer that lives elsewhere; ``None`` for one that is only here.
    """

    encoded: Encoded
    time: float
    expires: float
    sender: int = 0
    redelivered: bool = False
    retries: int = 0
    returns: int = 0
    dialogue: Dialogue | None = None
    choice: tuple[int, int] = (0, 0)
    posted: Any = None

    def is_over(self, now: float) -> bool:
        """Whether it has waited too long, or nobody waits for its answer any more."""
        return self.expires <= now or (self.dialogue is not None and not self.dialogue.is_open)


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
        "disordered",
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
        #: Whether a letter may expire before one that stands in front of it.
        self.disordered = False
        self.sent = self.received = self.dropped = self.expired = 0
        #: When it was last received from, other than by a consumer.
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

    def take(self) -> Letter | None:
        """Take the first letter; the caller has called `expire`."""
        if not self.letters:
            return None
        self.received += 1
        return self.letters.popleft()

    def undecided(self, plan: int, limit: int) -> list[Letter]:
        """The first letters of which this plan has not decided yet whom they are for."""
        fresh = (letter for letter in self.letters if letter.choice[0] != plan)
        return list(itertools.islice(fresh, limit))

    def take_chosen(
        self, now: float, plan: int, bit: int, decided: Mapping[int, int]
    ) -> Letter | None:
        """Take the first letter that is for one scout.

        Args:
            now: seconds since 1970.
            plan: the number of the plan that says so.
            bit: of the scout.
            decided: what the plan decided since, by the ``id`` of letters that `undecided` gave.
        """
        letters = self.letters
        found: int | None = None
        fresh: list[tuple[int, Letter]] = []
        for index, letter in enumerate(letters):
            number, bits = letter.choice
            if number != plan:
                known = decided.get(id(letter))
                if known is None:  # it came meanwhile
                    continue
                fresh.append((index, letter._replace(choice=(plan, known))))
                bits = known
            if found is None and bits & bit and not letter.is_over(now):
                found = index
                if not decided:
                    break
        for index, letter in fresh:
            letters[index] = letter
        if found is None:
            return None
        taken = letters[found]
        del letters[found]
        self.received += 1
        return taken

    def give_back(self, letter: Letter, now: float) -> None:
        """Put a letter that was taken, but not dealt with, to the front again."""
        self.received -= 1
        self.disordered = self.disordered or bool(self.letters)
        self.letters.appendleft(letter._replace(expires=now + self.expiry, redelivered=True))

    def put_later(self, letter: Letter, now: float) -> None:
        """Put a letter that was taken to the back; it is never refused for want of room."""
        self.letters.append(letter._replace(expires=now + self.expiry, retries=letter.retries + 1))

    def limit(self, capacity: int, expiry: float) -> None:
        """From now on these hold; letters that wait keep the expiry that they came with."""
        self.disordered = self.disordered or (expiry < self.expiry and bool(self.letters))
        self.capacity, self.expiry = capacity, expiry

    def expire(self, now: float) -> list[Letter]:
        """Drop what has waited too long, and what nobody waits for any more; return it.

        The oldest stand in front, so that looking there is enough, unless some came back.
        """
        letters = self.letters
        gone: list[Letter] = []
        while letters and letters[0].is_over(now):
            gone.append(letters.popleft())
        if self.disordered:
            late = [letter for letter in letters if letter.is_over(now)]
            if late:
                kept = [letter for letter in letters if not letter.is_over(now)]
                letters.clear()
                letters.extend(kept)
                gone += late
            times = [letter.expires for letter in letters]
            self.disordered = any(one > other for one, other in itertools.pairwise(times))
        self.expired += len(gone)
        return gone

    @property
    def idle(self) -> bool:
        """Whether it can be forgotten without anybody noticing."""
        return not (
            self.letters or self.waiters or self.groups or self.kept or self.producers is not None
        )
