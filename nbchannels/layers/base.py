"""The layer contract: Channels 4's, and what nbchannels promises beyond it.

``nbchannels.testing.layers`` is its conformance suite: every layer runs it, third parties' too.
"""

import abc
import asyncio
import fnmatch
import importlib
import re
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, ClassVar

from nbchannels.decoding import decode
from nbchannels.encoding import MAX_MESSAGE, Encoded, encode
from nbchannels.exceptions import (
    ChannelFull,
    ChannelsError,
    DeliveryUnknown,
    InvalidChannelLayerError,
    MessageTooLarge,
)
from nbchannels.layers.bindings import compiled_glob, is_glob
from nbchannels.layers.cursor import Cursor, Page, Start
from nbchannels.layers.leases import Lease, Outcome
from nbchannels.layers.presence import joined
from nbchannels.names import require_channel_name, require_group_name
from nbchannels.protocol.events import Record
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind, MessageDict

__all__ = ["BaseChannelLayer", "Limits"]

#: Limits that consumers have said for their channels.
MOST_OVERRIDES = 1_000

_Globs = Mapping[str | re.Pattern[str], Any]  # a user wrote it: its values are checked


class Limits:
    """A default, and exceptions to it by glob or compiled pattern; the first match counts."""

    def __init__(self, option: str, default: float, exceptions: _Globs | None = None) -> None:
        self.default = default
        self._names: dict[str, float] = {}
        self._globs: dict[str, tuple[re.Pattern[str], float]] = {}
        self._patterns: list[tuple[re.Pattern[str], float]] = []
        for pattern, value in (exceptions or {}).items():
            if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
                raise InvalidChannelLayerError(
                    f"{option}: {pattern!r} has {value!r}; it must be a number above 0"
                )
            compiled = (
                pattern
                if isinstance(pattern, re.Pattern)
                else re.compile(fnmatch.translate(pattern))
            )
            self._patterns.append((compiled, value))

    def override(self, channel: str, value: float) -> None:
        """From now on ``value`` holds for a name, or for the names that a glob means.

        Names come before globs, and of globs the newest comes first. The oldest of more than 1,000
        names, or globs, is forgotten.
        """
        if is_glob(channel):
            self._globs.pop(channel, None)
            self._globs = {channel: (compiled_glob(channel), value), **self._globs}
            if len(self._globs) > MOST_OVERRIDES:
                self._globs.popitem()
        else:
            self._names.pop(channel, None)
            self._names[channel] = value
            if len(self._names) > MOST_OVERRIDES:
                del self._names[next(iter(self._names))]

    def of(self, name: str) -> float:
        """The value that holds for ``name``."""
        if name in self._names:
            return self._names[name]
        for pattern, value in (*self._globs.values(), *self._patterns):
            if pattern.match(name):
                return value
        return self.default


