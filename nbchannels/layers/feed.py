"""One subscription as the server sees it: what was sent of a log, and how much is unacknowledged.

Replay, live messages, slow readers, gaps and new epochs are one loop: look at the log, send what
the window admits. A slow reader costs nothing but its place. The frames of a flush are shared: all
feeds that stand at one offset send the same `Batch`.
"""

from collections import deque
from typing import Literal, Protocol

from nbchannels.layers.cursor import Anchor
from nbchannels.layers.groups import LogCursor
from nbchannels.layers.log import Log
from nbchannels.protocol.codec import MAX_RECORDS
from nbchannels.protocol.events import Control, Gap, Position, Subscribed

__all__ = ["Batch", "Feed", "Sink"]

#: Bytes of one binary message, unless a single record is larger.
MAX_BATCH = 64 * 1024


class Batch:
    """Consecutive records of a log, joined for the wire.

    Attributes:
        data: the joined records.
        count: how many.
        last: the offset of the last.
        frame: the host's WebSocket frame around ``data``, once somebody has made it.
    """

    __slots__ = ("count", "data", "frame", "last")

    def __init__(self, data: bytes, count: int, last: int) -> None:
        self.data = data
        self.count = count
        self.last = last
        self.frame: bytes | None = None


class Sink(Protocol):
    """The connection that a feed writes to."""

    @property
    def writable(self) -> bool:
        """Whether it takes more now; if not, it pumps its feeds again when it does."""

    def write(self, batch: Batch) -> bool:
        """Send a batch; False, and nothing sent, if it takes no more now."""

    def tell(self, control: Control) -> None:
        """Send a control record, in order with the batches."""


class Feed:
    """What one connection gets of one group.

    Args:
        sink: the connection.
        cursor: fresh; the feed uses its group and its registration, and keeps its own place.
        mode: ``"log"``: a reader that falls behind goes on from the log; ``"latest"``: it jumps to
            the newest.
        window: messages unacknowledged at most.
        window_bytes: bytes unacknowledged at most; an empty window admits one message of any size.
    """

    __slots__ = (
        "_bytes",
        "_inflight",
        "_late",
        "_messages",
        "_stuck",
        "acked",
        "cursor",
        "log",
        "mode",
        "sent",
        "sink",
        "window",
        "window_bytes",
    )

    def __init__(
        self,
        sink: Sink,
        cursor: LogCursor,
        mode: Literal["log", "latest"],
        window: int,
        window_bytes: int,
    ) -> None:
        self.sink = sink
        self.cursor = cursor
        self.mode = mode
        self.window = window
        self.window_bytes = window_bytes
        self.log: Log = cursor.log
        #: The last offset sent, as a message or inside a gap; and the last one acknowledged.
        self.sent = self.acked = cursor.anchor.offset
        # Batches without an acknowledgement: their last offset, messages and bytes; and the sums.
        self._inflight: deque[tuple[int, int, int]] = deque()
        self._messages = self._bytes = 0
        self._late = False
        # The next message does not fit: nothing is looked at until something is acknowledged.
        self._stuck = False

    def subscribed(self, anchor: Anchor) -> Subscribed:
        """The control record that says where the messages begin."""
        return Subscribed(
            self.cursor.group,
            anchor.log,
            anchor.epoch,
            anchor.offset,
            anchor.tag,
            anchor.top,
            anchor.recovered,
            anchor.reason,
            anchor.cleared,
            anchor.lost,
        )

    def pump(self, batches: dict[int, Batch]) -> None:
        """Send what the log has and the window admits.

        Args:
            batches: made in this flush of this group, by the offset before them; shared by its
                feeds.
        """
        sink = self.sink
        while True:
            log = self.log
            if self.cursor.state.log is not log:
                if not sink.writable:  # a reader that is stuck is told once, of the last epoch
                    return
                self._go_over()
                continue
            sent = self.sent
            if sent >= log.top:
                return
            room = self.window - self._messages
            if room <= 0 or self._stuck:
                self._late = True
                return
            if self._late and self.mode == "latest":
                if not sink.writable:
                    return
                self._jump()
                continue
            batch = batches.get(sent)
            if batch is None:
                if not sink.writable:  # so that a stuck reader is not told gap after gap
                    return
                batch = self._batch(sent, MAX_RECORDS, MAX_BATCH)
                if batch is None:
                    continue
                batches[sent] = batch
            size = len(batch.data)
            space = self.window_bytes - self._bytes
            if batch.count > room or (size > space and (self._bytes or batch.count > 1)):
                if not sink.writable:
                    return
                batch = self._batch(sent, room, min(space, MAX_BATCH))
                if batch is None:
                    continue
                size = len(batch.data)
                if self._bytes and size > space:
                    self._late = self._stuck = True
                    return
            if not sink.write(batch):
                return
            self.sent = batch.last
            self._inflight.append((batch.last, batch.count, size))
            self._messages += batch.count
            self._bytes += size

    def _batch(self, sent: int, limit: int, max_bytes: int) -> Batch | None:
        with self.cursor.lock:
            entries = self.log.after(sent, limit, max_bytes)
        first = entries[0].offset
        if first != sent + 1:
            self._skip(first - 1, "trimmed")
            return None
        if len(entries) == 1:
            return Batch(entries[0].data, 1, first)
        return Batch(b"".join([e.data for e in entries]), len(entries), entries[-1].offset)

    def _jump(self) -> None:
        self._late = False
        if self.log.top - self.sent > 1:
            self._skip(self.log.top - 1, "conflated")

    def _skip(self, last: int, reason: Literal["trimmed", "conflated"]) -> None:
        self.sink.tell(Gap(self.log.number, self.sent + 1, last, reason))
        self.sent = last

    def _go_over(self) -> None:
        """The group has a new log: announce it, and begin at its oldest entry."""
        with self.cursor.lock:
            old, new = self.log, self.cursor.state.log
            anchor = new.locate(Position(old.epoch, self.sent, old.tag_at(self.sent)))
        self.log = new
        self.sent = self.acked = anchor.offset
        self._inflight.clear()
        self._messages = self._bytes = 0
        self._late = self._stuck = False
        self.sink.tell(self.subscribed(anchor))

    def acknowledge(self, offset: int) -> None:
        """The client has processed up to ``offset``.

        An offset beyond what was sent belongs to the subscription that this feed replaced.
        """
        offset = min(offset, self.sent)
        if offset > self.acked:
            self.acked = offset
        inflight = self._inflight
        while inflight and inflight[0][0] <= offset:
            _, messages, size = inflight.popleft()
            self._messages -= messages
            self._bytes -= size
            self._stuck = False
        if inflight:
            # Part of a batch: its messages leave the window, its bytes when all of it is processed.
            last, messages, size = inflight[0]
            rest = min(messages, last - offset)
            self._messages -= messages - rest
            inflight[0] = (last, rest, size)
