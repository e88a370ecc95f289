"""Questions: a message with a reply channel, and the wait for the answer.

A process has one channel for answers, and each question a name of its own behind it: a question
costs two messages, no more, and what is answered twice, or late, meets no other question.
"""

import asyncio
import secrets
import threading
import time
import weakref

from nbchannels.bridge import bridge
from nbchannels.exceptions import (
    ChannelClosed,
    ChannelsError,
    ConsumerFailed,
    NoConsumer,
    WouldDeadlock,
)
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.message import Message
from nbchannels.service import ASK_PREFIX, FAILED, Service, runs_here
from nbchannels.services import Services
from nbchannels.typing import MessageDict

__all__ = ["aask", "require_answerable"]

#: Seconds for which a channel that has answered is not looked at before the next question.
RECENT = 5.0
#: Channels of which that is known.
MOST_KNOWN = 1_000


class _ReplyChannels:
    """The reply channels of this process, and which channels have answered, by layer."""

    def __init__(self) -> None:
        self.forked()
        bridge.listen(self)

    def forked(self) -> None:
        """They belong to the parent, whose lock may be taken."""
        self._own: weakref.WeakKeyDictionary[BaseChannelLayer, str]
        self._own = weakref.WeakKeyDictionary()
        self._answered: weakref.WeakKeyDictionary[BaseChannelLayer, dict[str, float]]
        self._answered = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def exiting(self) -> None:
        """They end with the connection."""

    def answers(self, layer: BaseChannelLayer, channel: str) -> bool:
        """Whether a question to this channel was answered a moment ago."""
        answered = self._answered.get(layer, {}).get(channel, float("-inf"))
        return time.monotonic() - answered < RECENT

    def answered(self, layer: BaseChannelLayer, channel: str) -> None:
        """An answer came."""
        known = self._answered.setdefault(layer, {})
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[channel] = time.monotonic()

    def silent(self, layer: BaseChannelLayer, channel: str) -> None:
        """No answer came."""
        self._answered.get(layer, {}).pop(channel, None)

    async def take(self, layer: BaseChannelLayer) -> str:
        """A channel for one answer: received from by its name, it need not be made or closed."""
        with self._lock:
            own = self._own.get(layer)
        if own is None:
            made = await layer.new_channel(ASK_PREFIX)
            with self._lock:  # somebody may have been faster
                own = self._own.setdefault(layer, made)
            if own != made:
                await layer.close_channel(made)
        return f"{own}.{secrets.token_hex(8)}"  # who answers one question can guess no other


_channels = _ReplyChannels()


async def aask(
    layer: BaseChannelLayer, channel: str, content: MessageDict, seconds: float | None
) -> Message:
    """Send a question and wait for its answer.

    Args:
        layer: the channel's.
        channel: that is asked.
        content: the question; ``reply_channel`` is added to a copy.
        seconds: to wait; ``None`` waits for ever.

    Raises:
        NoConsumer: nobody serves the channel. The question is not left behind, unless the channel
            was served a moment ago.
        ConsumerFailed: the consumer raised.
        TimeoutError: no answer came in time; the question may still be worked on.
        Whatever `BaseChannelLayer.send` raises.
    """
    if not isinstance(content, dict):
        raise TypeError(f"a question is a dict, not a {type(content).__name__}")
    if "reply_channel" in content:
        raise ValueError(
            "the question has a reply_channel of its own; send it with send(), and receive there"
        )
    if not _channels.answers(layer, channel):
        await _require_consumer(layer, channel)
    reply = await _channels.take(layer)
    try:
        async with asyncio.timeout(seconds) as patience:
            answer = await _exchange(layer, channel, {**content, "reply_channel": reply}, reply)
        _channels.answered(layer, channel)
    except TimeoutError:
        _channels.silent(layer, channel)
        if not patience.expired():  # the question could not be sent
            raise
        await _require_consumer(layer, channel)
        raise TimeoutError(
            f"no answer from channel {channel!r} within {seconds:g} s; its consumer may still be "
            "at it, or never sends to message.reply_channel (@consume(…, reply=True) does)"
        ) from None
    except ChannelClosed:
        raise ChannelsError(f"the reply channel of a question to {channel!r} was closed") from None
    if answer.get("type") == FAILED:
        raise ConsumerFailed(
            f"{answer.get('consumer')}, which serves channel {channel!r}, failed: "
            f"{answer.get('error')}"
        )
    return Message(answer, reply, layer)


async def _exchange(
    layer: BaseChannelLayer, channel: str, question: MessageDict, reply: str
) -> MessageDict:
    """Send, and receive; the receiver is there before the answer."""
    receiving = asyncio.ensure_future(layer.receive(reply))
    try:
        await asyncio.sleep(0)
        receipt = await layer.send(channel, question)
        if receipt.members == 0:  # it was served a moment ago
            _channels.silent(layer, channel)
            await _require_consumer(layer, channel)
        return await receiving
    finally:
        receiving.cancel()
        await asyncio.wait({receiving})
        if not receiving.cancelled():
            receiving.exception()  # somebody has looked at it


async def _require_consumer(layer: BaseChannelLayer, channel: str) -> None:
    statistics = await layer.channel_statistics(channel)
    if statistics.get("receivers") == 0 and not statistics.get("recent"):
        raise NoConsumer(
            f"nobody serves channel {channel!r}: run @nb.consume({channel!r}, reply=True) in a "
            "notebook or script, then ask again"
        )


def require_answerable(layer: BaseChannelLayer, channel: str) -> None:
    """Refuse a synchronous question that only this thread could answer.

    Raises:
        WouldDeadlock: it shows what to write.
    """
    services = getattr(layer, "services", None)
    mine: list[Service] = services.on(channel) if isinstance(services, Services) else []
    if mine and all(runs_here(service) for service in mine):
        place = "on this thread" + (", between cells" if mine[0].place == "main" else "")
        raise WouldDeadlock(
            f"Channel({channel!r}).ask(…) waits for {mine[0].name}, which runs {place}: "
            f"await Channel({channel!r}).aask(…)"
        )
