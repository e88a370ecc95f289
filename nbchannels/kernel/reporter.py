"""Tells the server of this process' diagnoses, so that the inspector shows them.

Fire and forget: nobody waits for it, nothing fails because of it, and it never makes a connection.
What cannot be told yet is held back, the newest 100; of repetitions only the count is told.
"""

import asyncio
import contextlib
import threading
import weakref
from collections import OrderedDict
from typing import Any, Protocol

from nbchannels.bridge import bridge
from nbchannels.diagnoses import REPEAT, Diagnosis, recent
from nbchannels.exceptions import ChannelsError, LayerUnavailable
from nbchannels.kernel.diagnoses import note

__all__ = ["Reporter", "Teller", "reporter"]

#: Diagnoses that are held back at most, and characters of what each says.
MOST, MOST_KIND, MOST_SENTENCE, MOST_DETAIL = 100, 50, 1_000, 2_000


class Teller(Protocol):
    """A connection to a server."""

    @property
    def is_open(self) -> bool:
        """Whether something can be told now."""

    async def tell(self, method: str, arguments: dict[str, Any]) -> None:
        """Tell something, on the bridge's thread, and only if the connection is open.

        Raises:
            LayerUnavailable: it is not.
        """


class Reporter:
    """Diagnoses on their way to the servers that this process is connected with."""

    def __init__(self) -> None:
        self._tellers: weakref.WeakSet[Teller] = weakref.WeakSet()
        self.forked()
        bridge.listen(self)

    def forked(self) -> None:
        """After a fork, in the child: the parent tells of what was."""
        # Reentrant: a diagnosis may come out of a finalizer, at any line.
        self._lock = threading.RLock()
        self._waiting: OrderedDict[tuple[str, str], Diagnosis] = OrderedDict()
        self._told: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._recounting = False

    def exiting(self) -> None:
        """The interpreter ends: what was not told is not told."""

    def add(self, teller: Teller) -> None:
        """Tell this connection, too, as long as somebody holds it."""
        self._tellers.add(teller)

    def report(self, diagnosis: Diagnosis) -> bool:
        """Have a diagnosis told; from any thread. Shows it to nobody here."""
        key = _key(diagnosis)
        with self._lock:
            self._waiting.pop(key, None)
            self._waiting[key] = diagnosis
            while len(self._waiting) > MOST:
                self._waiting.popitem(last=False)
        self.flush()
        return False

    def flush(self) -> None:
        """Tell what waits, if there is a connection; from any thread."""
        if self._waiting and any(teller.is_open for teller in list(self._tellers)):
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                bridge.call(self._begin)

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        while True:
            tellers = [teller for teller in list(self._tellers) if teller.is_open]
            with self._lock:
                if not self._waiting or not tellers:
                    break
                key, diagnosis = self._waiting.popitem(last=False)
            for teller in tellers:
                try:
                    await teller.tell("report", _wire(diagnosis))
                except LayerUnavailable:
                    with self._lock:
                        self._waiting.setdefault(key, diagnosis)
                    return  # `flush` is called when the connection is there again
                except ChannelsError as error:
                    note(f"the server takes no diagnoses: {error}")
            self._told[key] = diagnosis.count
            while len(self._told) > MOST:
                self._told.popitem(last=False)
        if self._told and not self._recounting:
            self._recounting = True
            asyncio.get_running_loop().call_later(REPEAT, self._recount)

    def _recount(self) -> None:
        """What was repeated since it was told is told once more, with its count."""
        self._recounting = False
        grown = [found for found in recent() if 0 < self._told.get(_key(found), 0) < found.count]
        for diagnosis in grown:
            self.report(diagnosis)
        if not grown:
            self._told.clear()


def _key(diagnosis: Diagnosis) -> tuple[str, str]:
    return diagnosis.kind, diagnosis.subject or diagnosis.sentence


def _wire(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "kind": diagnosis.kind[:MOST_KIND],
        "sentence": diagnosis.sentence[:MOST_SENTENCE],
        "subject": diagnosis.subject[:MOST_SENTENCE],
        "detail": diagnosis.detail[-MOST_DETAIL:],
        "count": diagnosis.count,
    }


#: Of this process; a reload of this module keeps it.
reporter: Reporter = globals().get("reporter") or Reporter()
