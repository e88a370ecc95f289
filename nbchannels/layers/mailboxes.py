"""All channels of one layer: what waits in them, what is taken, what comes back, what expires.

Pure state: the layer's lock guards it, ``now`` is handed in. What it holds is bounded by whoever
puts letters in; here is the bound on names.
"""

from collections.abc import Callable, Mapping

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.deadletters import DeadLetters
from nbchannels.layers.mailbox import Dialogue, Letter, Mailbox
from nbchannels.layers.scouts import Plan, Scout, Scouts
from nbchannels.names import is_process_local

__all__ = ["RECENT", "Mailboxes"]

#: Seconds after its last receive that a channel counts as received from.
RECENT = 60.0
#: Channels that are forgotten, of which that is still known.
MOST_USED = 1_000
#: Seconds between two attempts to make room for a new channel.
PAUSE = 1.0


class Mailboxes:
    """The channels.

    Args:
        capacity: of a channel, by its name.
        expiry: seconds that a message waits in a channel, by its name.
        most: how many channels there may be.

    Attributes:
        mailboxes: by the name of their channel.
        waiting_bytes: of all letters in them.
        scouts: who serves which channels.
        dead: what nobody worked on.
        lost_dialogues: whose letters are gone, and what they are told, without the lock.
        counters: of messages, since the beginning.
    """

    def __init__(
        self, capacity: Callable[[str], int], expiry: Callable[[str], float], most: int
    ) -> None:
        self.mailboxes: dict[str, Mailbox] = {}
        self.waiting_bytes = 0
        self.scouts = Scouts()
        self.dead = DeadLetters()
        self.lost_dialogues: list[tuple[Dialogue, str]] = []
        self.counters = {"sent": 0, "group_sent": 0, "dropped": 0, "expired": 0, "refused": 0}
        self.counters["failed"] = 0  # by their consumers
        #: Messages that wait in a channel, and seconds that they wait, by its name.
        self.capacity_of = capacity
        self.expiry_of = expiry
        self._most = most
        self._used: dict[str, float] = {}
        self._tried = float("-inf")

    def mailbox(self, name: str, now: float | None = None) -> Mailbox:
        """The mailbox of this channel; it begins to exist now if it did not.

        Args:
            name: of the channel.
            now: to look, where there are too many, for some that can be forgotten; ``None``: for a
                message that was taken and comes back, which is never refused.

        Raises:
            LayerUnavailable: there are too many channels.
        """
        box = self.mailboxes.get(name)
        if box is None:
            if now is not None and len(self.mailboxes) >= self._most:
                self._forget_idle(now)
            box = Mailbox(name, self.capacity_of(name), self.expiry_of(name))
            box.used = self._used.pop(name, box.used)
            self.mailboxes[name] = box
        return box

    def _forget_idle(self, now: float) -> None:
        if now - self._tried >= PAUSE or now < self._tried:
            self._tried = now
            self.expire_all(now)
        if len(self.mailboxes) >= self._most:
            raise LayerUnavailable(
                f"there are {len(self.mailboxes):,} channels, the limit is "
                f"{self._most:,}; receive from them or close some"
            )

    def is_recent(self, name: str, now: float) -> bool:
        """Whether somebody received from this channel a moment ago, other than a consumer."""
        box = self.mailboxes.get(name)
        used = self._used.get(name, float("-inf")) if box is None else box.used
        return now - used < RECENT

    def release(self, box: Mailbox) -> None:
        """Forget the mailbox if it is idle."""
        if box.idle and self.mailboxes.get(box.name) is box:
            del self.mailboxes[box.name]
            if box.used > float("-inf"):
                self._used.pop(box.name, None)
                self._used[box.name] = box.used
                if len(self._used) > MOST_USED:
                    del self._used[next(iter(self._used))]

    def expire(self, box: Mailbox, now: float) -> None:
        """Drop what has waited too long in a mailbox, count it, and keep it with the dead."""
        for letter in box.expire(now):
            self.waiting_bytes -= len(letter.encoded.body)
            self.counters["expired"] += 1
            sentence = f"nobody took it from channel {box.name!r} within {box.expiry:g} s"
            if letter.dialogue is not None:
                self.lost_dialogues.append((letter.dialogue, sentence))
            elif not is_process_local(box.name):
                self.dead.bury(box.name, letter, "expired", now, sentence)

    def expire_all(self, now: float) -> None:
        """Drop what has waited too long anywhere."""
        for box in list(self.mailboxes.values()):
            if box.letters and (box.disordered or box.letters[0].is_over(now)):
                self.expire(box, now)
            if box.producers is not None and box.producers.stale(now):
                box.producers = None
            self.release(box)

    def take(self, box: Mailbox, now: float) -> Letter | None:
        """Take the first letter of a mailbox, for a plain receiver."""
        box.used = now
        letters = box.letters
        if not letters or letters[0].expires <= now or letters[0].dialogue is not None:
            return self._take(box, now)
        box.received += 1
        letter = letters.popleft()
        self.waiting_bytes -= len(letter.encoded.body)
        return letter

    def _take(self, box: Mailbox, now: float) -> Letter | None:
        letters = box.letters
        if letters and letters[0].is_over(now):
            self.expire(box, now)
        letter = box.take()
        if letter is not None:
            self.waiting_bytes -= len(letter.encoded.body)
        return letter

    def untake(self, channel: str, letter: Letter) -> None:
        """A letter was taken, and its receiver never got it: it stands in front, as it was."""
        box = self.mailbox(channel)
        box.received -= 1
        box.letters.appendleft(letter)
        self.waiting_bytes += len(letter.encoded.body)

    def take_for(
        self, box: Mailbox, now: float, plan: Plan, scout: Scout, decided: Mapping[int, int]
    ) -> Letter | None:
        """Take the first letter of a mailbox that is for one scout; see `Mailbox.take_chosen`."""
        if not plan.is_filtered:
            return self._take(box, now)
        if box.letters and box.letters[0].is_over(now):
            self.expire(box, now)
        letter = box.take_chosen(now, plan.number, plan.bits([scout]), decided)
        if letter is not None:
            self.waiting_bytes -= len(letter.encoded.body)
        return letter

    def come_back(self, channel: str, letter: Letter, now: float, *, later: bool) -> None:
        """A taken letter waits again: in front of the others, or (``later``) behind them."""
        box = self.mailbox(channel)
        if later:
            box.put_later(letter, now)
        else:
            box.give_back(letter, now)
        self.waiting_bytes += len(letter.encoded.body)

    def close_channel(self, name: str) -> Mailbox | None:
        """Forget a channel; its messages are dropped."""
        box = self.mailboxes.pop(name, None)
        if box is not None:
            box.closed = True
            self.empty(box, f"channel {name!r} was closed")
        return box

    def empty(self, box: Mailbox, why: str) -> None:
        """Drop what waits in a mailbox."""
        self.waiting_bytes -= sum(len(letter.encoded.body) for letter in box.letters)
        self.counters["dropped"] += len(box.letters)
        box.dropped += len(box.letters)
        gone = [letter.dialogue for letter in box.letters if letter.dialogue is not None]
        self.lost_dialogues += [(dialogue, why) for dialogue in gone]
        box.letters.clear()
