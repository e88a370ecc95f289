"""One call to Redis: what is asked, until when, and what is asked again."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.redis.scripts import Script

__all__ = ["Again", "Argument", "Call", "Unanswered", "packed"]

Argument = str | bytes | int | float
#: What is written instead, where it is not known whether the first was done; None: nothing.
Again = Callable[[], Sequence[Argument] | None]


class Unanswered(LayerUnavailable):
    """No answer in time; ``written`` says whether Redis may have done it."""

    written = False


class Call:
    """One call.

    Attributes:
        arguments: of the command, its name first.
        again: see `Again`; without it the same is written again.
        lost: a connection broke when it was written, and before its answer.
        moves: how often another node of a cluster was named for it.
        packed: the bytes of the command.
        reason: what Redis said when it refused it for a while.
        written: Redis may have done it.
    """

    __slots__ = (
        "again", "arguments", "deadline", "future", "lost", "moves", "packed", "reason", "script",
        "written",
    )  # fmt: skip

    def __init__(
        self,
        arguments: Sequence[Argument],
        script: Script | None,
        future: "asyncio.Future[Any]",
        deadline: float,
        again: Again | None,
    ) -> None:
        self.arguments = arguments
        self.again = again
        self.lost = False
        self.moves = 0
        self.script = script
        self.future = future
        self.deadline = deadline
        self.packed = b""
        self.reason = ""
        self.written = False

    @property
    def key(self) -> str:
        """The first one."""
        return str(self.arguments[1] if self.script is None else self.arguments[3])

    def refused(self, reason: object) -> None:
        """Redis says that it did not do it; what it did with it before may not be known."""
        self.reason = str(reason)
        self.written = self.lost

    def is_late(self, now: float) -> bool:
        """Whether somebody still waits, and should have had an answer by now (monotonic)."""
        return now >= self.deadline and not self.future.done()


def packed(arguments: Sequence[Argument]) -> bytes:
    """A command as Redis reads it."""
    command: Any = tuple(arguments)
    written: bytes = hiredis.pack_command(command)
    return written
