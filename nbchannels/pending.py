"""Receipts on their way: waiting for one or for many, and telling what nobody looked at."""

import asyncio
import itertools
import threading
import warnings
from collections import OrderedDict, deque
from collections.abc import Generator
from concurrent.futures import CancelledError, Future
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.diagnoses import report
from nbchannels.exceptions import ChannelsError, DeliveryUnknown
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.receipt import Receipt
from nbchannels.typing import Kind, MessageDict

__all__ = [
    "SEND_TIMEOUT",
    "Batch",
    "NobodyListens",
    "PendingReceipt",
    "expect",
    "note_unseen",
    "sent_to_nobody",
    "take_unseen",
    "tell",
    "tell_later",
    "wait_for",
]

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


class Batch:
    """Sends that are waited for together; made by ``batch()``, a context manager of both kinds.

    The end of the block waits for all of them and raises the first failure, with a note of how many
    there were; what did not fail was sent. If the block itself raises, nothing is waited for, and
    failures are told at cell end.

    Attributes:
        count: messages sent so far.
        receipt: the receipt of the last message, after the end.
    """

    def __init__(self, layer: BaseChannelLayer, kind: Kind, name: str, timeout: float) -> None:
        self.count = 0
        self.receipt: Receipt | None = None
        self._layer = layer
        self._kind: Kind = kind
        self._name = name
        self._timeout = timeout
        self._pending: deque[Future[Receipt]] = deque()
        self._failed: list[BaseException] = []

    @property
    def _shown(self) -> str:
        return f"{self._kind} {self._name!r}"

    def send(self, content: MessageDict) -> None:
        """Queue a message. A full queue waits up to 5 s, then raises.

        Raises:
            InvalidMessage, EncodingError, MessageTooLarge: it was not queued.
            ChannelFull: it was not queued.
            SendTimeout: the queue is full and does not move.
        """
        layer, first = self._layer, not self.count
        result = layer.submit(self._kind, self._name, layer.encode(content), receipt=first)
        self.count += 1
        if isinstance(result, Receipt):
            self.receipt = tell(result) if first else result
            return
        pending = self._pending
        pending.append(result)
        while pending and pending[0].done():
            self._look(pending.popleft(), 4)

    def _look(self, future: "Future[Receipt]", stacklevel: int) -> None:
        try:
            self.receipt = future.result()
        except Exception as error:  # CancelledError of a future among them
            self._failed.append(error)
        else:
            tell(self.receipt, stacklevel)

    def _finish(self) -> None:
        while self._pending:
            try:
                wait_for(self._layer, self._pending[0], self._timeout, self._shown)
            except BaseException as error:
                if not self._pending[0].done():
                    raise self._abandoned(error) from error.__cause__
            self._look(self._pending.popleft(), 5)
        self._report()

    async def _afinish(self) -> None:
        while self._pending:
            future = self._pending[0]
            if not future.done():
                waiting = asyncio.wrap_future(future)
                # Not wait_for: giving up the waiting must not cancel the message.
                await asyncio.wait([waiting], timeout=self._timeout)
                if not future.done():
                    raise self._abandoned(give_up(self._layer, future, self._timeout, self._shown))
                waiting.cancelled() or waiting.exception()  # it is looked at below
            self._look(self._pending.popleft(), 5)
        self._report()

    def _abandoned(self, error: BaseException) -> BaseException:
        """Give up what is left; the first of them has been."""
        left = len(self._pending)
        for future in list(self._pending)[1:]:
            if not future.done():
                self._layer.give_up(future, self._timeout)
        self._pending.clear()
        error.add_note(f"{left:,} of the batch's {self.count:,} messages were not acknowledged")
        return error

    def _report(self) -> None:
        if self._failed:
            error = self._failed[0]
            error.add_note(f"{len(self._failed):,} of the batch's {self.count:,} messages failed")
            raise error

    def _leave(self) -> None:
        """The block raised: what fails later is told at cell end."""
        for future in self._pending:
            PendingReceipt(self._layer, self._shown, future)
        for error in self._failed:
            note_unseen(f"{self._shown}: {error}")

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, kind: Any, *exc: object) -> None:
        if kind is None:
            self._finish()
        else:
            self._leave()

    async def __aenter__(self) -> "Batch":
        return self

    async def __aexit__(self, kind: Any, *exc: object) -> None:
        if kind is None:
            await self._afinish()
        else:
            self._leave()


# What nobody looked at.


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


# Hints.


class NobodyListens(UserWarning):
    """A message was sent where nobody is; said once per name."""


_told: set[tuple[Kind, str]] = set()


def expect(kind: Kind, name: str) -> None:
    """Somebody is about to listen, a view that was just made: that nobody does yet is no news."""
    _told.add((kind, name))


def sent_to_nobody(kind: Kind) -> list[str]:
    """The names whose hint was said, and nobody was there since as far as is known."""
    return [name for known, name in list(_told) if known == kind]


def tell(receipt: Receipt, stacklevel: int = 3) -> Receipt:
    """Say a receipt's hint, once per name, also when nobody displays the receipt."""
    if receipt.hint is not None or _told:
        hint = _news(receipt)
        if hint is not None:
            warnings.warn(hint, NobodyListens, stacklevel=stacklevel)
    return receipt


def tell_later(future: "Future[Receipt]") -> None:
    """`tell` for a send that is not waited for: at cell end, for this is the bridge's thread."""
    if not future.cancelled() and future.exception() is None:
        hint = _news(future.result())
        if hint is not None:
            note_unseen(hint)


def _news(receipt: Receipt) -> str | None:
    key = (receipt.kind, receipt.name)
    if receipt.hint is None:
        _told.discard(key)
        return None
    if key in _told:
        return None
    if len(_told) >= 10_000:
        _told.clear()
    _told.add(key)
    # Whoever sends is told on the line; the inspector shows it until somebody is there.
    kind = "dropped" if receipt.dropped else "nobody-listens"
    report(kind, receipt.hint, subject=f"{receipt.kind} {receipt.name}", seen=True)
    return receipt.hint
