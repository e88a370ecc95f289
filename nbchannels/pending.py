"""A receipt that is still on its way, and the failures that nobody looked at."""

import threading
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.receipt import Receipt

__all__ = ["SEND_TIMEOUT", "PendingReceipt", "take_unseen", "wait_for"]

#: Seconds that a send waits for its acknowledgement.
SEND_TIMEOUT = 5.0

_unseen: deque[str] = deque(maxlen=100)
_dropped = 0
_lock = threading.Lock()


def wait_for(layer: BaseChannelLayer, pending: "Future[Receipt]", timeout: float) -> Receipt:
    """Wait for an acknowledgement.

    Raises:
        SendTimeout: not written in time, and withdrawn.
        DeliveryUnknown: written, but not acknowledged in time.
        ChannelsError: what the send failed with.
    """
    try:
        return bridge.wait(pending, timeout)
    except (FutureTimeout, TimeoutError) as error:
        if pending.done():
            return pending.result()
        raise layer.give_up(pending, timeout) from error
    except KeyboardInterrupt:
        if not pending.done():
            layer.give_up(pending, timeout)
        raise


class PendingReceipt:
    """What ``send(..., wait=False)`` returns. A failure that nobody looks at is told at cell end.

    Wait for it with `wait`, or ``await`` it; both return the `Receipt`.
    """

    def __init__(self, layer: BaseChannelLayer, target: str, future: "Future[Receipt]") -> None:
        self._layer = layer
        self._target = target
        self._future = future
        self._seen = False
        future.add_done_callback(self._finished)

    def _finished(self, future: "Future[Receipt]") -> None:
        if not self._seen and not future.cancelled() and future.exception() is not None:
            note_unseen(f"{self._target}: {future.exception()}")

    @property
    def done(self) -> bool:
        """Whether it is decided."""
        return self._future.done()

    def wait(self, timeout: float | None = SEND_TIMEOUT) -> Receipt:
        """The receipt.

        Raises:
            TimeoutError: it is still not decided; wait again.
            ChannelsError: what the send failed with.
        """
        self._seen = True
        return bridge.wait(self._future, timeout)

    def __await__(self) -> Generator[Any, None, Receipt]:
        self._seen = True
        return self._layer._done(self._future).__await__()

    def __repr__(self) -> str:
        if not self._future.done():
            return f"<on its way to {self._target}>"
        self._seen = True
        error = self._future.exception()
        return f"<not sent to {self._target}: {error}>" if error else repr(self._future.result())


def note_unseen(sentence: str) -> None:
    """Remember a failure until the cell ends."""
    global _dropped
    with _lock:
        if len(_unseen) == _unseen.maxlen:
            _dropped += 1
        _unseen.append(sentence)


def take_unseen() -> list[str]:
    """The failures since the last call, that nobody looked at; the newest 100."""
    global _dropped
    with _lock:
        sentences = list(_unseen)
        if _dropped:
            sentences.insert(0, f"({_dropped} earlier failures are not shown)")
        _unseen.clear()
        _dropped = 0
    return sentences
