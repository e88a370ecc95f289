"""What a Jupyter server can host: a layer whose state, or a mirror of it, lives in this process.

Feeds, scouts, deliveries and surveys work on the local state: a `Registry` whose groups have logs,
and whose mailboxes hold what is to be taken here. Only what has to ask elsewhere is awaited.
"""

import abc
import itertools
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, ClassVar, TypeAlias

from nbchannels.encoding import Encoded
from nbchannels.exceptions import OutOfOrder
from nbchannels.layers.base import Limits
from nbchannels.layers.cursor import Page, Start
from nbchannels.layers.groups import GroupState, LogCursor
from nbchannels.layers.mailbox import Dialogue
from nbchannels.layers.presence import joined
from nbchannels.layers.producers import Producer
from nbchannels.layers.receiving import ReceivingLayer
from nbchannels.layers.registry import Bounds, Registry
from nbchannels.names import PROBLEMS, require_channel_name, require_group_name
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["PAGE", "PAGE_BYTES", "HostedLayer", "Observer"]

Observer: TypeAlias = Callable[[Kind, str, Encoded, float, int, int | None], None]
#: Entries of one `read` at most, and their bytes.
PAGE, PAGE_BYTES = 256, 2**20


class HostedLayer(ReceivingLayer):
    """A layer that a Jupyter server can host.

    One lock guards the local state and is never held across an await, so coroutines may run on any
    loop and `submit` on any thread. What is said here of members, logs and statistics is what this
    process has; a layer that lives elsewhere overrides what others know better.

    Args:
        expiry: see `BaseChannelLayer`.
        capacity: see `BaseChannelLayer`.
        channel_capacity: see `BaseChannelLayer`.
        group_expiry: see `BaseChannelLayer`.
        channel_expiry: other expiries, by glob or compiled pattern of the channel's name.
        bounds: what is held in this process at most.
        clock: seconds since 1970; for tests.

    Attributes:
        bounds: as above.
        observer: called with kind, name, encoded, time, sender and offset of each message that was
            sent, on the sender's thread, while somebody watches them go by.
        present: who of the host's clients is in a group with these members; without the members
            that are nobody's.
        identity: who this process is to others, where no host knows its clients: ``kind``,
            ``user`` and ``label``.
    """

    #: One word for where the layer lives; in REST, in ``welcome`` and on the state chip.
    backend: ClassVar[str]
    #: Why the layer does not answer now, in a sentence; ``None`` while it does.
    trouble: str | None = None
    #: For people: where it lives, without a password.
    where: str = "this process"
    #: A random word that all know who share these groups and channels; ``None`` as long as it is
    #: not known.
    word: str | None = None

    def __init__(
        self,
        expiry: float = 60,
        capacity: int = 100,
        channel_capacity: Mapping[Any, Any] | None = None,
        group_expiry: float = 86400,
        *,
        channel_expiry: Mapping[Any, Any] | None = None,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(expiry, capacity, channel_capacity, group_expiry)
        self.bounds = bounds or Bounds()
        for option, value in self.bounds._asdict().items():
            self.require_positive(option, value)
        self._expiries = Limits("channel_expiry", expiry, channel_expiry)
        self.observer: Observer | None = None
        self.present: Callable[[str, list[str]], list[dict[str, Any]]] | None = None
        self.identity: dict[str, Any] | None = None
        self._clock = clock
        self._forget()

    def _forget(self) -> None:
        """Begin with nothing; for the child of a fork, whose locks may be taken, too."""
        self._lock = threading.Lock()
        self._registry = Registry(
            self.get_capacity, self._expiries.of, secrets.randbits, self.bounds, self.group_expiry
        )
        self._held = {}
        # Producers and targets that are refused for a time, and whose senders do not know it yet.
        self._refused: set[tuple[str, Kind, str]] = set()

    def open(self) -> None:
        """Reach out to where the layer lives, before it is used; what is wrong there is told."""

    async def commons(self) -> str:
        """The random word that all know who share these groups and channels.

        Raises:
            LayerUnavailable: the layer does not answer.
        """
        if self.word is None:
            self.word = secrets.token_hex(8)
        return self.word

    # Sending.

    @abc.abstractmethod
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
    ) -> "Receipt | Future[Receipt]":
        """See `BaseChannelLayer.submit`.

        The receipt is there at once for process-local channels that `open_channel` opened here, and
        for whatever has a ``dialogue``: nobody has to be asked about those.

        **No overtaking.** Once a record of a producer to a target was refused with a temporary
        error that came by a future, all later ones of this producer to this target are refused with
        `OutOfOrder`: those that are under way behind it, and those that are submitted before
        `refusal_told`. A refusal that is raised is known at once and starts nothing.

        Args:
            kind: see there.
            name: see there.
            encoded: see there.
            receipt: see there.
            producer: who sends, and its number of this message: a repetition is not sent again.
            sender: the server's number of the connection.
            flags: of the record, `RETRIED` or none.
            dialogue: that a message to a channel belongs to.

        Returns:
            The receipt, or a future that is set on another thread. Every future comes to its end,
            and may be cancelled, which changes nothing for the message.
        """

    def _submit_here(
        self,
        kind: Kind,
        name: str,
        encoded: Encoded,
        producer: Producer | None = None,
        sender: int = 0,
        flags: int = 0,
        dialogue: Dialogue | None = None,
    ) -> Receipt:
        """Send to a group or channel that is in this process."""
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
        if self.observer is not None:
            self._observe(kind, name, encoded, now, sender, sent.receipt)
        return sent.receipt

    def refusal_told(self, kind: Kind, name: str, producer: Producer) -> None:
        """Whoever submitted has learned that this record was refused for a time.

        From now on what this producer submits to this target is meant to come after that.
        """
        with self._lock:
            self._refused.discard((producer.id, kind, name))

    def _refuse(self, kind: Kind, name: str, producer: Producer | None) -> None:
        """A record was refused for a time: what comes behind it may not overtake it."""
        if producer is not None:
            with self._lock:
                self._refused.add((producer.id, kind, name))

    def _require_order(self, kind: Kind, name: str, producer: Producer | None) -> None:
        """Refuse what would overtake.

        Raises:
            OutOfOrder: an earlier record was refused for a time, and its sender does not know yet.
        """
        if producer is None or not self._refused:
            return
        with self._lock:
            if (producer.id, kind, name) not in self._refused:
                return
        raise OutOfOrder(
            f"an earlier message to {kind} {name!r} was refused for a time; it has to come again "
            "before this one"
        )

    def _observe(
        self, kind: Kind, name: str, encoded: Encoded, now: float, sender: int, receipt: Receipt
    ) -> None:
        """A message was sent: who watches them go by is told, without the lock."""
        observer = self.observer
        if observer is not None and not receipt.duplicate:
            observer(kind, name, encoded, now, sender, receipt.offset)

    def say(self, group: str, encoded: Encoded) -> None:
        """Append what the host of this layer says itself: it counts as nobody's message.

        It is said in this process only, wherever the layer lives.
        """
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
        members = await self.group_channels(require_group_name(group))
        return joined(self.present(group, members) if self.present is not None else (), members)

    def presence_changed(self, group: str) -> None:
        """Other clients of the host are in a group, or may be; to be called on any thread."""

    @abc.abstractmethod
    async def subscribe(self, group: str, start: Start = "now") -> LogCursor:
        """See `BaseChannelLayer.subscribe`; the log, or its mirror, is in this process."""

    def _cursor(self, group: str, start: Start) -> LogCursor:
        """A cursor on the log that this process has."""
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

    def keep(self, bounds: Bounds) -> None:
        """Hold so much in this process from now on; logs that exist keep their own bounds."""
        for option, value in bounds._asdict().items():
            self.require_positive(option, value)
        self.bounds = self._registry.bounds = bounds

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
        """See `BaseChannelLayer.flush`; here what this process has."""
        with self._lock:
            states = self._registry.flush(self._clock())
            self._held.clear()
        for state in states:
            state.announce()
        self.tell_lost()
        if self.witness is not None:
            self.witness("flushed", {})


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
