"""A receipt that is still on its way, and the failures that nobody looked at."""

import asyncio
import itertools
import threading
from collections import OrderedDict
from collections.abc import Generator
from concurrent.futures import CancelledError, Future
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.exceptions import ChannelsError, DeliveryUnknown
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.receipt import Receipt

__all__ = ["SEND_TIMEOUT", "PendingReceipt", "note_unseen", "take_unseen", "wait_for"]

#: Seconds that a send waits for its acknowledgement.
SEND_TIMEOUT = 5.0
#: Failures that are remembered.
MOST_UNSEEN = 100

_unseen: OrderedDict[int, str] = OrderedDict()
_numbers = itertools.count(1)
_forgotten = 0
_lock = threading.Lock()


def wait_for(
    layer: BaseChannelLayer, pending: "Future[Receipt]", timeout: float, target: str = "its target"
) -> Receipt:
    """Wait for an acknowledgement.

    Args:
        layer: that the message was submitted to.
        pending: what it returned.
        timeout: seconds.
        target: what the message was sent to, for the sentence of a pending receipt.

    Raises:
        SendTimeout: not written in time, and withdrawn.
        DeliveryUnknown: written, but not acknowledged in time.
        WouldDeadlock: this is the bridge's own thread.
        ChannelsError: what the send failed with.
    """
    try:
        return bridge.wait(pending, timeout)
    except TimeoutError as error:
        if pending.done():
            return pending.result()
        raise give_up(layer, pending, timeout, target) from error
    except KeyboardInterrupt:
        if not pending.done():
            layer.give_up(pending, timeout)
        raise


def give_up(
    layer: BaseChannelLayer, pending: "Future[Receipt]", timeout: float, target: str
) -> ChannelsError:
    """Stop waiting; the error that says what that means, with a receipt one can wait on."""
    error = layer.give_up(pending, timeout)
    if isinstance(error, DeliveryUnknown) and isinstance(error.receipt, Future):
        error.receipt = PendingReceipt(layer, target, error.receipt)
    return error


class PendingReceipt:
    """What ``send(..., wait=False)`` returns. A failure that nobody looks at is told at cell end.

    Wait for it with `wait`, or ``await`` it; both return the `Receipt`. Giving up the waiting
    changes nothing about the message.
    """

    def __init__(self, layer: BaseChannelLayer, target: str, future: "Future[Receipt]") -> None:
        self._layer = layer
        self._target = target
        self._future = future
        self._seen = False
        self._noted: int | None = None
        future.add_done_callback(self._finished)

    def _finished(self, future: "Future[Receipt]") -> None:
        error = _failure(future)
        with _lock:
            if error is not None and not self._seen:
                self._noted = _note(f"{self._target}: {error}")

    def _look(self) -> None:
        """Somebody learns what became of it: it need not be told again."""
        with _lock:
            self._seen = True
            if self._noted is not None:
                _unseen.pop(self._noted, None)

    @property
    def done(self) -> bool:
        """Whether it is decided."""
        return self._future.done()

    def wait(self, timeout: float | None = SEND_TIMEOUT) -> Receipt:
        """The receipt.

        Raises:
            TimeoutError: it is still not decided; wait again.
            WouldDeadlock: this is the bridge's own thread.
            ChannelsError: what the send failed with.
        """
        try:
            return bridge.wait(self._future, timeout)
        finally:
            if self._future.done():
                self._look()

    def __await__(self) -> Generator[Any, None, Receipt]:
        return self._answer().__await__()

    async def _answer(self) -> Receipt:
        try:
            return await asyncio.shield(asyncio.wrap_future(self._future))
        finally:
            if self._future.done():
                self._look()

    def __repr__(self) -> str:
        if not self._future.done():
            return f"<on its way to {self._target}>"
        self._look()
        error = _failure(self._future)
        if error is not None:
            return f"<not sent to {self._target}: {error}>"
        return repr(self._future.result())


def _failure(future: "Future[Receipt]") -> BaseException | None:
    try:
        return future.exception()
    except CancelledError:
        return ChannelsError("withdrawn before it was sent")


def _note(sentence: str) -> int:
    """`note_unseen` with the lock held; returns the number under which it stands."""
    global _forgotten
    if len(_unseen) >= MOST_UNSEEN:
        _unseen.popitem(last=False)
        _forgotten += 1
    number = next(_numbers)
    _unseen[number] = sentence
    return number


def note_unseen(sentence: str) -> None:
    """Remember a failure until the cell ends."""
    with _lock:
        _note(sentence)


def take_unseen() -> list[str]:
    """The failures since the last call, that nobody looked at; the newest 100."""
    global _forgotten
    with _lock:
        sentences = list(_unseen.values())
        if _forgotten:
            sentences.insert(0, f"({_forgotten} earlier failures are not shown)")
        _unseen.clear()
        _forgotten = 0
    return sentences
