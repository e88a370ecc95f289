"""What the inspector sees, by HTTP: presence, the layer, the tail, a client's end."""

from typing import Any

from nbchannels.server.api import ApiHandler, BadRequest, verb
from nbchannels.server.inspecting import (
    disconnect,
    layer_facts,
    passed_message,
    read_tail,
    whole_message,
)
from nbchannels.server.rest import known_group
from nbchannels.server.tail import MOST_ROWS, Wanted

__all__ = [
    "ClientHandler",
    "LayerHandler",
    "PassedHandler",
    "PresenceHandler",
    "TailHandler",
]

#: What a row of the tail says, in its order.
FIELDS = (
    "number", "kind", "name", "time", "sender", "bytes", "codec", "offset", "message", "omitted",
)  # fmt: skip
KINDS, ORDERS = ("group", "channel"), ("newest", "oldest")
#: Digits of a number in a query.
MOST_DIGITS = 15


class PresenceHandler(ApiHandler):
    """``api/groups/<name>/presence``."""

    @verb("read", "group")
    async def get(self, name: str) -> Any:
        """Who is in it."""
        await known_group(self.host, name)
        return {"group": name, "presence": await self.host.layer.presence(name)}


class LayerHandler(ApiHandler):
    """``api/layer``."""

    @verb("read", "server")
    async def get(self) -> Any:
        """The layer as a whole, and how late the server's loop is."""
        return await layer_facts(self.host.hub)


class TailHandler(ApiHandler):
    """``api/tail``."""

    @verb("read", "server")
    async def get(self) -> Any:
        """The messages that went by since the last call."""
        after = self._number("after", None)
        limit = self._number("limit", MOST_ROWS)
        if limit is None or not 1 <= limit <= MOST_ROWS:
            raise BadRequest(f"limit is {limit}; it takes 1 to {MOST_ROWS}")
        kind: Any = self._word("kind", KINDS)
        order = self._word("order", ORDERS)
        wanted = Wanted(
            self.get_query_argument("name", None), self.get_query_argument("text", None),
            self._number("sender", None), self._number("least", None), kind,
        )  # fmt: skip
        may = self.host.policy.permits
        found = read_tail(
            self.host.hub, after or 0, limit, wanted, lambda k, name: may("read", k, name),
            oldest_first=order == "oldest",
        )  # fmt: skip
        return {
            "top": found["top"],
            # Who begins has missed nothing.
            "missed": 0 if after is None else found["missed"],
            "messages": [dict(zip(FIELDS, row, strict=True)) for row in found["rows"]],
        }

    def _number(self, name: str, default: int | None) -> int | None:
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
            raise BadRequest(f"{name} is {text[:50]!r}; it is a number")
        return int(text)

    def _word(self, name: str, words: tuple[str, ...]) -> str | None:
        word: str | None = self.get_query_argument(name, None)
        if word is not None and word not in words:
            raise BadRequest(f"{name} is {word[:50]!r}; it takes {' or '.join(words)}")
        return word


class PassedHandler(ApiHandler):
    """``api/tail/<number>``."""

    @verb("read", "server")
    async def get(self, name: str) -> Any:
        """All of one message that went by."""
        if not (name.isascii() and name.isdecimal() and len(name) <= MOST_DIGITS):
            raise BadRequest(f"a message has a number here, not {name[:50]!r}")
        passed = passed_message(self.host.hub, int(name))
        await self.host.policy.require(self.current_user, "read", passed.kind, passed.name)
        return whole_message(self.host.hub, passed)


class ClientHandler(ApiHandler):
    """``api/clients/<key>``."""

    @verb("execute", "server")
    async def delete(self, name: str) -> Any:
        """Close its connection."""
        disconnect(self.host.hub, name)
        return {"disconnected": name}
