"""One call of the application, over HTTP or a WebSocket: what it raises or forgets is told."""

import abc
import asyncio
import logging

from nbchannels.exceptions import NoRoute
from nbchannels.server.asgi.responses import ClientDisconnected
from nbchannels.typing import ASGIApplication, MessageDict, Scope

__all__ = ["Exchange"]

#: How the routers of Channels 4 say that they have nothing there, in a ``ValueError``.
NO_ROUTE = ("No route found", "No application configured for scope type")
BROKEN = "the application failed; the server's log says how"

log = logging.getLogger("nbchannels")


class Exchange(abc.ABC):
    """What a call of the application receives and sends.

    Args:
        summary: for the log: method and path, without the query.
    """

    def __init__(self, summary: str) -> None:
        self.summary = summary

    @abc.abstractmethod
    async def receive(self) -> MessageDict:
        """ASGI's ``receive``."""

    @abc.abstractmethod
    async def send(self, message: MessageDict) -> None:
        """ASGI's ``send``."""

    @property
    @abc.abstractmethod
    def is_over(self) -> bool:
        """Whether the client has all it waits for, or has gone."""

    @abc.abstractmethod
    def fail(self, status: int, sentence: str) -> None:
        """End it in the application's place; nothing if it is over."""

    @abc.abstractmethod
    def leave(self) -> None:
        """The application has returned without an error."""

    @abc.abstractmethod
    def shut_down(self) -> None:
        """The server stops: there is little time left."""

    async def run(self, application: ASGIApplication, scope: Scope) -> None:
        """Call the application. Only a cancellation comes out of it."""
        try:
            await application(scope, self.receive, self.send)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # its own, of something it waited for
                self._raised(error)
                return
            if not self.is_over:
                log.warning("%s: cancelled, the server stops", self.summary)
            self.fail(503, "the server stops")
            raise
        except (Exception, SystemExit) as error:
            self._raised(error)
        else:
            self.leave()

    def _raised(self, error: BaseException) -> None:
        if _is_of_the_client(error):
            log.debug("%s: the client went away", self.summary)
        elif _is_no_route(error) and not self.is_over:
            log.warning("%s: %s", self.summary, error)
            self.fail(404, "the application has nothing at this address")
            return
        else:
            log.error("%s: the ASGI application raised", self.summary, exc_info=error)
        self.fail(500, BROKEN)


def _is_no_route(error: BaseException) -> bool:
    told = isinstance(error, ValueError) and str(error).startswith(NO_ROUTE)
    return told or isinstance(error, NoRoute)


def _is_of_the_client(error: BaseException | None) -> bool:
    """Whether this is nothing but the client's going, as frameworks pass it on."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_of_the_client(each) for each in error.exceptions)
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ClientDisconnected):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
