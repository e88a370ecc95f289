"""What went wrong in silence, in all processes of this server: told by clients, and its own.

Bounded: the newest 500, and of one client the newest 100. Repetitions are counted.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from nbchannels.diagnoses import Diagnosis
from nbchannels.exceptions import ChannelsError
from nbchannels.server.clients import Client

__all__ = ["Collection", "read_diagnosis"]

#: Diagnoses that are kept, and of one client.
MOST, MOST_OF_CLIENT = 500, 100
#: Characters of what a diagnosis says.
LONGEST = {"kind": 50, "sentence": 1_000, "subject": 1_000, "detail": 2_000}
#: The client of the server's own.
OWN = "this server"


class Collection:
    """The diagnoses that this server knows. Thread-safe.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # Reentrant: a diagnosis of our own may come out of a finalizer, at any line.
        self._lock = threading.RLock()
        self._kept: OrderedDict[tuple[str, str, str], dict[str, Any]] = OrderedDict()
        self._numbers = 0
        #: Rises with each change.
        self.changes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def note_own(self, diagnosis: Diagnosis) -> None:
        """The server itself reports something; from any thread."""
        self._note("", OWN, "server", diagnosis)

    def note(self, client: Client, diagnosis: Diagnosis) -> None:
        """A client reports something."""
        party = f"{client.principal} {client.producer}"
        self._note(party, client.label or client.principal, client.kind, diagnosis)

    def _note(self, party: str, label: str, where: str, diagnosis: Diagnosis) -> None:
        key = (party, diagnosis.kind, diagnosis.subject or diagnosis.sentence)
        with self._lock:
            now = self._clock()
            self.changes += 1
            known = self._kept.pop(key, None)
            if known is None:
                self._numbers += 1
            self._kept[key] = {
                "number": known["number"] if known else self._numbers,
                "kind": diagnosis.kind,
                "sentence": diagnosis.sentence,
                "subject": diagnosis.subject,
                "detail": diagnosis.detail,
                "client": label,
                "where": where,
                "count": max(diagnosis.count, known["count"] if known else 0),
                "first": known["first"] if known else now,
                "time": now,
            }
            mine = [known for known in self._kept if known[0] == party]
            if len(mine) > MOST_OF_CLIENT:
                del self._kept[mine[0]]
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def newest(self, limit: int = MOST) -> list[dict[str, Any]]:
        """The newest, newest first.

        Returns:
            Of each ``number`` (to dismiss it), ``kind``, ``sentence``, ``subject``, ``detail``,
            ``client`` (for people), ``where`` (``kernel``, ``script``, ``page`` or ``server``),
            ``count``, and ``first`` and ``time``, of the first and the last report in seconds
            since 1970.
        """
        with self._lock:
            return [dict(known) for known in list(reversed(self._kept.values()))[:limit]]

    def dismiss(self, number: int) -> bool:
        """Forget one; told again it is a new one. Returns whether it was there."""
        return self._drop(lambda told: told["number"] == number) > 0

    def settle(self, is_solved: Callable[[dict[str, Any]], bool]) -> int:
        """Forget those that ``is_solved`` says are no problem any more; returns how many."""
        return self._drop(is_solved) if self._kept else 0

    def _drop(self, which: Callable[[dict[str, Any]], bool]) -> int:
        with self._lock:
            kept = list(self._kept.items())
        # Without the lock: who looks into the layer waits for its lock, and whoever has that one
        # may report something.
        gone = [(key, told) for key, told in kept if which(told)]
        dropped = 0
        with self._lock:
            for key, told in gone:
                if self._kept.get(key) is told:  # else it was told again meanwhile
                    del self._kept[key]
                    dropped += 1
            self.changes += dropped > 0
        return dropped

    def clear(self) -> None:
        """Forget all."""
        self._drop(lambda told: True)


def read_diagnosis(said: dict[str, Any]) -> Diagnosis:
    """A diagnosis as a client tells it; what is too long is cut.

    Raises:
        ChannelsError: it is none.
    """
    words = {name: said.get(name, "") for name in LONGEST}
    count = said.get("count", 1)
    wrong = [name for name, word in words.items() if not isinstance(word, str)]
    if wrong or not words["kind"] or not words["sentence"]:
        name = (wrong or [name for name in ("kind", "sentence") if not words[name]])[0]
        raise _bad(f"a diagnosis whose {name} is {words[name]!r:.50}; it is a str")
    if type(count) is not int or not 0 < count < 2**53:
        raise _bad(f"a diagnosis with the count {count!r:.50}; it is a number above 0")
    cut = {name: word[-LONGEST[name] :] for name, word in words.items() if name == "detail"}
    cut |= {name: word[: LONGEST[name]] for name, word in words.items() if name != "detail"}
    return Diagnosis(**cut, count=count)


def _bad(message: str) -> ChannelsError:
    error = ChannelsError(message)
    error.code = "bad_request"
    return error
