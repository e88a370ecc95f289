"""The route table: everything this extension answers, below ``<base_url>nbchannels/``."""

import re
from typing import Any, NamedTuple

from nbchannels.server.asgi.handler import AppHandler
from nbchannels.server.bundle import BUNDLE, BundleHandler
from nbchannels.server.gateway import KernelSocket, PageSocket
from nbchannels.server.rest import (
    ChannelHandler,
    ChannelsHandler,
    ClientsHandler,
    DocumentHandler,
    GroupHandler,
    GroupsHandler,
    MessagesHandler,
    MissingHandler,
    StatisticsHandler,
    StatusHandler,
    TicketHandler,
)
from nbchannels.server.rest_state import (
    ClientHandler,
    LayerHandler,
    PassedHandler,
    PresenceHandler,
    TailHandler,
)
from nbchannels.server.rest_work import (
    ConsumersHandler,
    DeadLetterHandler,
    DeadLettersHandler,
    DiagnosesHandler,
    ResendHandler,
)
from nbchannels.server.websocket import ConsumerSocket

__all__ = ["PREFIX", "ROUTES", "Route", "handlers"]

PREFIX = "nbchannels"


class Route(NamedTuple):
    """One address.

    Attributes:
        path: below `PREFIX`; ``{name}`` stands for one part of it, ``{path}`` for the rest.
        handler: its class.
        options: for the handler.
    """

    path: str
    handler: type[Any]
    options: dict[str, Any] = {}

    @property
    def pattern(self) -> str:
        """The regular expression that tornado matches, without the server's base."""
        parts = re.split(r"(\{\w+\})", self.path)
        groups = {"{name}": "([^/]+)", "{path}": "(.*)"}
        return f"/{PREFIX}/" + "".join(groups.get(part) or re.escape(part) for part in parts)


#: The order counts: the first match answers.
ROUTES = (
    Route("ws", PageSocket),
    Route("kernel", KernelSocket),
    Route("api/status", StatusHandler),
    Route("api/ticket", TicketHandler),
    Route("api/groups", GroupsHandler),
    Route("api/groups/{name}", GroupHandler),
    Route("api/groups/{name}/messages", MessagesHandler),
    Route("api/groups/{name}/presence", PresenceHandler),
    Route("api/channels", ChannelsHandler),
    Route("api/channels/{name}", ChannelHandler),
    Route("api/clients", ClientsHandler),
    Route("api/clients/{name}", ClientHandler),
    Route("api/consumers", ConsumersHandler),
    Route("api/dead-letters", DeadLettersHandler),
    Route("api/dead-letters/{name}", DeadLetterHandler),
    Route("api/dead-letters/{name}/resend", ResendHandler),
    Route("api/diagnoses", DiagnosesHandler),
    Route("api/layer", LayerHandler),
    Route("api/tail", TailHandler),
    Route("api/tail/{name}", PassedHandler),
    Route("api/statistics", StatisticsHandler),
    Route("api/openapi.json", DocumentHandler),
    Route("api/{path}", MissingHandler),
    Route("app", AppHandler),
    Route("app/{path}", AppHandler),
    Route("http", ConsumerSocket),
    Route("http/{path}", ConsumerSocket),
    Route("static/{path}", BundleHandler, {"path": str(BUNDLE)}),
)


def handlers() -> list[tuple[str, type[Any], dict[str, Any]]]:
    """The table as Jupyter takes it; it puts the base in front."""
    return [(route.pattern, route.handler, dict(route.options)) for route in ROUTES]
