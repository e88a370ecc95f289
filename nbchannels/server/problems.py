"""Tells pages that the problems of this server have changed, so that nobody has to ask.

A small entry in a group of the server's own, at most one for each tick of its clock and none while
nothing happens. Its newest entry is how it stands. Only counts and the newest problem are in it:
what a reader may see of a channel, rules on names say for everybody alike.
"""

from collections.abc import Callable
from typing import Any, Protocol

from nbchannels.encoding import encode
from nbchannels.layers import survey
from nbchannels.layers.deadletters import DeadLetter
from nbchannels.layers.hosted import HostedLayer
from nbchannels.names import PROBLEMS
from nbchannels.server.diagnoses import Collection

__all__ = ["MOST_TEXT", "Problems"]

#: Characters of what is said of the newest problem.
MOST_TEXT = 300

Permits = Callable[[str, str, str], bool]


class Server(Protocol):
    """The hub."""

    layer: HostedLayer
    diagnoses: Collection


class Problems:
    """Appends to the group `PROBLEMS` when there is something to tell.

    Args:
        server: the hub.
        permits: whether rules on names allow something, ``permits("read", "channel", name)``.
    """

    def __init__(self, server: Server, permits: Permits) -> None:
        self._layer = server.layer
        self._diagnoses = server.diagnoses
        self._permits = permits
        self._told: tuple[int, ...] = (0, 0, 0, 0)
        self._newest: tuple[int, int] = (0, 0)

    def tick(self) -> bool:
        """Tell what has changed since the last call; to be called each second.

        Returns:
            Whether something was told.
        """
        self._diagnoses.settle(self._is_solved)
        buried, kept, failed = survey.given_up(self._layer)
        state = (buried, kept, failed, self._diagnoses.changes)
        lost = any(self._told) and not survey.has_history(self._layer, PROBLEMS)
        if state == self._told and not lost:
            return False
        self._told = state
        self._layer.say(PROBLEMS, encode(self.describe()))
        return True

    def describe(self) -> dict[str, Any]:
        """How it stands.

        Returns:
            ``dead`` and ``diagnoses``, how many are kept; ``failed``, how often consumers have
            failed since the server began; ``news``, the newest problem since the last call if
            there is one: ``kind``, ``name`` of its channel or subject, ``who``, ``sentence``.
        """
        may = self._permits
        letters = [d for d in survey.dead_letters(self._layer) if may("read", "channel", d.channel)]
        diagnoses = self._diagnoses.newest()
        _, _, failed = survey.given_up(self._layer)
        newest_letter = letters[0] if letters else None
        newest_diagnosis = max(diagnoses, key=lambda told: told["number"], default=None)
        before = self._newest
        self._newest = (
            max(before[0], newest_letter.number if newest_letter else 0),
            max(before[1], newest_diagnosis["number"] if newest_diagnosis else 0),
        )
        news: dict[str, Any] | None = None
        if newest_letter is not None and newest_letter.number > before[0]:
            news = _letter(newest_letter)
        elif newest_diagnosis is not None and newest_diagnosis["number"] > before[1]:
            news = _diagnosis(newest_diagnosis)
        return {"dead": len(letters), "diagnoses": len(diagnoses), "failed": failed, "news": news}

    def _is_solved(self, told: dict[str, Any]) -> bool:
        """Somebody is there now to whom nobody had listened."""
        kind, _, name = told["subject"].partition(" ")
        return (
            told["kind"] == "nobody-listens"
            and kind in ("group", "channel")
            and survey.is_heard(self._layer, kind, name)
        )


def _letter(dead: DeadLetter) -> dict[str, Any]:
    return {
        "kind": dead.reason,
        "name": dead.channel,
        "who": dead.consumer[:MOST_TEXT],
        "sentence": dead.error[:MOST_TEXT],
    }


def _diagnosis(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": told["kind"],
        "name": told["subject"][:MOST_TEXT],
        "who": told["client"][:MOST_TEXT],
        "sentence": told["sentence"][:MOST_TEXT],
    }
