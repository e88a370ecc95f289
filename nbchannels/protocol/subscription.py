"""A client's place in the log of one group.

The server promises contiguous offsets within one epoch, with every hole announced at its place.
This is where a client holds it to that: a duplicate is dropped, a hole nobody announced is a
reason to connect again and to resume. The position that is resumed from is always that of an entry
that was seen (or told in ``subscribed``), never the end of a gap: only an entry has a tag.
"""

from msgspec import UNSET

from nbchannels.protocol.events import (
    Gap,
    Mode,
    Position,
    Record,
    Since,
    Subscribe,
    Subscribed,
    Subscription,
    WirePosition,
)

__all__ = ["GroupState", "Hole"]


class Hole(Exception):
    """Messages are missing and nobody said so."""


class GroupState:
    """One subscription of a client.

    Attributes:
        group: its name.
        mode: ``log`` or ``latest``.
        log_id: the log that its messages come from; ``None`` until the server has answered.
        position: after which entry the next message follows; ``None`` until the server has said.
        received: the last offset that came, as a message or inside a gap.
        top: the newest offset the server has told of.
        due: whether an acknowledgement should be sent.
    """

    __slots__ = (
        "_answers_due",
        "_bytes",
        "_first_at",
        "_messages",
        "_since",
        "_wanted_from",
        "due",
        "group",
        "log_id",
        "mode",
        "position",
        "received",
        "top",
    )

    def __init__(self, group: str, mode: Mode, since: Since, position: Position | None) -> None:
        self.group = group
        self.log_id: int | None = None
        self.position: Position | None = None
        self.received = 0
        self.top = 0
        self._answers_due = 0
        self._settled()
        self.want(mode, since, position)

    def __repr__(self) -> str:
        return f"<GroupState {self.group!r} at {self.position}>"

    @property
    def lag(self) -> int:
        """Messages that the server is known to have and that have not come."""
        return max(self.top - self.received, 0)

    # --- What is asked for ---

    def want(self, mode: Mode, since: Since, position: Position | None) -> None:
        """Begin somewhere else, or in another mode."""
        self.mode: Mode = mode
        self._since: Since = since
        self._wanted_from = position

    def asked(self) -> None:
        """A request for this subscription leaves; until its answer that is where it begins."""
        self._answers_due += 1

    def interrupted(self) -> None:
        """The connection is lost; where an answer is missing, it is asked again as it was."""
        if not self._answers_due and self.position is not None:
            self._wanted_from = self.position
        self._answers_due = 0
        self.log_id = None
        self._settled()

    def request(self) -> Subscription:
        """The fields of ``subscribe``, as ``hello`` holds them."""
        if self._wanted_from is None:
            return Subscription(self.group, self.mode, since=self._since)
        return Subscription(self.group, self.mode, UNSET, position=WirePosition(*self._wanted_from))

    def subscribe(self) -> Subscribe:
        """The control record for a connection that is open."""
        wanted = self.request()
        return Subscribe(wanted.group, wanted.mode, wanted.since, wanted.position)

    # --- What comes ---

    def subscribed(self, control: Subscribed) -> None:
        """The server says which log, and after which entry the messages follow."""
        self._answers_due = max(self._answers_due - 1, 0)
        self.log_id = control.id
        self.position = Position(control.epoch, control.offset, control.tag)
        self.received = control.offset
        self.top = max(control.top, control.offset)
        self._settled()

    def message(self, record: Record, window: int, window_bytes: int, now: float) -> bool:
        """Take one message.

        Returns:
            Whether it is new.

        Raises:
            Hole: messages before it are missing.
        """
        offset = record.sequence
        if offset != self.received + 1:
            if offset <= self.received:
                return False
            raise Hole(
                f"group {self.group!r}: offset {offset} came after {self.received} without a gap"
            )
        self.received = offset
        if offset > self.top:
            self.top = offset
        assert self.position is not None
        self.position = Position(self.position.epoch, offset, record.tag)
        if not self._messages:
            self._first_at = now
        self._messages += 1
        self._bytes += record.size
        if self._messages * 2 >= window or self._bytes * 2 >= window_bytes:
            self.due = True
        return True

    def gap(self, control: Gap) -> bool:
        """Take the announcement of a gap.

        Returns:
            Whether it is new.

        Raises:
            Hole: messages before it are missing.
        """
        if control.first > self.received + 1:
            raise Hole(
                f"group {self.group!r}: a gap from {control.first} came after {self.received}"
            )
        if control.last <= self.received:
            return False
        self.received = control.last
        self.top = max(self.top, control.last)
        return True

    def heartbeat(self, sent: int, top: int) -> None:
        """The server tells what it has sent and what it has.

        Raises:
            Hole: something it has sent did not come.
        """
        self.top = max(self.top, top)
        if sent > self.received:
            raise Hole(f"group {self.group!r}: offset {sent} was sent, {self.received} came")
        if self._messages:
            self.due = True

    # --- Acknowledging ---

    @property
    def waits_since(self) -> float:
        """When the first unacknowledged message came, if there is one."""
        return self._first_at

    def acknowledged(self) -> tuple[int, int]:
        """The entry of ``ack``; from here the window is counted anew."""
        assert self.log_id is not None
        self._settled()
        return self.log_id, self.received

    def _settled(self) -> None:
        self._messages = 0
        self._bytes = 0
        self._first_at = 0.0
        self.due = False
