"""Events for ``jupyter_events``: who comes and goes, which consumers fail, what is given up.

They say who and which, never what was in a message. A burst is cut: at most `BURST` events of one
kind at once and `RATE` a second in the long run; the next one says how many were left out.

Listen with ``serverapp.event_logger.add_listener``, with a handler in
``c.EventLogger.handlers``, or over Jupyter's own WebSocket ``api/events/subscribe``.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from nbchannels.layers import survey
from nbchannels.server.hub import Hub

__all__ = ["BURST", "RATE", "SCHEMAS", "Events"]

#: Events of one kind at once, and in each second afterwards.
BURST, RATE = 50, 5.0
#: Characters of a text in an event.
MOST_TEXT = 200
#: Dead letters told of at one tick; more are counted.
MOST_DEAD = BURST

_BASE = "https://events.jupyter.org/nbchannels"
_TEXT = {"type": "string", "maxLength": MOST_TEXT}

log = logging.getLogger("nbchannels")


def _schema(
    name: str, title: str, said: str, actions: list[str], personal: bool, **fields: Any
) -> dict[str, Any]:
    skipped = {
        "type": "integer",
        "minimum": 0,
        "description": "Events of this kind since the last one that were left out: too many came.",
    }
    return {
        "$id": f"{_BASE}/{name}/v1",
        "version": "1",
        "title": title,
        "description": said,
        "personal-data": personal,
        "type": "object",
        "required": ["action", *fields],
        "additionalProperties": True,  # what jupyter_events adds begins with two underscores
        "properties": {"action": {"enum": actions}, **fields, "skipped": skipped},
    }


#: By the word that `Events.note` takes.
SCHEMAS: dict[str, dict[str, Any]] = {
    "client": _schema(
        "client",
        "A client connects or disconnects",
        "A page, kernel or script has opened its WebSocket, or lost it. It may come back.",
        ["connected", "disconnected"],
        personal=True,
        client=_TEXT | {"description": "What names it as long as it lives, also in REST."},
        kind={"enum": ["page", "kernel", "script"]},
        user=_TEXT | {"description": "The user's name for people."},
        label=_TEXT | {"description": "A notebook's path, a script's name; may be empty."},
    ),
    "consumer": _schema(
        "consumer",
        "A consumer is registered or fails",
        "Somebody serves a channel from now on; or failed on a message of it.",
        ["registered", "failed"],
        personal=True,
        channel=_TEXT | {"description": "The channel; when it is registered maybe a glob."},
        consumer=_TEXT | {"description": "The function, and whose it is."},
    ),
    "group": _schema(
        "group",
        "A group is cleared",
        "The history of a group was cleared; or that of all (flushed), and its name is empty.",
        ["cleared", "flushed"],
        personal=False,
        group=_TEXT,
    ),
    "dead_letter": _schema(
        "dead_letter",
        "A message is given up",
        "Nobody took a message in time, or its consumers failed or died; it is kept for a while.",
        ["buried"],
        personal=True,
        number={"type": "integer", "minimum": 1, "description": "To find it in REST."},
        channel=_TEXT,
        reason={"enum": ["expired", "failed", "retries", "returns"]},
        consumer=_TEXT | {"description": "Who had it last; may be empty."},
    ),
}


class _Bucket:
    """How many events of one kind may still be told."""

    def __init__(self, now: float) -> None:
        self._left, self._when = float(BURST), now
        self.skipped = 0

    def take(self, now: float) -> bool:
        self._left = min(float(BURST), self._left + (now - self._when) * RATE)
        self._when = now
        if self._left < 1:
            self.skipped += 1
            return False
        self._left -= 1
        return True


class Events:
    """Hands what happens to Jupyter's event logger.

    Args:
        logger: ``serverapp.event_logger``.
        hub: of the server.
        clock: monotonic seconds.
    """

    def __init__(self, logger: Any, hub: Hub, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._hub = hub
        self._layer = hub.layer
        self._clock = clock
        self._buckets = {kind: _Bucket(clock()) for kind in SCHEMAS}
        self._buried = survey.buried(hub.layer)[0]
        self._has_failed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Tell the logger the schemas, and be told from now on; on the server's loop."""
        for schema in SCHEMAS.values():
            if schema["$id"] not in self._logger.schemas:
                self._logger.register_event_schema(schema)
        self._loop = asyncio.get_running_loop()
        self._hub.notice = self.note
        self._layer.witness = self.witness

    def stop(self) -> None:
        """Be told no more. Idempotent."""
        self._hub.notice = None
        self._layer.witness = None

    def note(self, kind: str, action: str, /, **data: str | int) -> None:
        """Emit an event, on the server's loop. Never raises; texts are cut."""
        bucket = self._buckets[kind]
        if not bucket.take(self._clock()):
            return
        told = {k: v[:MOST_TEXT] if isinstance(v, str) else v for k, v in data.items()}
        event = {"action": action, **told}
        if bucket.skipped:
            event["skipped"], bucket.skipped = bucket.skipped, 0
        try:
            self._logger.emit(schema_id=SCHEMAS[kind]["$id"], data=event)
        except Exception:  # a handler or listener of somebody else's, or an error of ours
            if not self._has_failed:
                self._has_failed = True
                log.exception("the event %s of %s could not be emitted; said once", action, kind)

    def _soon(self, function: Callable[[], None]) -> None:
        """On the server's loop: listeners run there."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # it is closed: the server ends
            self._loop.call_soon_threadsafe(function)

    def witness(self, what: str, data: dict[str, str]) -> None:
        """What the layer tells, on any thread; see `ReceivingLayer.witness`."""
        if what == "failed":
            consumer = data["consumer"] or "a receiver"
            self._soon(
                lambda: self.note("consumer", "failed", channel=data["channel"], consumer=consumer)
            )
        else:
            self._soon(lambda: self.note("group", what, group=data.get("group", "")))

    def tick(self) -> None:
        """Tell the dead letters since the last call; to be called each second."""
        count, _ = survey.buried(self._layer)
        new = count - self._buried
        self._buried = count
        if new <= 0:
            return
        bucket = self._buckets["dead_letter"]
        newest = [d for d in self._layer.newest_dead(min(new, MOST_DEAD)) if d.number > count - new]
        bucket.skipped += new - len(newest)
        for dead in reversed(newest):
            self.note(
                "dead_letter", "buried", number=dead.number, channel=dead.channel,
                reason=dead.reason, consumer=dead.consumer,
            )  # fmt: skip
