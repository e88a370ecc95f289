"""What every handler of ``api/…`` shares: logins, rights, JSON answers, errors.

A verb checks the login (tornado), the name, the right (policy), and then asks the layer. Every
error is JSON: ``{"error": {"code", "message", "temporary", …}}``, with the codes of the wire.
"""

import functools
import json
from collections.abc import Awaitable, Callable
from http.client import responses
from typing import Any, ClassVar

from jupyter_server.base.handlers import APIHandler
from tornado import web

from nbchannels.exceptions import ChannelsError
from nbchannels.names import require_channel_name, require_group_name
from nbchannels.server.host import Host
from nbchannels.server.policy import RESOURCE

__all__ = ["STATUS", "ApiHandler", "BadRequest", "NotFound", "verb"]

#: The HTTP status of each code.
STATUS = {
    "bad_request": 400,
    "bad_name": 400,
    "bad_message": 400,
    "forbidden": 403,
    "no_consumer": 404,
    "no_route": 404,
    "not_found": 404,
    "unknown_method": 405,
    "timeout": 408,
    "aborted": 408,
    "closed": 409,
    "too_large": 413,
    "full": 429,
    "too_many": 429,
    "consumer_failed": 500,
    "internal": 500,
    "out_of_order": 503,
    "unavailable": 503,
}
_CODES = {400: "bad_request", 401: "forbidden", 403: "forbidden", 404: "not_found"} | {
    405: "unknown_method",
    413: "too_large",
    429: "too_many",
    503: "unavailable",
}
#: Characters of an error's sentence: names and keys in it may be long.
MOST_SAID = 2000


def _json(value: Any) -> bytes:
    """One line of JSON for machines and terminals; half a surrogate pair stays escaped."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return f"{text}\n".encode(errors="backslashreplace")


class BadRequest(ChannelsError):
    """A parameter that cannot be used."""

    code = "bad_request"


class NotFound(ChannelsError):
    """Nothing of this name is there."""

    code = "not_found"


class ApiHandler(APIHandler):
    """What all handlers share."""

    auth_resource: ClassVar[str] = RESOURCE

    @property
    def host(self) -> Host:
        """The extension's state."""
        host: Host = self.settings["nbchannels"]
        return host

    @property
    def _track_activity(self) -> bool:  # type: ignore[override]
        # A script that posts each second would keep an idle server up for ever.
        return self.host.counts_as_activity

    async def prepare(self) -> None:  # type: ignore[override]
        """Jupyter's checks, and nobody comes further without a login, nor does a body."""
        await super().prepare()
        if self.request.method != "OPTIONS" and self.current_user is None:
            raise web.HTTPError(403)

    def compute_etag(self) -> None:
        """None: each answer is a new one."""

    def on_finish(self) -> None:
        """The request is counted."""
        self.host.count_answer("api", self.get_status())
        super().on_finish()

    def answer(self, value: Any, status: int = 200) -> None:
        """Finish with JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(_json(value))

    def refuse(self, error: ChannelsError, **details: Any) -> None:
        """Finish with an error. Nothing of the request gets into the status line or a header."""
        wire = error.to_wire() | details
        wire = {k: v[:MOST_SAID] if isinstance(v, str) else v for k, v in wire.items()}
        if error.temporary or error.code in ("full", "too_many"):
            self.set_header("Retry-After", "1")
        self.answer({"error": wire}, STATUS.get(error.code, 500))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Errors of tornado and Jupyter, and our own mistakes."""
        raised = kwargs.get("exc_info", (None, None))[1]
        message = responses.get(status_code, "error").lower()
        if status_code == 403 and getattr(self, "_jupyter_current_user", None) is None:
            message = "not logged in; send Jupyter's token: -H 'Authorization: token …'"
        elif isinstance(raised, web.HTTPError) and raised.log_message and status_code < 500:
            message = raised.log_message % raised.args
        elif status_code == 404:
            message = "nothing is at this address, or not for a page from another origin"
        elif status_code == 405:
            self.set_header("Allow", ", ".join(self.verbs()))
            message = f"this address takes {', '.join(self.verbs())}"
        elif status_code >= 500:
            message = "an error in nbchannels itself; the server's log has the traceback"
        error = ChannelsError(message[:MOST_SAID])
        error.code = _CODES.get(status_code, "bad_request" if status_code < 500 else "internal")
        self.set_header("Cache-Control", "no-store")
        self.finish(_json({"error": error.to_wire()}))

    @classmethod
    def verbs(cls) -> list[str]:
        """The methods that this handler answers."""
        own = ("GET", "POST", "PUT", "PATCH", "DELETE")
        missing = web.RequestHandler._unimplemented_method
        return [verb for verb in own if getattr(cls, verb.lower()) is not missing]


Verb = Callable[..., Awaitable[Any]]


def verb(action: str, kind: str) -> Callable[[Verb], Any]:
    """A method of a handler: who is logged in and has the right gets what it returns, as JSON.

    Args:
        action: the right it takes.
        kind: what it is about; the first part of the path is the name of a group or channel.
    """

    def decorate(method: Verb) -> Any:
        @web.authenticated
        @functools.wraps(method)
        async def answer(self: ApiHandler, name: str = "") -> None:
            try:
                if kind == "group":
                    require_group_name(name)
                elif kind == "channel":
                    require_channel_name(name)
                await self.host.policy.require(self.current_user, action, kind, name)
                value = await (method(self, name) if name else method(self))
            except ChannelsError as error:
                self.refuse(error)
            else:
                if not self._finished:
                    self.answer(value)

        return answer

    return decorate
