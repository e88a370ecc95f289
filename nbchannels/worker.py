"""A worker: consumers of named channels, run beside no connection.

Messages are leased and settled after their handler has run, so work is done at least once. Nothing
in a message ends the worker: what cannot be handled goes to the dead letters, and is told.

Source: Channels 4, ``channels.worker``; `ConsumeLater` is from the Channels 1.x Reference.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from nbchannels.diagnoses import report
from nbchannels.exceptions import InvalidChannelLayerError, LayerUnavailable
from nbchannels.instance import Instance, Settlement, untaken
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.leases import Lease
from nbchannels.lifetime import keep
from nbchannels.names import require_channel_name
from nbchannels.typing import ASGIApplication

__all__ = ["Worker"]

#: Seconds between attempts while the layer cannot be reached.
PAUSE = 1.0
#: Seconds that the end of the worker waits for the layer.
CLOSING = 5.0


class Worker:
    """Runs one instance of an application per channel, with ``{"type": "channel"}`` as its scope.

    ::

        worker = Worker(Thumbnails.as_asgi(), ["thumbnails"], get_channel_layer())
        await worker.run()

    Its consumers get messages of a layer, so only handlers that the user's class adds are reached.

    Args:
        application: an ASGI application, such as a ``ChannelNameRouter``, or a consumer class.
        channels: the names of the channels to listen to.
        channel_layer: where they are.
        max_applications: as many channels at most.

    Raises:
        InvalidName: a name is of bad form.
        InvalidChannelLayerError: there is no layer.
        ValueError: no channels, or more than ``max_applications``.

    Source: Channels 4, ``channels.worker.Worker``.
    """

    def __init__(
        self,
        application: Any,
        channels: Iterable[str],
        channel_layer: BaseChannelLayer,
        max_applications: int = 1000,
    ) -> None:
        if isinstance(channels, str):
            raise ValueError(f"channels is the str {channels!r}; write [{channels!r}]")
        if channel_layer is None:
            raise InvalidChannelLayerError("channel_layer is None; pass get_channel_layer()")
        self.application: ASGIApplication = (
            application.as_asgi() if hasattr(application, "as_asgi") else application
        )
        self.channels = list(dict.fromkeys(require_channel_name(name) for name in channels))
        self.channel_layer = channel_layer
        self.max_applications = max_applications
        if not self.channels:
            raise ValueError("a worker without channels; name those it listens to")
        if len(self.channels) > max_applications:
            raise ValueError(
                f"{len(self.channels)} channels, and max_applications is {max_applications}: "
                f"each has its own; pass max_applications={len(self.channels)}"
            )
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def run(self) -> None:
        """Work until `stop`, or until cancelled.

        `stop` lets the handlers that run finish. Cancelling does not: their messages go back to
        the front of their channels.

        Raises:
            RuntimeError: it runs already.
            ChannelClosed: one of the channels was closed.
        """
        if self._running is not None:
            raise RuntimeError("this worker runs already; make another one")
        stopping = asyncio.Event()
        self._running = asyncio.get_running_loop(), stopping
        listeners = [asyncio.ensure_future(self._listen(x, stopping)) for x in self.channels]
        try:
            await asyncio.gather(*listeners)
        finally:
            self._running = None
            for listener in listeners:
                listener.cancel()
            await asyncio.wait(listeners)

    def stop(self) -> None:
        """End `run` when the handlers that run have finished. From any thread."""
        if self._running is not None:
            loop, stopping = self._running
            loop.call_soon_threadsafe(stopping.set)

    # One channel.

    async def _listen(self, channel: str, stopping: asyncio.Event) -> None:
        instance: Instance | None = None
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            while (lease := await self._next(channel, stopped)) is not None:
                try:
                    if instance is None or instance.task.done():
                        instance = Instance(self.application, channel)
                    result = await instance.work(lease.message)
                    if result is None:  # it ended in the very moment; a new one gets the message
                        instance = Instance(self.application, channel)
                        result = await instance.work(lease.message) or untaken(channel)
                except BaseException:
                    if instance is not None:
                        await instance.stop()  # before somebody else gets the message
                    await self._settle(lease, Settlement("return"))
                    raise
                await self._settle(lease, result)
        finally:
            stopped.cancel()
            if instance is not None:
                await instance.stop()

    async def _next(self, channel: str, stopped: "asyncio.Future[Any]") -> Lease | None:
        """The next message; ``None`` when the worker stops."""
        while not stopped.done():
            leasing = asyncio.ensure_future(self.channel_layer.lease(channel))
            try:
                await asyncio.wait({leasing, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not stopped.done():
                    return leasing.result()
            except LayerUnavailable as error:
                report(
                    "layer-failed",
                    f"the worker cannot receive from channel {channel!r}, and tries again: {error}",
                    subject=channel,
                )
                await asyncio.wait({stopped}, timeout=PAUSE)
            finally:
                if not leasing.done():
                    leasing.cancel()
                    await asyncio.wait({leasing})
                if stopped.done() and not leasing.cancelled() and leasing.exception() is None:
                    await self._settle(leasing.result(), Settlement("return"))
        return None

    async def _settle(self, lease: Lease, result: "Settlement") -> None:
        """Settle a lease, also if this is cancelled meanwhile."""

        async def settle() -> None:
            try:
                async with asyncio.timeout(CLOSING):
                    await self.channel_layer.settle(lease, *result)
            except (LayerUnavailable, TimeoutError) as error:
                why = str(error) or f"no answer within {CLOSING:g} s"
                report(
                    "layer-failed",
                    f"a message of channel {lease.channel!r} is settled, and the layer could not "
                    f"be told; it may come again: {why}",
                    subject=lease.channel,
                )

        await asyncio.shield(keep(settle()))
