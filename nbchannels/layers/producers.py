"""Which of a producer's messages a log or a channel has already: a retry is appended once.

Sequences of one producer rise; holes are allowed. So the last one tells whether a message is a
repetition; the positions of the most recent ones are kept for the receipts of repetitions.
"""

from collections import OrderedDict, deque
from typing import NamedTuple

__all__ = ["Producer", "Producers"]

#: Seconds after its last message that a producer is remembered.
MEMORY = 600.0
_PRODUCERS = 1024
_POSITIONS = 64


class Producer(NamedTuple):
    """Who sends, and its number of this message."""

    id: str
    sequence: int


class _State:
    __slots__ = ("last", "recent", "used")

    def __init__(self) -> None:
        self.last = -1
        self.used = 0.0
        self.recent: deque[tuple[int, int, int]] = deque(maxlen=_POSITIONS)


class Producers:
    """Bounded: the least recently used of more than 1,024 producers is forgotten.

    Not thread-safe: its layer's lock guards it.
    """

    __slots__ = ("_states",)

    def __init__(self) -> None:
        self._states: OrderedDict[str, _State] = OrderedDict()

    def seen(self, producer: Producer, now: float) -> tuple[int | None, int | None] | None:
        """``None`` for a new message; else the offset and tag it got, where still known."""
        state = self._states.get(producer.id)
        if state is None or producer.sequence > state.last or now - state.used > MEMORY:
            return None
        for sequence, offset, tag in state.recent:
            if sequence == producer.sequence:
                return offset, tag
        return None, None

    def note(self, producer: Producer, offset: int, tag: int, now: float) -> None:
        """Remember that this message was appended."""
        states = self._states
        state = states.get(producer.id)
        if state is None:
            state = states[producer.id] = _State()
            if len(states) > _PRODUCERS:
                states.popitem(last=False)
        else:
            states.move_to_end(producer.id)
        state.last = producer.sequence
        state.used = now
        state.recent.append((producer.sequence, offset, tag))

    def stale(self, now: float) -> bool:
        """Whether no producer is remembered any more."""
        return all(now - state.used > MEMORY for state in self._states.values())
