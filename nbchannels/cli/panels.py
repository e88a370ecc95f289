"""What the server tells of groups, channels, consumers and clients, kept up to date here.

The server answers with what has changed since this connection's last question. After a reconnect
it knows nothing of that, and everything is asked anew.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, TypeAlias

__all__ = ["FIELDS", "PANELS", "Asked", "Look", "Looker", "Row"]

#: What stands in a row, in its order; the first is its key.
FIELDS: dict[str, tuple[str, ...]] = {
    "groups": (
        "name", "offset", "messages", "bytes", "subscribers", "members", "last_time", "epoch",
    ),
    "channels": (
        "name", "waiting", "bytes", "oldest_seconds", "capacity", "receivers", "sent", "received",
        "dropped", "expired",
    ),
    "consumers": (
        "key", "channel", "function", "client", "where", "on", "filters", "connected", "held",
        "credit", "taken", "done", "failed", "later", "slowest_seconds", "error", "client_key",
    ),
    "clients": (
        "key", "kind", "user", "label", "connected", "since", "subscriptions", "channels",
        "consumers", "leases", "lag", "buffered_bytes", "connection", "groups",
    ),
}  # fmt: skip
PANELS = tuple(FIELDS)
#: Names that start so are nbchannels' own, and shown on request.
RESERVED = "nbchannels."
#: Rates that are kept for each group.
REMEMBERED = 60

Row: TypeAlias = dict[str, Any]


class Asked(Protocol):
    """The connection to the server.

    Attributes:
        reconnects: how often it was lost.
    """

    reconnects: int

    async def call(self, method: str, arguments: dict[str, Any]) -> Any:
        """Ask the server."""


class Look(NamedTuple):
    """How things are at one moment.

    Attributes:
        time: of the server, in seconds since 1970.
        layer: the answer of ``inspect_layer``.
        rows: by panel; those of groups have ``rate`` (messages/s) and ``rates`` (the last ones).
        rate: messages/s of all groups and channels; ``None`` at the first look.
    """

    time: float
    layer: dict[str, Any]
    rows: dict[str, list[Row]]
    rate: float | None


class _Panel:
    """The rows of one panel."""

    def __init__(self, name: str, connection: Asked) -> None:
        self.name = name
        self.rows: dict[str, Row] = {}
        self.time = 0.0
        self._connection = connection
        self._reconnects: int | None = None

    async def refresh(self) -> None:
        more = True
        while more:
            reset = self._reconnects != self._connection.reconnects
            self._reconnects = self._connection.reconnects
            answer = await self._connection.call("inspect", {"panel": self.name, "reset": reset})
            if self._reconnects != self._connection.reconnects:
                continue  # lost meanwhile: this may be a part of what there is
            if reset:
                self.rows.clear()
            for values in answer["rows"]:
                self.rows[values[0]] = dict(zip(FIELDS[self.name], values, strict=False))
            for key in answer["gone"]:
                self.rows.pop(key, None)
            self.time, more = answer["time"], answer["more"]


class Looker:
    """Looks at a server again and again.

    Args:
        connection: to it.
        show_all: names that are nbchannels' own, too.
    """

    def __init__(self, connection: Asked, *, show_all: bool = False) -> None:
        self._connection = connection
        self._show_all = show_all
        self._panels = {name: _Panel(name, connection) for name in PANELS}
        self._rates: dict[str, deque[float]] = {}
        self._before: dict[str, tuple[str, int]] | None = None
        self._sent: tuple[float, int] | None = None
        self._time = 0.0

    async def rows(self, panels: Iterable[str]) -> dict[str, list[Row]]:
        """The rows of some panels."""
        found = {}
        for name in panels:
            await self._panels[name].refresh()
            found[name] = self._shown(name)
        return found

    def _shown(self, name: str) -> list[Row]:
        rows = self._panels[name].rows.values()
        hides = name in ("groups", "channels") and not self._show_all
        return [dict(row) for row in rows if not (hides and row["name"].startswith(RESERVED))]

    async def look(self) -> Look:
        """Everything, with rates since the last look."""
        layer = await self._connection.call("inspect_layer", {})
        rows = await self.rows(PANELS)
        groups = self._panels["groups"]
        self._measure(groups)
        for row in rows["groups"]:
            rates = self._rates.get(row["name"], ())
            row["rates"] = list(rates)
            row["rate"] = row["rates"][-1] if rates else 0.0
        return Look(groups.time, layer, rows, self._total(groups.time, layer["statistics"]))

    def _measure(self, groups: _Panel) -> None:
        passed, self._time = groups.time - self._time, groups.time
        now = {name: (row["epoch"], row["offset"]) for name, row in groups.rows.items()}
        before, self._before = self._before, now
        if before is None or passed <= 0:
            return
        for name, (epoch, offset) in now.items():
            old_epoch, old_offset = before.get(name, ("", 0))
            sent = offset - old_offset if epoch == old_epoch else offset
            rates = self._rates.setdefault(name, deque(maxlen=REMEMBERED))
            rates.append(max(0, sent) / passed)
        for name in self._rates.keys() - now.keys():
            del self._rates[name]

    def _total(self, now: float, statistics: dict[str, int]) -> float | None:
        sent = statistics["sent"] + statistics["group_sent"]
        before, self._sent = self._sent, (now, sent)
        if before is None or now <= before[0]:
            return None
        return max(0, sent - before[1]) / (now - before[0])
