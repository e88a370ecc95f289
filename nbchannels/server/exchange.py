"""One request and its answers: a conversation with a consumer, and a channel for what it replies.

What HTTP and WebSockets have in common here. The messages are those of Channels 1.x's
``http.request`` and ``websocket.*``.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from tornado.httputil import HTTPServerRequest, split_host_and_port

from nbchannels.exceptions import ChannelsError
from nbchannels.layers.hosted import HostedLayer
from nbchannels.names import new_channel_name
from nbchannels.server.credentials import Secrets, without_credentials
from nbchannels.server.refusals import Lost
from nbchannels.typing import MessageDict

__all__ = ["LINGER", "Conversation", "Exchange", "Gone", "Router", "describe_request"]

#: Seconds that replies which were sent before the end may take to arrive.
GRACE = 0.05
#: Seconds that a last message (``….disconnect``) waits for its consumer.
LINGER = 60.0

log = logging.getLogger("nbchannels")


class Conversation(Protocol):
    """The messages of one request or one WebSocket: they all go to whoever took the first."""

    def send(self, channel: str, content: MessageDict) -> None:
        """Send the next message.

        Raises:
            ChannelFull: too many wait.
            LayerUnavailable: nothing can be sent now.
        """

    def close(self) -> None:
        """It is over: what still waits is dropped."""


class Router(Protocol):
    """Which consumers there are, on this server and in its kernels."""

    def serves(self, channel: str, content: MessageDict) -> bool:
        """Whether some consumer's route matches this message."""

    def converse(self, lost: Callable[[str, str], None]) -> Conversation:
        """A new conversation.

        Args:
            lost: called on the server's loop with why it ended (``died``, ``failed`` or
                ``expired``) and a sentence.
        """


class Gone(ChannelsError):
    """The client has gone."""

    code = "aborted"


class Exchange:
    """A conversation, and the channel that its answers come on. For one event loop.

    Args:
        layer: where the channel is.
        router: begins the conversation.
        prefix: of the channel's name.

    Attributes:
        reply_channel: the name of the channel; consumers find it in each message.
    """

    def __init__(self, layer: HostedLayer, router: Router, prefix: str) -> None:
        self._layer = layer
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Exception] = self._loop.create_future()
        self._receiving: asyncio.Task[MessageDict] | None = None
        self._is_closed = False
        self.reply_channel = new_channel_name(prefix)
        layer.open_channel(self.reply_channel)
        # Whoever replies while we write is not told that nobody receives: we have, just now.
        layer.take(self.reply_channel, None)
        self._conversation = router.converse(self._lost)

    def __repr__(self) -> str:
        return f"<Exchange {self.reply_channel!r}>"

    def send(self, channel: str, content: MessageDict) -> None:
        """Send the next message; see `Conversation.send`."""
        if not self._is_closed:
            self._conversation.send(channel, {"reply_channel": self.reply_channel} | content)

    # How it ends.

    def _lost(self, why: str, sentence: str) -> None:
        self._end(Lost(why, sentence))

    def leave(self) -> None:
        """The client has gone: whoever waits in `reply` is told."""
        self._end(Gone("the client has gone"))

    def _end(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_result(error)

    # Answers.

    def listen(self) -> None:
        """Begin to receive the next answer."""
        if self._receiving is None:
            self._receiving = self._loop.create_task(self._layer.receive(self.reply_channel))

    @property
    def has_news(self) -> bool:
        """Whether `reply` has something to say at once."""
        return self._ended.done() or (self._receiving is not None and self._receiving.done())

    async def wait(self, seconds: float | None) -> bool:
        """Wait for news; whether there are some."""
        self.listen()
        assert self._receiving is not None
        if not self.has_news:
            either: set[asyncio.Future[Any]] = {self._receiving, self._ended}
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self.has_news

    async def reply(self, seconds: float | None) -> MessageDict:
        """The next answer. Those that were sent before the end come before it.

        Args:
            seconds: to wait; ``None`` waits for ever.

        Raises:
            Lost: the conversation has ended.
            Gone: `leave` was called.
            TimeoutError: no answer in time.
            EncodingError: one that cannot be read.
        """
        has_news = await self.wait(seconds)
        receiving = self._receiving
        assert receiving is not None
        error = self._ended.result() if self._ended.done() else None
        if not receiving.done() and isinstance(error, Lost):
            await asyncio.wait({receiving}, timeout=GRACE)
        if receiving.done() and not isinstance(error, Gone):
            self._receiving = None
            return receiving.result()
        if error is not None:
            raise error
        assert not has_news
        raise TimeoutError

    async def close(self, *, linger: bool = False) -> None:
        """Give the channel back, and end the conversation.

        Args:
            linger: whether a last message was sent that still has to reach its consumer.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if linger and not self._ended_by_loss:
            self._loop.call_later(LINGER, self._conversation.close)
        else:
            self._conversation.close()
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.wait({self._receiving})
            if not self._receiving.cancelled():
                self._receiving.exception()  # somebody has looked at it
        await self._layer.close_channel(self.reply_channel)

    @property
    def _ended_by_loss(self) -> bool:
        return self._ended.done() and isinstance(self._ended.result(), Lost)


class Addresses(NamedTuple):
    """Both ends of a connection, as ``[host, port]``."""

    client: list[Any] | None
    server: list[Any] | None


def describe_request(
    request: HTTPServerRequest, path: str, root_path: str, secrets: Secrets
) -> MessageDict:
    """What ``http.request`` and ``websocket.connect`` tell of a request.

    ``path`` (decoded), ``root_path``, ``query_string`` (bytes, not decoded), ``headers`` (a list of
    ``[bytes name in lower case, bytes value]``, repeated ones as they came), ``client`` and
    ``server`` (``[host, port]`` or ``None``). Jupyter's credentials are not in it.

    Args:
        request: tornado's.
        path: below the mount, decoded.
        root_path: the mount.
        secrets: of this request.
    """
    headers, query = without_credentials(request.headers.get_all(), request.query, secrets)
    addresses = _addresses(request)
    return {
        "path": path,
        "root_path": root_path,
        "query_string": query.encode("latin-1", "replace"),
        "headers": [
            [name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace")]
            for name, value in headers
        ],
        "client": addresses.client,
        "server": addresses.server,
    }


def _addresses(request: HTTPServerRequest) -> Addresses:
    address = getattr(getattr(request.connection, "context", None), "address", None)
    port = address[1] if isinstance(address, tuple) and len(address) > 1 else 0
    client = [request.remote_ip, port] if request.remote_ip else None
    host, said = split_host_and_port(request.host)
    return Addresses(client, [host, said or (443 if request.protocol == "https" else 80)])
