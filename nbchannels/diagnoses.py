"""What would else go wrong in silence: a sentence for whoever wrote the code.

A mistake that raises nowhere (a handler that no message reaches, a coroutine that nobody awaits) is
*reported*. A report is logged, kept in a bounded ring, and handed to whoever listens: the kernel
shows it in the cell's notebook, the server in the inspector.

Kinds are words: ``no-handler``, ``not-reachable``, ``missing-type``, ``wrong-colour``,
``not-awaited``, ``handler-failed``, ``layer-failed``, ``no-response``, ``threads-busy``,
``nobody-listens``, ``dropped``, ``not-sent``, ``left-out``, ``binding-failed``, ``alert-failed``,
``private-layer``, ``other-layer``, ``redis``, ``recording`` (also of a replay).
"""

import dataclasses
import logging
import math
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

__all__ = ["REPEAT", "Diagnoses", "Diagnosis", "listen", "recent", "report", "tell_again"]

log = logging.getLogger("nbchannels")

#: Seconds in which a repeated report is counted only.
REPEAT = 5.0
#: Diagnoses that `recent` knows, and subjects whose repetitions are recognised.
KEPT = 200


@dataclasses.dataclass(slots=True)
class Diagnosis:
    """One report.

    Attributes:
        kind: one word.
        sentence: what happened, and what to do.
        subject: what it is about, ``IndexConsumer.websocket_ingest``; reports of one kind on one
            subject are repetitions.
        detail: a traceback, or the place in the code.
        time: seconds since 1970, of the last repetition.
        count: how often it was reported.
        seen: whether the user was told already, elsewhere.
    """

    kind: str
    sentence: str
    subject: str = ""
    detail: str = ""
    time: float = 0.0
    count: int = 1
    seen: bool = False


class Diagnoses:
    """A ring of diagnoses with listeners. Thread-safe.

    Args:
        clock: seconds since 1970; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._listeners: list[Callable[[Diagnosis], object]] = []
        self._ring: deque[Diagnosis] = deque(maxlen=KEPT)
        self._told: OrderedDict[tuple[str, str], tuple[float, Diagnosis]] = OrderedDict()
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        # Reentrant: a report may come out of a finalizer, at any line.
        self._lock = threading.RLock()

    def report(
        self, kind: str, sentence: str, *, subject: str = "", detail: str = "", seen: bool = False
    ) -> None:
        """Tell something; repeated within 5 s, it is counted only. Never raises.

        Args:
            kind: one word.
            sentence: what happened, and what to do about it.
            subject: what it is about; without, the sentence.
            detail: a traceback, or the place in the code.
            seen: the user was told already, so it is not logged.
        """
        key, now = (kind, subject or sentence), self._clock()
        with self._lock:
            told, known = self._told.get(key, (None, None))
            if known is not None and told is not None and 0 <= now - told < REPEAT:
                known.count, known.time = known.count + 1, now
                return
            count = known.count + 1 if known is not None else 1
            diagnosis = Diagnosis(kind, sentence, subject, detail, now, count, seen)
            if known is not None and known in self._ring:
                self._ring.remove(known)
            self._ring.append(diagnosis)
            self._told[key] = (now, diagnosis)
            self._told.move_to_end(key)
            while len(self._told) > KEPT:
                self._told.popitem(last=False)
            listeners = list(self._listeners)
        times = f" ({count} times)" if count > 1 else ""
        if not seen:
            log.warning(
                "%s: %s%s%s", kind, sentence, times, f"\n{detail}" if detail else "",
                extra={"diagnosis": kind},
            )  # fmt: skip
        for listener in listeners:
            try:
                listener(dataclasses.replace(diagnosis))
            except Exception:
                log.exception("%r failed on a diagnosis", listener)

    def listen(self, callback: Callable[[Diagnosis], object]) -> Callable[[], None]:
        """Call ``callback`` with each diagnosis, on the thread that reports; return what ends it.

        What was only counted is not handed on.
        """
        with self._lock:
            self._listeners.append(callback)

        def stop() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return stop

    def recent(self, count: int = KEPT) -> list[Diagnosis]:
        """The newest diagnoses, oldest first; a repeated one stands there once, with its count."""
        with self._lock:
            kept = list(self._ring)[-count:] if count > 0 else []
            return [dataclasses.replace(diagnosis) for diagnosis in kept]

    def tell_again(self) -> None:
        """From now on repetitions are handed on again: what was told before counts as long ago."""
        with self._lock:
            for key, (_, diagnosis) in self._told.items():
                self._told[key] = (-math.inf, diagnosis)

    def clear(self) -> None:
        """Forget all that was reported; the listeners stay."""
        with self._lock:
            self._ring.clear()
            self._told.clear()


#: Those of this process; a reload of this module keeps them.
diagnoses: Diagnoses = globals().get("diagnoses") or Diagnoses()
report = diagnoses.report
listen = diagnoses.listen
recent = diagnoses.recent
tell_again = diagnoses.tell_again
