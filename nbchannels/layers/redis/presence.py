"""Who is in a group, of all processes that share a Redis.

Each process tells of its own people: a Jupyter server of its clients, a kernel or script that uses
Redis itself of itself. What it told holds for the time of a lease; what changes is told again soon,
and what comes and goes at once is never told.
"""

import asyncio
import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any, Protocol

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.process_scripts import PRESENT, WHO

__all__ = ["Presence", "of_itself", "this_script"]

#: Seconds after a change until it is told.
SOON = 0.3
#: People that one process tells of one group, and that one answer has of the others.
MOST, MOST_OTHERS = 100, 150
#: Characters of what they are called.
MOST_TEXT = 120
_WORDS = ("kind", "user", "label", "channel", "as")

Person = dict[str, Any]


class Layer(Protocol):
    """What it needs of its layer."""

    backbone: Backbone

    def people(self, group: str) -> list[Person]:
        """Who is in a group through this process."""


def this_script() -> Person:
    """Who this process is to others, if nobody says better."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # nobody has this number here
        user = ""
    path = os.environ.get("JPY_SESSION_NAME") or (sys.argv[0] if sys.argv else "")
    return {"kind": "script", "user": user, "label": Path(path).name or None}


class Presence:
    """What this process tells of its people, and reads of others'. Works on the loop of the layer.

    Args:
        layer: its surroundings.
    """

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._told: dict[str, str] = {}
        self._changed: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    def _key(self, group: str) -> str:
        return self._layer.backbone.keys.group(group, "who")

    # Telling.

    def changed(self, group: str) -> None:
        """Somebody came to a group, or left it, or may have."""
        self._changed.add(group)
        if self._task is None and not self._is_closed:
            self._task = asyncio.get_running_loop().create_task(self._tell_soon())

    def renew(self) -> None:
        """Tell all of it again: well within its time, and after a break."""
        for group in list(self._told):
            self._told[group] = ""
            self.changed(group)

    async def settled(self) -> None:
        """Wait until all changes are told."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _tell_soon(self) -> None:
        try:
            while self._changed:
                await asyncio.sleep(SOON)
                groups, self._changed = self._changed, set()
                for group in groups:
                    try:
                        await self._tell(group)
                    except LayerUnavailable:  # it is told when Redis is back
                        self._changed.add(group)
        finally:
            self._task = None

    async def _tell(self, group: str) -> None:
        people = self._layer.people(group)
        rows = [_row(one) for one in people[:MOST]]
        if len(people) > MOST:
            rows.append(_others(len(people) - MOST))
        data = json.dumps(rows) if rows else ""
        if data == self._told.get(group, None if data else ""):
            return
        backbone = self._layer.backbone
        await backbone.run(WHO, [self._key(group)], (backbone.name, data, backbone.lease))
        if data:
            self._told[group] = data
        else:
            self._told.pop(group, None)

    # Reading.

    async def elsewhere(self, group: str) -> list[Person]:
        """Who is in a group through other processes, the first that came first; at most 150.

        Raises:
            LayerUnavailable: Redis does not answer.
        """
        backbone = self._layer.backbone
        found: list[Person] = []
        told = await backbone.run(PRESENT, [self._key(group)], (backbone.name,))
        for data in told:
            found += _read(data)
        found.sort(key=lambda one: one["since"] or 0.0)
        if len(found) > MOST_OTHERS:
            return [*found[:MOST_OTHERS], _read_row(_others(len(found) - MOST_OTHERS))]
        return found

    async def close(self) -> None:
        """This process ends: its people are gone."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
        backbone = self._layer.backbone
        for group in self._told:
            future = backbone.run(WHO, [self._key(group)], (backbone.name, "", backbone.lease))
            future.add_done_callback(_looked_at)
        self._told.clear()


def _looked_at(future: "asyncio.Future[Any]") -> None:
    """It was the last word: if it does not arrive, the lease ends by itself."""
    _ = future.cancelled() or future.exception()


def _row(one: Person) -> Person:
    """What others are told of somebody: not the number of a connection, which is its server's."""
    told = {word: str(one[word])[:MOST_TEXT] for word in _WORDS if one.get(word) is not None}
    return told | {"since": one["since"]}


def _others(number: int) -> Person:
    label = f"and {number:,} more"
    return {"kind": "others", "user": "", "label": label, "since": None, "as": "subscriber"}


def _read(data: bytes) -> list[Person]:
    """What another process told; of nonsense nothing."""
    try:
        rows = json.loads(data)
    except ValueError:
        return []
    if not isinstance(rows, list):
        return []
    return [_read_row(row) for row in rows[: MOST + 1] if isinstance(row, dict) and _is_sane(row)]


def _is_sane(row: Person) -> bool:
    since = row.get("since")
    return (
        all(isinstance(row.get(word, ""), str) for word in _WORDS)
        and row.get("as") in ("subscriber", "member")
        and (row["as"] == "subscriber" or bool(row.get("channel")))
        and (since is None or (isinstance(since, (int, float)) and 0 <= since < 2**40))
    )


def _read_row(row: Person) -> Person:
    one = {
        "kind": row.get("kind", "script")[:MOST_TEXT],
        "user": row.get("user", "")[:MOST_TEXT],
        "label": row["label"][:MOST_TEXT] if "label" in row else None,
        "connection": None,
        "since": row.get("since"),
        "here": False,
        "as": row["as"],
    }
    return one | {"channel": row["channel"]} if row["as"] == "member" else one


def of_itself(
    identity: Person, since: float, subscribes: bool, channels: list[str]
) -> list[Person]:
    """A process that uses Redis itself, in a group: as a subscriber, and with its channels."""
    me = identity | {"connection": None, "since": since, "here": True}
    members = [me | {"as": "member", "channel": channel} for channel in channels]
    return [me | {"as": "subscriber"}, *members] if subscribes else members
