"""The rest of a large body: chunks on a channel of its own, as fast as the consumer takes them."""

import asyncio
import logging
import time

from nbchannels.exceptions import ChannelFull, LayerUnavailable
from nbchannels.layers.hosted import HostedLayer
from nbchannels.names import new_channel_name
from nbchannels.server.exchange import LINGER, Exchange

__all__ = ["CHUNK", "WINDOW", "Upload"]

#: Bytes of a body in one message.
CHUNK = 512 * 1024
#: Chunks of one body that wait for their consumer.
WINDOW = 4
#: Seconds between two looks whether there is room, at first and at most.
LOOK, SELDOM = 0.002, 0.1

log = logging.getLogger("nbchannels")


class Upload:
    """The chunks of one body.

    Args:
        layer: where the channel is.
        patience: seconds that one chunk waits for room.

    Attributes:
        channel: its name, the ``body_channel`` of the request.
        told: when the consumer last got something, monotonic.

    Source: "Request Body Chunk" of the message formats of Channels 1.x.
    """

    def __init__(self, layer: HostedLayer, patience: float) -> None:
        self._layer = layer
        self._patience = patience
        self._is_closed = False
        self.channel = new_channel_name("http.request.body")
        self.told = time.monotonic()
        layer.open_channel(self.channel)

    async def send(self, content: bytes, more: bool, exchange: Exchange) -> None:
        """Send a chunk, when fewer than `WINDOW` wait.

        A consumer that has answered, or is gone, reads no more: then nothing is sent.

        Args:
            content: of the chunk.
            more: whether another one follows.
            exchange: of the request.

        Raises:
            TimeoutError: there was no room in time.
        """
        encoded = self._layer.encode({"content": content, "closed": False, "more_content": more})
        pause, deadline = LOOK, time.monotonic() + self._patience
        while not exchange.has_news and not self._is_closed:
            statistics = await self._layer.channel_statistics(self.channel)
            if statistics["waiting"] < WINDOW:
                try:
                    self._layer.submit("channel", self.channel, encoded)
                except (ChannelFull, LayerUnavailable):
                    pass  # all channels together hold too much
                else:
                    self.told = time.monotonic()
                    return
            if time.monotonic() > deadline:
                raise TimeoutError
            await exchange.wait(pause)
            pause = min(2 * pause, SELDOM)

    async def abort(self) -> None:
        """Tell the consumer that the rest will not come."""
        if self._is_closed:
            return
        chunk = {"content": b"", "closed": True, "more_content": False}
        try:
            self._layer.submit("channel", self.channel, self._layer.encode(chunk))
        except (ChannelFull, LayerUnavailable) as error:
            log.warning("the consumer of an upload is not told that it was aborted: %s", error)
        self._is_closed = True
        # Its consumer has yet to read that.
        asyncio.get_running_loop().call_later(LINGER, self._close_later)

    def _close_later(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(
            self._layer.close_channel(self.channel)
        )

    async def close(self) -> None:
        """It is over: what still waits is dropped."""
        if not self._is_closed:
            self._is_closed = True
            await self._layer.close_channel(self.channel)
