"""An application of Channels 4 at work on one channel, and what became of each message."""

import asyncio
import contextvars
import traceback
from typing import NamedTuple

from nbchannels.consumer import outcome
from nbchannels.diagnoses import report
from nbchannels.exceptions import ConsumeLater
from nbchannels.protocol.events import Outcome
from nbchannels.typing import ASGIApplication, MessageDict

__all__ = ["Instance", "Settlement", "untaken"]


class Settlement(NamedTuple):
    """What became of one message; as `BaseChannelLayer.settle` takes it."""

    outcome: Outcome = "done"
    error: str = ""
    traceback: str = ""


class Instance:
    """An application at work on one channel: one message at a time."""

    def __init__(self, application: ASGIApplication, channel: str) -> None:
        self._application = application
        self._channel = channel
        self._messages: asyncio.Queue[MessageDict] = asyncio.Queue()
        self._taken = False
        self._result = Settlement()
        self._finished = asyncio.Event()
        context = contextvars.copy_context()
        context.run(outcome.set, self._note)
        self.task = asyncio.get_running_loop().create_task(self._run(), context=context)

    async def work(self, message: MessageDict) -> Settlement | None:
        """Hand over a message; what became of it. ``None``: the application ended without it."""
        if self.task.done():
            return None
        self._finished.clear()
        self._taken, self._result = False, Settlement()
        self._messages.put_nowait(message)
        await self._finished.wait()
        return self._result if self._taken else None

    async def stop(self) -> None:
        """End the application, wherever it is."""
        self.task.cancel()
        await asyncio.wait({self.task})

    def _note(self, what: Outcome, error: str = "", where: str = "") -> None:
        self._result = Settlement(what, error, where)

    async def _run(self) -> None:
        try:
            scope = {"type": "channel", "channel": self._channel}
            await self._application(scope, self._receive, self._send)
        except ConsumeLater:
            self._note("later")
        except asyncio.CancelledError:
            self._note("return")  # nobody has worked on it to the end
            raise
        except (Exception, SystemExit) as error:
            sentence = (
                f"the application of channel {self._channel!r} failed: "
                f"{type(error).__name__}: {error}"
            )
            where = "".join(traceback.format_exception(error)).rstrip()
            report("handler-failed", sentence, subject=self._channel, detail=where)
            self._note("fail", sentence, where)
        finally:
            self._finished.set()

    async def _receive(self) -> MessageDict:
        if self._taken:  # who asks for the next one has done with the last
            self._finished.set()
        message = await self._messages.get()
        self._taken = True
        return message

    async def _send(self, message: MessageDict) -> None:
        raise NotImplementedError(
            f"a consumer of channel {self._channel!r} sent {message.get('type')!r}, and a worker "
            "has no client; send to a channel or a group: await self.channel_layer.send(...)"
        )


def untaken(channel: str) -> Settlement:
    """The application ended without its message: told, and what becomes of the message."""
    sentence = (
        f"the application of channel {channel!r} ended without taking its message; "
        "does it await receive()?"
    )
    report("no-handler", sentence, subject=channel)
    return Settlement("fail", sentence)
