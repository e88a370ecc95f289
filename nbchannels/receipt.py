"""What a send returns: who was there, where it stands, and what that is worth."""

from dataclasses import dataclass
from typing import Any, Literal

from nbchannels.typing import Kind

__all__ = ["Meaning", "Receipt"]

#: What an acknowledgement means: in this process's log · on the Redis primary · on replicas ·
#: a layer that is not of this package has taken it.
Meaning = Literal["memory", "primary", "replicas", "foreign"]

_MEANING = {
    "memory": "in memory",
    "primary": "on the Redis primary",
    "replicas": "on the Redis replicas",
    "foreign": "taken by a foreign layer",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one message. Its repr says it in a sentence.

    Attributes:
        kind: ``"group"`` or ``"channel"``.
        name: what it was sent to.
        members: channels in the group at the append, or receivers waiting on the channel;
            ``None`` = not known.
        subscribers: cursors on the group's log (views, kernels, scripts); ``None`` = not known.
        dropped: members that did not get it because they were full.
        epoch: of the group's log.
        offset: its number in the log, or in the channel's queue.
        tag: random, of this entry.
        meaning: what the acknowledgement means: ``"memory"``, ``"primary"``, ``"replicas"`` or
            ``"foreign"``.
        duplicate: a repetition that was recognised and not appended again.
        hint: what the sender should know: nobody listens; did you mean another name?
    """

    kind: Kind
    name: str
    members: int | None = None
    subscribers: int | None = None
    dropped: int = 0
    epoch: str | None = None
    offset: int | None = None
    tag: int | None = None
    meaning: Meaning = "memory"
    duplicate: bool = False
    hint: str | None = None

    @property
    def received(self) -> bool:
        """Whether anyone was there to get it, as far as is known."""
        return self.members != 0 or self.subscribers not in (0, None)

    def __repr__(self) -> str:
        if self.kind == "channel":
            parts = [f"to channel {self.name!r}"]
            if self.members:
                parts.append(_count(self.members, "receiver waits", "receivers wait"))
        else:
            parts = [f"to group {self.name!r}"]
            if self.members is None and self.subscribers is None:
                parts.append("receivers not known")
            else:
                parts.append(_count(self.subscribers, "subscriber", "subscribers"))
                if self.members:
                    parts.append(_count(self.members, "member", "members"))
        if self.offset is not None and self.kind == "group":
            parts.append(f"offset {self.offset}")
        if self.dropped:
            parts.append(f"DROPPED by {_count(self.dropped, 'full member', 'full members')}")
        parts.append(_MEANING.get(self.meaning, self.meaning))
        if self.duplicate:
            parts.append("a repetition, not sent twice")
        sentence = f"<sent {', '.join(parts)}>"
        return f"{sentence}\n{self.hint}" if self.hint else sentence

    def to_wire(self) -> dict[str, Any]:
        """As in the control record ``accepted`` and in REST answers."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_wire(cls, record: dict[str, Any]) -> "Receipt":
        """The receipt in an ``accepted`` record; unknown keys are ignored."""
        return cls(**{name: record[name] for name in cls.__slots__ if name in record})


def _count(number: int | None, one: str, many: str) -> str:
    if number is None:
        return f"{many} not known"
    return f"{number} {one if number == 1 else many}"
