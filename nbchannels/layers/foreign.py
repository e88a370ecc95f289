"""A class that has only Channels' specification, such as ``channels_redis.core.RedisChannelLayer``.

It joins a Django site: what the site sends to a group is heard here, and the other way round. The
specification tells neither members nor positions: receipts say ``None`` there. A group is joined
with one channel of the class; its log, kept here, has only what comes back through that channel,
and begins with the first who listens. Messages of a channel are fetched one by one while somebody
here wants them; from then on they are in this process, and nowhere else.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from nbchannels.bridge import bridge
from nbchannels.decoding import decode
from nbchannels.diagnoses import report
from nbchannels.encoding import Encoded
from nbchannels.exceptions import ChannelsError, LayerUnavailable
from nbchannels.layers.attendance import Attendance
from nbchannels.layers.cursor import Start
from nbchannels.layers.fetching import FetchingLayer
from nbchannels.layers.groups import LogCursor
from nbchannels.layers.lanes import Lanes, Parcel
from nbchannels.layers.mailbox import Dialogue
from nbchannels.layers.producers import Producer, Producers
from nbchannels.layers.pulls import Backoff
from nbchannels.layers.registry import Bounds
from nbchannels.layers.specification import closer_of, method_of, option_of, translated
from nbchannels.names import (
    is_process_local,
    is_valid_channel_name,
    new_channel_name,
    require_channel_name,
    require_group_name,
)
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind

__all__ = ["ForeignChannelLayer"]

T = TypeVar("T")

#: Seconds that one call of the class may take.
PATIENCE = 10.0
#: Groups and channels of which it is known who has sent what.
MOST_TARGETS = 1_000
#: A group that nobody joins: a send to it shows whether the class answers again.
PROBE = "nbchannels.probe"


class ForeignChannelLayer(FetchingLayer):
    """A layer of another class behind the interface of this package.

    All calls of the class are made on one loop, that of `nbchannels.bridge.bridge`. Order is kept
    among messages of this process to one target. A message that was fetched from a channel of the
    class is not given back to it: at most once, beyond this process.

    Args:
        inner: an object with ``send``, ``receive``, ``new_channel``, ``group_add``,
            ``group_discard`` and ``group_send``, as coroutines.
        bounds: what is kept in this process at most.
        clock: seconds since 1970; for tests.
    """

    backend: ClassVar[str] = "foreign"

    def __init__(
        self, inner: Any, *, bounds: Bounds | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        told = {name: option_of(inner, name) for name in ("expiry", "capacity", "group_expiry")}
        options: dict[str, Any] = {
            option: value
            for option, value in told.items()
            if isinstance(value, (int, float)) and value > 0
        }
        self.inner = inner
        self.who = type(inner).__name__
        super().__init__(**options, bounds=bounds, clock=clock)
        self._lanes = Lanes(bridge, self._deliver)
        self._attendance = Attendance(inner, self, self.group_expiry)
        # What is ours in the names that the class makes; None: it makes none that are ours.
        self._nodes: set[str] | None = set()
        # Channels that others receive from, and that were added to groups here.
        self._added: dict[str, dict[str, None]] = {}
        self._sent: dict[tuple[Kind, str], Producers] = {}
        self._probing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<ForeignChannelLayer {self.who}>"

    # The way to the class.

    async def _there(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of the class."""
        if bridge.here:
            return await coroutine
        return await asyncio.wrap_future(bridge.start(coroutine))

    async def _ask(
        self, kind: Kind, name: str, method: Callable[..., Awaitable[T]], *arguments: Any
    ) -> T:
        """Call a method of the class about a group or channel, on its loop.

        Raises:
            ChannelsError: see `translated`.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await method(*arguments)
        except Exception as error:
            told = translated(error, self.who, kind, name, self._capacity_of(name))
            if isinstance(told, LayerUnavailable):
                self.failed(told)
            raise told from error
        self.answered()
        return answer

    def _capacity_of(self, name: str) -> int:
        tell = option_of(self.inner, "get_capacity")
        capacity = tell(name) if callable(tell) else option_of(self.inner, "capacity")
        return capacity if isinstance(capacity, int) else 0

    def get_capacity(self, channel: str) -> int:
        """See `BaseChannelLayer.get_capacity`; as the class has it, if it tells."""
        return self._capacity_of(channel) or super().get_capacity(channel)

    def failed(self, error: Exception) -> None:
        """The class does not answer: that is told, and tried until it does."""
        if self._is_closed:
            return
        if not isinstance(error, ChannelsError):
            error = LayerUnavailable(
                f"{self.who} does not answer ({type(error).__name__}: {error})"
            )
        if self.trouble is None:
            report(
                "layer", f"{error}; what others send to groups meanwhile may be missing",
                subject=f"channel layer {self.alias!r}",
            )  # fmt: skip
        self.trouble = str(error)
        if self._probing is None:
            self._probing = asyncio.get_running_loop().create_task(self._probe())

    def answered(self) -> None:
        """The class answers. What is behind it may have forgotten us: groups are joined again."""
        if self.trouble is not None:
            self.trouble = None
            self._attendance.look()

    async def _probe(self) -> None:
        backoff = Backoff()
        try:
            while self.trouble is not None:
                await backoff.pause()
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self.inner.group_send(PROBE, {"type": PROBE})
                except Exception as error:
                    self.trouble = str(translated(error, self.who, "group", PROBE, 0))
                else:
                    self.answered()
        finally:
            self._probing = None

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
    ) -> "Receipt | Future[Receipt]":
        """See `HostedLayer.submit`; what the specification does not tell is ``None``."""
        if dialogue is not None or (kind == "channel" and self._is_here(name)):
            return self._submit_here(kind, name, encoded, producer, sender, flags, dialogue)
        if self._is_closed:
            raise LayerUnavailable(f"channel layer {self.alias!r} was closed")
        self._require_order(kind, name, producer)
        future: Future[Receipt] = Future()
        self._lanes.add(Parcel(kind, name, encoded, producer, sender, future))
        if kind == "channel" and self.plan(name).scouts:
            self._poke(name)
        return future

    async def _deliver(self, parcel: Parcel) -> Receipt:
        kind, name, producer, now = parcel.kind, parcel.name, parcel.producer, self._clock()
        told = Receipt(kind, name, meaning="foreign")
        known = self._producers_of(kind, name)
        if producer is not None and known.seen(producer, now) is not None:
            return replace(told, duplicate=True)
        self._require_order(kind, name, producer)
        send = self.inner.group_send if kind == "group" else self.inner.send
        try:
            if self.trouble is not None:  # it is being tried; nobody else has to wait for that
                raise LayerUnavailable(self.trouble)
            await self._ask(kind, name, send, name, decode(*parcel.encoded))
        except ChannelsError as error:
            if error.temporary:
                self._refuse(kind, name, producer)
            raise
        if producer is not None:
            known.note(producer, 0, 0, now)
        if kind == "channel":
            with self._lock:
                self._registry.counters["sent"] += 1
        if self.observer is not None and (kind == "channel" or name not in self._attendance):
            self._observe(kind, name, parcel.encoded, now, parcel.sender, told)
        return told

    def _producers_of(self, kind: Kind, name: str) -> Producers:
        """Who has sent what to a target: what a client repeats is not sent twice."""
        known = self._sent.pop((kind, name), None) or Producers()
        self._sent[kind, name] = known
        if len(self._sent) > MOST_TARGETS:
            del self._sent[next(iter(self._sent))]
        return known

    def _is_here(self, channel: str) -> bool:
        """Whether a process-local channel is one of this process."""
        if not is_process_local(channel):
            return False
        boxes = self._registry.mailboxes
        with self._lock:  # what is asked is answered on a name below
            return channel in boxes or channel.rpartition(".")[0] in boxes

    # Groups.

    async def group_add(self, group: str, channel: str) -> None:
        """See `BaseChannelLayer.group_add`; channels of this process get what comes back."""
        require_group_name(group)
        require_channel_name(channel)
        if self._is_here(channel):
            await super().group_add(group, channel)
            await self._there(self._attendance.attend(group))
            return
        await self._there(self._change("group_add", group, channel))
        self._added.setdefault(group, {})[channel] = None

    async def group_discard(self, group: str, channel: str) -> None:
        """See `BaseChannelLayer.group_discard`."""
        await super().group_discard(group, channel)
        if not self._is_here(channel):
            await self._there(self._change("group_discard", group, channel))
            added = self._added.get(group, {})
            added.pop(channel, None)
            if not added:
                self._added.pop(group, None)

    async def _change(self, method: str, group: str, channel: str) -> None:
        try:
            await self._ask("group", group, getattr(self.inner, method), group, channel)
        except LayerUnavailable as error:
            if isinstance(error.__cause__, RuntimeError):
                self.answered()
                refused = ChannelsError(f"{self.who}: {error.__cause__}")
                refused.code = "bad_request"
                raise refused from error
            raise

    async def group_channels(self, group: str) -> list[str]:
        """See `BaseChannelLayer.group_channels`; those that were added by this process."""
        return await super().group_channels(group) + list(self._added.get(group, ()))

    async def subscribe(self, group: str, start: Start = "now") -> LogCursor:
        """See `BaseChannelLayer.subscribe`.

        The first who listens begins the log. If the class does not answer now, the group is joined
        when it does.
        """
        require_group_name(group)
        await self._there(self._attendance.attend(group))
        return self._cursor(group, start)

    def is_heard(self, group: str) -> bool:
        """See `Listener.is_heard`."""
        with self._lock:
            state = self._registry.groups.get(group)
            return state is not None and bool(state.cursors or state.members)

    def begins(self, group: str) -> None:
        """See `Listener.begins`: a log that was left behind has a hole now, and a new epoch."""
        with self._lock:
            state = self._registry.groups.get(group)
            if state is None or not state.log.top:
                return
            self._registry.clear(group, self._clock())
        state.announce()

    def heard(self, group: str, message: Any) -> None:
        """See `Listener.heard`."""
        self.answered()
        try:
            self._submit_here("group", group, self.encode(message))
        except ChannelsError as error:
            self._lost("group", group, error)

    # Channels.

    async def fetch(self, channel: str) -> Any:
        """See `FetchingLayer.fetch`."""
        return await self.inner.receive(channel)

    def is_fetched(self, channel: str) -> bool:
        """See `FetchingLayer.is_fetched`: process-local channels, if the class has named them."""
        return not is_process_local(channel) or channel.partition("!")[0] in (self._nodes or ())

    async def new_channel(self, prefix: str = "specific") -> str:
        """See `BaseChannelLayer.new_channel`; others reach it if the class names such channels."""
        name = None
        if self._nodes is not None:
            name = await self._there(self._ask("channel", prefix, self.inner.new_channel, prefix))
            if is_valid_channel_name(name) and is_process_local(name):
                self._nodes.add(name.partition("!")[0])
            else:
                name, self._nodes = None, None
        if name is None:
            name = new_channel_name(prefix)
        self.open_channel(name)
        return name

    async def channel_statistics(self, channel: str) -> dict[str, Any]:
        """See `BaseChannelLayer.channel_statistics`; of this process. Receivers may be elsewhere.

        So ``receivers`` is ``None``, not known, where there are none here.
        """
        found = await super().channel_statistics(channel)
        if not found["receivers"] and not self._is_here(channel):
            found["receivers"] = None
        return found

    # The layer as a whole.

    async def flush(self) -> None:
        """See `BaseChannelLayer.flush`; also what the class forgets, for all who use it."""
        await super().flush()
        self._added.clear()
        await self._there(self._flush_inner())

    async def _flush_inner(self) -> None:
        await self._stop_pulls()
        flush = method_of(self.inner, "flush")
        if flush is not None:
            await self._ask("group", PROBE, flush)
        await self._attendance.begin_anew()
        with self._lock:
            channels = list(self._registry.mailboxes)
        for channel in channels:
            self._poke(channel)

    async def close(self) -> None:
        """See `BaseChannelLayer.close`: groups are left; nothing of others is forgotten."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._there(self._end())
        with self._lock:
            left = {
                name: len(box.letters)
                for name, box in self._registry.mailboxes.items()
                if box.letters and not is_process_local(name)
            }
        for name, count in left.items():
            report(
                "lost",
                f"{count} message(s) of channel {name!r} are lost: this process had fetched them, "
                "and nobody worked on them before its end",
                subject=name,
            )
        await super().flush()

    async def _end(self) -> None:
        self._lanes.end()
        if self._probing is not None:
            self._probing.cancel()
        await self._stop_pulls()
        await self._attendance.end()
        close = closer_of(self.inner)
        if close is not None:
            async with asyncio.timeout(PATIENCE):
                await close()
