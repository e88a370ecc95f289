"""``Channel`` and ``Group``: what one types in a cell, a consumer or a script.

Each method has an async twin with ``a`` in front. Constructor and ``send``, ``add``, ``discard``
are those of the Channels 1.x Reference; what is new returns, reads and tells.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal, overload

from nbchannels.asking import aask, require_answerable
from nbchannels.bridge import bridge
from nbchannels.exceptions import WouldDeadlock
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.cursor import Start
from nbchannels.layers.manager import DEFAULT_CHANNEL_LAYER, get_channel_layer
from nbchannels.message import Message
from nbchannels.names import require_channel_name, require_group_name
from nbchannels.pending import (
    SEND_TIMEOUT,
    Batch,
    NobodyListens,
    PendingReceipt,
    expect,
    tell,
    tell_later,
    wait_for,
)
from nbchannels.reading import Listener, Stream, Subscription, history, listen, messages
from nbchannels.receipt import Receipt
from nbchannels.recording.recorder import Recorder, arecord, record
from nbchannels.tables import to_dataframe
from nbchannels.typing import Kind, MessageDict

__all__ = ["Batch", "Channel", "Group", "NobodyListens", "expect"]


class _Target:
    """What a channel and a group have in common: a name on a layer, and sending to it."""

    kind: ClassVar[Kind]

    def __init__(
        self,
        name: str | bytes,
        alias: str = DEFAULT_CHANNEL_LAYER,
        channel_layer: BaseChannelLayer | None = None,
    ) -> None:
        if isinstance(name, bytes):
            name = name.decode("ascii", "replace")
        check = require_group_name if self.kind == "group" else require_channel_name
        self.name = check(name)
        self._alias = alias
        self._layer = channel_layer

    @property
    def channel_layer(self) -> BaseChannelLayer:
        """The layer that messages go to: the one given, or the one of the alias."""
        return self._layer if self._layer is not None else get_channel_layer(self._alias)

    @overload
    def send(
        self, content: MessageDict, immediately: bool = False, *, wait: Literal[True] = True,
        timeout: float = SEND_TIMEOUT,
    ) -> Receipt: ...  # fmt: skip

    @overload
    def send(
        self, content: MessageDict, immediately: bool = False, *, wait: Literal[False],
        timeout: float = SEND_TIMEOUT,
    ) -> Receipt | PendingReceipt: ...  # fmt: skip

    def send(
        self,
        content: MessageDict,
        immediately: bool = False,
        *,
        wait: bool = True,
        timeout: float = SEND_TIMEOUT,
    ) -> Receipt | PendingReceipt:
        """Send a message and wait until the layer has it.

        Args:
            content: a dict, or a DataFrame; see `nbchannels.encoding.encode` for what it may hold.
            immediately: accepted for Channels 1.x; every send here is immediate.
            wait: with ``False`` it is queued, and a `PendingReceipt` returned.
            timeout: seconds to wait.

        Returns:
            The receipt: who got it. Its repr says it in a sentence.

        Raises:
            InvalidMessage, EncodingError, MessageTooLarge: nothing was sent.
            ChannelFull: the channel's capacity is reached; nothing was sent.
            LayerUnavailable: nothing can be sent now; the sentence says what to do.
            SendTimeout: not written within ``timeout``; it will not arrive.
            DeliveryUnknown: written, but not acknowledged within ``timeout``; wait on with its
                ``receipt``.
            WouldDeadlock: on the connection's own thread; nothing was sent.
        """
        if wait and bridge.here:
            raise WouldDeadlock(
                f"{self!r}.send(...) on the thread {bridge.name!r}, which would have to answer it; "
                f"await {self!r}.asend(...), or send(..., wait=False)"
            )
        layer = self.channel_layer
        result = layer.submit(self.kind, self.name, layer.encode(content))
        if isinstance(result, Receipt):
            return tell(result)
        if not wait:
            result.add_done_callback(tell_later)
            return PendingReceipt(layer, self._shown, result)
        return tell(wait_for(layer, result, timeout, self._shown))

    async def asend(self, content: MessageDict) -> Receipt:
        """The async twin of `send`."""
        layer = self.channel_layer
        send = layer.group_send if self.kind == "group" else layer.send
        return tell(await send(self.name, content))

    def batch(self, timeout: float = SEND_TIMEOUT) -> Batch:
        """Many messages, fast: queued one by one, and waited for together at the end.

        ::

            with Group("index").batch() as out:
                for y in values:
                    out.send({"y": y})

        Args:
            timeout: seconds to wait at the end, after the last progress.
        """
        return Batch(self.channel_layer, self.kind, self.name, timeout)

    @property
    def _shown(self) -> str:
        return f"{self.kind} {self.name!r}"

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.name == self.name

    def __hash__(self) -> int:
        return hash((self.kind, self.name))


class Channel(_Target):
    """A queue with a name: each message goes to exactly one receiver.

    Args:
        name: of the channel.
        alias: of the layer, in the configuration.
        channel_layer: the layer itself, instead of an alias.

    Raises:
        InvalidName: the name is of bad form.

    Source: the Channels 1.x Reference, "Channel".
    """

    kind = "channel"

    def ask(self, content: MessageDict, timeout: float | None = 5.0) -> Message:
        """Send a question and wait for its answer.

        The message gets a ``reply_channel``; whoever consumes it answers there.

        Args:
            content: a dict.
            timeout: seconds to wait; ``None`` waits for ever.

        Raises:
            NoConsumer: nobody serves this channel.
            ConsumerFailed: its consumer raised.
            TimeoutError: no answer came in time.
            WouldDeadlock: only this thread could answer.
            ChannelFull, LayerUnavailable, InvalidMessage: as `send`.
        """
        require_answerable(self.channel_layer, self.name)
        return bridge.run(self.aask(content, timeout))

    async def aask(self, content: MessageDict, timeout: float | None = 5.0) -> Message:  # noqa: ASYNC109 - as its twin
        """The async twin of `ask`; cancelling it stops the waiting, not the consumer."""
        return await aask(self.channel_layer, self.name, content, timeout)

    async def areceive(self, timeout: float | None = None) -> Message:  # noqa: ASYNC109 - as its twin
        """The async twin of `receive`."""
        layer = self.channel_layer
        async with asyncio.timeout(timeout):
            return Message(await layer.receive(self.name), self.name, layer)

    def receive(self, timeout: float | None = None) -> Message:
        """Wait for the next message and remove it.

        Raises:
            TimeoutError: none came within ``timeout`` seconds.
        """
        return bridge.run(self.areceive(timeout))


class Group(_Target):
    """A named set of channels, with a log of what was sent to it.

    Args:
        name: of the group.
        alias: of the layer, in the configuration.
        channel_layer: the layer itself, instead of an alias.

    Raises:
        InvalidName: the name is of bad form.

    Source: the Channels 1.x Reference, "Group".
    """

    kind = "group"

    # Members.

    def add(self, channel: Channel | str) -> None:
        """Make a channel a member. Idempotent."""
        bridge.run(self.aadd(channel))

    async def aadd(self, channel: Channel | str) -> None:
        """The async twin of `add`."""
        await self.channel_layer.group_add(self.name, _name(channel))

    def discard(self, channel: Channel | str) -> None:
        """Remove a channel, if it is a member."""
        bridge.run(self.adiscard(channel))

    async def adiscard(self, channel: Channel | str) -> None:
        """The async twin of `discard`."""
        await self.channel_layer.group_discard(self.name, _name(channel))

    @property
    def channels(self) -> list[str]:
        """The names of the member channels."""
        return bridge.run(self.achannels())

    async def achannels(self) -> list[str]:
        """The async twin of `channels`."""
        return await self.channel_layer.group_channels(self.name)

    def presence(self) -> list[dict[str, Any]]:
        """Who is in this group: kernels with their notebook, pages, scripts, and members.

        Taken from the live connections; see `BaseChannelLayer.presence` for the keys.
        """
        return bridge.run(self.apresence())

    async def apresence(self) -> list[dict[str, Any]]:
        """The async twin of `presence`."""
        return await self.channel_layer.presence(self.name)

    def __len__(self) -> int:
        return len(self.channels)

    def __bool__(self) -> bool:
        """A group is always true, also one without members."""
        return True

    # Reading.

    def listen(self, since: Start = "now", timeout: float | None = None) -> Listener:
        """Messages as they come, from this call on.

        Args:
            since: ``"now"``, ``"earliest"``, ``Last(n)`` or a position.
            timeout: ends when nothing has come for so many seconds; ``None`` waits for ever.
        """
        return listen(self.channel_layer, self.name, since, timeout)

    def __aiter__(self) -> Stream:
        return messages(self.channel_layer, self.name)

    def alisten(self, since: Start = "now") -> Stream:
        """``async for``, with a beginning of your choice."""
        return messages(self.channel_layer, self.name, since)

    def subscribe(self, callback: Callable[[Message], Any], since: Start = "now") -> Subscription:
        """Call ``callback`` with each message; ``.close()`` on what this returns ends it.

        A plain function runs on a thread of its own, a coroutine function on the loop for user
        code. An exception is told when the cell ends, and the next message is still delivered.
        """
        return Subscription(self.channel_layer, self.name, callback, since)

    def history(self, n: int = 100) -> list[Message]:
        """The last ``n`` messages that are kept, oldest first."""
        return bridge.run(self.ahistory(n))

    async def ahistory(self, n: int = 100) -> list[Message]:
        """The async twin of `history`."""
        return await history(self.channel_layer, self.name, n)

    def to_dataframe(self, n: int = 10_000) -> Any:
        """The last ``n`` messages as a ``pandas.DataFrame``, indexed by their time."""
        return to_dataframe(self.history(n))

    def record(
        self,
        path: str | os.PathLike[str],
        *,
        history: bool | int = False,
        redact: Iterable[str] = (),
        overwrite: bool = False,
    ) -> Recorder:
        """Record what is sent to this group into an MCAP file, from this call on.

        ::

            with Group("run").record("run.mcap"):
                ...

        See `nbchannels.recording.recorder.record`, which takes several groups.
        """
        return record(
            path, self, history=history, redact=redact, overwrite=overwrite,
            channel_layer=self.channel_layer,
        )  # fmt: skip

    async def arecord(
        self,
        path: str | os.PathLike[str],
        *,
        history: bool | int = False,
        redact: Iterable[str] = (),
        overwrite: bool = False,
    ) -> Recorder:
        """The async twin of `record`."""
        return await arecord(
            path, self, history=history, redact=redact, overwrite=overwrite,
            channel_layer=self.channel_layer,
        )  # fmt: skip

    def clear(self) -> None:
        """Forget the log and start a new epoch: every view of the group is emptied."""
        bridge.run(self.aclear())

    async def aclear(self) -> None:
        """The async twin of `clear`."""
        await self.channel_layer.clear(self.name)


def _name(channel: Channel | str) -> str:
    return channel.name if isinstance(channel, Channel) else channel