class BaseChannelLayer(abc.ABC):
    """Channels and groups, wherever they live.

    Everything is thread-safe. Coroutines may be awaited on any event loop. `submit` is for callers
    that have encoded already, or that do not want to wait.

    Args:
        expiry: seconds that a message waits for a receiver before it is counted as expired.
        capacity: messages that wait in a channel before `ChannelFull`.
        channel_capacity: other capacities, by glob or compiled pattern of the channel's name.
        group_expiry: seconds after its last use that a group is forgotten.

    Source: Channels' channel layer specification; the defaults are Channels' own.
    """

    #: As in Channels: the errors stand on the layer too.
    ChannelFull: ClassVar[type[ChannelFull]] = ChannelFull
    MessageTooLarge: ClassVar[type[MessageTooLarge]] = MessageTooLarge
    extensions: ClassVar[list[str]] = ["groups", "flush", "statistics", "history"]
    #: Makes `router`. By its path, as a BACKEND: routing stands on layers, not layers on routing.
    ROUTER: ClassVar[str] = "nbchannels.consuming.router_of"
    #: The largest encoded message, in bytes.
    max_message: int = MAX_MESSAGE

    def __init__(
        self,
        expiry: float = 60,
        capacity: int = 100,
        channel_capacity: _Globs | None = None,
        group_expiry: float = 86400,
    ) -> None:
        options: dict[str, Any] = {
            "expiry": expiry,
            "capacity": capacity,
            "group_expiry": group_expiry,
        }
        for option, value in options.items():
            self.require_positive(option, value)
        #: Set by the manager: the name it is configured under.
        self.alias = "default"
        self.expiry = expiry
        self.capacity = capacity
        self.channel_capacity = channel_capacity or {}
        self.group_expiry = group_expiry
        #: Routes that the configuration has for it: ``ROUTING``.
        self.routing: Any = None
        self._router: Any = None
        self._capacities = Limits("channel_capacity", capacity, channel_capacity)

    @property
    def router(self) -> Any:
        """The consumers of this process: ``channels``, a set, and ``match(message)``.

        Source: the Channels 1.x Reference, "Channel Layer".
        """
        if self._router is not None:
            return self._router
        module, _, name = self.ROUTER.rpartition(".")
        return getattr(importlib.import_module(module), name)(self)

    @router.setter
    def router(self, router: Any) -> None:
        """Whoever hosts the layer has another one."""
        self._router = router

    # Sending.

    async def send(self, channel: str, message: MessageDict) -> Receipt:
        """Put ``message`` at the back of ``channel``; exactly one receiver gets it.

        Raises:
            ChannelFull: its capacity is reached; the message was not stored.
            InvalidName, InvalidMessage, EncodingError, MessageTooLarge: nothing was sent.
        """
        name, encoded = require_channel_name(channel), self.encode(message)
        await self._has_room(encoded)
        return await self._done(self.submit("channel", name, encoded))

    async def group_send(self, group: str, message: MessageDict) -> Receipt:
        """Append ``message`` to the log of ``group`` and put it into every member channel.

        A member that is full does not get it; the receipt counts that, it is no error.

        Raises:
            InvalidName, InvalidMessage, EncodingError, MessageTooLarge: nothing was sent.
        """
        name, encoded = require_group_name(group), self.encode(message)
        await self._has_room(encoded)
        return await self._done(self.submit("group", name, encoded))

    @abc.abstractmethod
    def submit(
        self, kind: Kind, name: str, encoded: Encoded, *, receipt: bool = True
    ) -> "Receipt | Future[Receipt]":
        """Send an encoded message to a group or a channel, without waiting.

        From one thread, messages to one target keep their order.

        Args:
            kind: ``"group"`` or ``"channel"``.
            name: a valid name (the caller has checked it).
            encoded: what `encode` returned.
            receipt: whether the receipt's numbers are wanted; without, they may be ``None``.

        Returns:
            The receipt, or a future of it. The future raises what `send` would raise.

        Raises:
            ChannelFull, LayerUnavailable: where it is known at once.
        """

    def give_up(self, pending: "Future[Receipt]", seconds: float) -> ChannelsError:
        """Stop waiting for a submitted message; return the error that says what that means.

        A message that was not written yet is withdrawn (`SendTimeout`: it will not arrive); one
        that was stays on its way (`DeliveryUnknown`: it may).

        Args:
            pending: what `submit` returned.
            seconds: how long was waited.
        """
        return DeliveryUnknown(
            f"no acknowledgement within {seconds:g} s; the message may have arrived", pending
        )

    # Receiving.

    @abc.abstractmethod
    async def receive(self, channel: str) -> MessageDict:
        """Wait for the next message of ``channel`` and remove it.

        Cancelling is safe: no message is lost. Of several receivers, the longest waiting gets it.
        Messages that waited longer than ``expiry`` are never returned.

        Raises:
            ChannelClosed: `close_channel` was called.
        """

    @abc.abstractmethod
    async def lease(self, channel: str) -> Lease:
        """Wait for the next message of ``channel`` and hold it until it is settled.

        As `receive`, but at least once: what is not settled when its holder is gone goes to
        somebody else, marked ``redelivered``.

        Raises:
            ChannelClosed: `close_channel` was called.
        """

    @abc.abstractmethod
    async def settle(
        self, lease: Lease, outcome: Outcome = "done", error: str = "", traceback: str = ""
    ) -> None:
        """Say what became of a leased message. A lease that is settled already is left alone.

        Args:
            lease: what `lease` returned.
            outcome: ``done``; ``return``: to the front of its channel; ``later``: to the back, and
                after 10 times to the dead letters; ``fail``: to the dead letters.
            error: why, in a sentence, for the dead letters.
            traceback: where, for the dead letters.
        """

    @abc.abstractmethod
    async def dead_letters(
        self, limit: int = 100, channel: str | None = None
    ) -> list[dict[str, Any]]:
        """The messages that were given up, newest first; see `DeadLetter.describe` for the keys.

        Kept are the newest 1,000, and of them 16 MiB.
        """

    @abc.abstractmethod
    async def resend(self, number: int) -> Receipt:
        """Put a dead letter back into its channel, as if it were new.

        Raises:
            NotFound: there is none of this number.
            ChannelFull: it stays with the dead letters.
        """

    @abc.abstractmethod
    async def discard(self, number: int) -> None:
        """Forget a dead letter.

        Raises:
            NotFound: there is none of this number.
        """

    @abc.abstractmethod
    async def new_channel(self, prefix: str = "specific") -> str:
        """A new process-local channel, ``prefix.…!…``; end it with `close_channel`."""

    @abc.abstractmethod
    async def close_channel(self, channel: str) -> None:
        """End a process-local channel: it leaves its groups, its messages are dropped."""

    # Groups.

    @abc.abstractmethod
    async def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group``. Idempotent."""

    @abc.abstractmethod
    async def group_discard(self, group: str, channel: str) -> None:
        """Remove ``channel`` from ``group``. No error if it was none of its members."""

    @abc.abstractmethod
    async def group_channels(self, group: str) -> list[str]:
        """The member channels, in the order in which they came."""

    async def presence(self, group: str) -> list[dict[str, Any]]:
        """Who is in a group: subscribers and members, as far as this layer knows them.

        Returns:
            Of each ``kind`` (``page``, ``kernel``, ``script``; ``channel`` for one that is
            nobody's), ``user``, ``label`` (a notebook's path, a script's name, a channel),
            ``connection``, ``since`` (seconds since 1970), ``here`` (whether it is a client of the
            server that was asked), ``as`` (``subscriber`` or ``member``), and of members
            ``channel``. A layer that knows no clients tells its members.
        """
        return joined([], await self.group_channels(require_group_name(group)))

    @abc.abstractmethod
    async def subscribe(self, group: str, start: Start = "now") -> Cursor:
        """A cursor on the group's log; ``cursor.anchor`` says where it stands."""

    @abc.abstractmethod
    async def read(self, group: str, start: Start = "earliest", limit: int = 256) -> Page:
        """At most ``limit`` entries of the group's log (fewer if they are large), oldest first."""

    @abc.abstractmethod
    async def clear(self, group: str) -> None:
        """Forget the log of ``group`` and start a new epoch; its subscribers are told."""

    # The layer as a whole.

    @abc.abstractmethod
    async def names(self) -> dict[str, list[str]]:
        """The names in use: ``{"groups": [...], "channels": [...]}``, at most 500 of each."""

    @abc.abstractmethod
    async def group_statistics(self, group: str) -> dict[str, Any]:
        """``members``, ``subscribers``, ``messages``, ``bytes``, ``epoch``, ``offset``."""

    @abc.abstractmethod
    async def channel_statistics(self, channel: str) -> dict[str, Any]:
        """What waits in a channel, and what went through it.

        Returns:
            ``waiting`` (messages), ``bytes``, ``oldest`` (seconds that the first has waited),
            ``capacity``, ``expiry``, ``receivers``, ``recent`` (whether somebody received a moment
            ago); and since the channel is known ``sent``, ``received``, ``dropped``, ``expired``.
        """

    @abc.abstractmethod
    async def statistics(self) -> dict[str, Any]:
        """Counters of the layer: groups, channels, sent, dropped, expired, bytes."""

    @abc.abstractmethod
    async def flush(self) -> None:
        """Forget everything: all messages, members and logs (subscribers get new epochs)."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Give resources back. The layer is not used afterwards."""

    # For implementations.

    def encode(self, message: Any) -> Encoded:
        """Encode ``message``, with this layer's limit."""
        return encode(message, self.max_message)

    def get_capacity(self, channel: str) -> int:
        """The capacity that holds for ``channel``, in messages."""
        return int(self._capacities.of(channel))

    @staticmethod
    def require_positive(option: str, value: Any) -> None:
        """Raise `InvalidChannelLayerError` unless ``value`` is a number above 0."""
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
            raise InvalidChannelLayerError(f"{option} is {value!r}; it must be a number above 0")

    @staticmethod
    def decode(record: Record) -> MessageDict:
        """The message in a record that a cursor or `read` gave."""
        return decode(record.codec, record.body)

    async def _has_room(self, encoded: Encoded) -> None:
        """Wait until `submit` takes this without blocking, where it could block."""
        return

    @staticmethod
    async def _done(result: "Receipt | Future[Receipt]") -> Receipt:
        if isinstance(result, Receipt):
            return result
        return await asyncio.wrap_future(result)
