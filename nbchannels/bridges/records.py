"""``GroupHandler``: Python's own logging, to a group."""

import logging
import threading
from collections import deque
from typing import Any

from nbchannels.bridges.outlets import Outlet, Parcel
from nbchannels.channel import Group
from nbchannels.names import require_group_name

__all__ = ["MOST_RECORDS", "GroupHandler"]

#: Records that wait to be sent, and characters in them together.
MOST_RECORDS, MOST_TEXT = 10_000, 16 * 2**20
#: Characters of one message, and of one traceback.
LONGEST = 100_000
#: Seconds that `GroupHandler.flush` waits.
PATIENCE = 2.0
#: The threads that send: what libraries log there would be sent, and logged, for ever.
OUR_THREADS = frozenset({"nbchannels", "nbchannels-outlets"})

_FORMATTER = logging.Formatter()


class _Records(Outlet):
    """The records that wait to be sent to one group."""

    word = "record"
    sends_first = False  # a line of logging never waits for a server

    def begin_anew(self) -> None:
        """No record waits."""
        super().begin_anew()
        self._waiting: deque[dict[str, Any]] = deque()
        self._text = 0
        self._lost = 0

    def add(self, content: dict[str, Any]) -> None:
        with self.lock:
            self._waiting.append(content)
            self._text += _text_of(content)
            while len(self._waiting) > MOST_RECORDS or self._text > MOST_TEXT:
                self._text -= _text_of(self._waiting.popleft())
                self._lost += 1
            is_announced = self.is_announced
        if not is_announced:
            self.announce()

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def take(self) -> list[Parcel]:
        with self.lock:
            waiting, self._waiting, self._text = self._waiting, deque(), 0
            lost, self._lost = self._lost, 0
        parcels = [Parcel(content) for content in waiting]
        if lost and waiting:
            sentence = (
                f"{lost:,} log records were dropped here: more was logged than could be sent, and "
                f"{MOST_RECORDS:,} wait at most"
            )
            self.tell("dropped", sentence)
            parcels.insert(0, Parcel(_dropped(sentence, waiting[0]["time"]), 0))
        return parcels


def _text_of(content: dict[str, Any]) -> int:
    return len(content["message"]) + len(content.get("exc", ""))


def _dropped(sentence: str, time: float) -> dict[str, Any]:
    return {
        "type": "log.record",
        "level": "WARNING",
        "logger": "nbchannels",
        "message": sentence,
        "time": time,
    }


class GroupHandler(logging.Handler):
    """Sends log records to a group, each as a message; the caller never waits.

    ::

        logging.getLogger().addHandler(nb.GroupHandler("logs", level=logging.INFO))

    A message has ``type`` (``log.record``), ``level``, ``logger``, ``message`` (what the formatter
    makes of it, if one was set), ``time`` (seconds since 1970), ``path`` and ``line``, and with a
    traceback ``exc``. They keep their order. If records come faster than they can be sent, the
    oldest of 10,000 are dropped; a message in their place says how many, and a diagnosis does. What
    nbchannels logs itself is not sent: it would never end.

    Args:
        group: its name, or a `Group`.
        level: records below it are ignored, as with every handler.

    Raises:
        InvalidName: the group's name is of bad form.
    """

    def __init__(self, group: str | Group, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        found = group if isinstance(group, Group) else Group(require_group_name(group))
        self._records = _Records(found)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record; see `logging.Handler.emit`. What fails goes to ``handleError``."""
        if record.name.partition(".")[0] == "nbchannels" or record.threadName in OUR_THREADS:
            return
        try:
            content = self._content(record)
        except Exception:
            self.handleError(record)
            return
        self._records.add(content)

    def _content(self, record: logging.LogRecord) -> dict[str, Any]:
        is_formatted = self.formatter is not None
        content: dict[str, Any] = {
            "type": "log.record",
            "level": record.levelname,
            "logger": record.name,
            "message": _plain(self.format(record) if is_formatted else record.getMessage()),
            "time": record.created,
            "path": _plain(record.pathname),
            "line": record.lineno,
        }
        exc = record.exc_text
        if record.exc_info and not exc:
            exc = (self.formatter or _FORMATTER).formatException(record.exc_info)
        if exc and not is_formatted:  # else it stands in the message
            content["exc"] = _plain(exc)
        return content

    def flush(self) -> None:
        """Wait up to 2 s until what was logged has arrived."""
        if threading.current_thread().name not in OUR_THREADS and not self._records.is_idle:
            self._records.flush(PATIENCE)

    def close(self) -> None:
        """Send what waits; see `logging.Handler.close`."""
        self.flush()
        super().close()

    def __repr__(self) -> str:
        level = logging.getLevelName(self.level)
        return f"<GroupHandler of group {self._records.group.name!r} ({level})>"


def _plain(text: str) -> str:
    """A text that travels: valid unicode, and not too long."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text) - LONGEST:,} characters more)"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
