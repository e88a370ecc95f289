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
            known = self._kept.pop(key, None)
            self._kept[key] = {
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
            Of each ``kind``, ``sentence``, ``subject``, ``detail``, ``client`` (for people),
            ``where`` (``kernel``, ``script``, ``page`` or ``server``), ``count``, and ``first`` and
            ``time``, of the first and the last report in seconds since 1970.
        """
        with self._lock:
            return [dict(known) for known in list(reversed(self._kept.values()))[:limit]]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()


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
