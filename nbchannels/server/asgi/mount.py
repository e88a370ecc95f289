"""The application of this server, from its import to its shutdown."""

import asyncio
import logging
from typing import Any

from nbchannels.server.asgi.exchanges import Exchange
from nbchannels.server.asgi.lifespan import Lifespan
from nbchannels.server.asgi.loading import ApplicationNotLoaded, load
from nbchannels.typing import ASGIApplication, Scope

__all__ = ["Mount"]

#: Seconds that a request waits for the application's startup.
PATIENCE = 30.0
#: Seconds that requests have when the server stops, and then to take their cancellation.
GRACE, LAST = 5.0, 5.0

log = logging.getLogger("nbchannels")


class Mount:
    """An ASGI application, and the calls of it that are under way.

    Args:
        source: the application, or its dotted path; see `load`.
        pass_credentials: whether the application sees Jupyter's cookies and tokens.
        limit: calls under way at most.

    Attributes:
        problem: why there is no application: what was wrong with ``source``, also in the log.
    """

    def __init__(self, source: Any, *, pass_credentials: bool = False, limit: int = 10_000) -> None:
        self.pass_credentials = pass_credentials
        self.problem: str | None = None
        self._limit = limit
        self._application: ASGIApplication | None = None
        self._lifespan: Lifespan | None = None
        self._starting: asyncio.Task[None] | None = None
        self._calls: dict[asyncio.Task[None], Exchange] = {}
        self._closed = False
        try:
            self._application = load(source)
        except ApplicationNotLoaded as error:
            self.problem = str(error)
            log.error("%s; nbchannels/app answers 503", error, exc_info=error.__cause__)

    def __len__(self) -> int:
        """How many calls are under way."""
        return len(self._calls)

    @property
    def state(self) -> dict[str, Any]:
        """What the application keeps over its connections."""
        return {} if self._lifespan is None else self._lifespan.state

    def start(self) -> None:
        """Begin the application's startup, once. Requests wait for its end."""
        if self._application is None or self._starting is not None or self._closed:
            return
        self._lifespan = Lifespan(self._application)
        self._starting = asyncio.create_task(self._lifespan.start(), name="nbchannels: startup")

    async def ready(self) -> str | None:
        """Wait for the startup. ``None``: a call can be made. Otherwise a sentence: why not."""
        self.start()
        if self._starting is not None and not self._starting.done():
            await asyncio.wait({self._starting}, timeout=PATIENCE)
            if not self._starting.done():
                return f"the application has been starting for more than {PATIENCE:g} s; try again"
        if self._closed:
            return "the server stops"
        if self.problem is not None:
            return self.problem
        if self._lifespan is not None and self._lifespan.problem is not None:
            return self._lifespan.problem
        if len(self._calls) >= self._limit:
            return f"{len(self._calls):,} requests and WebSockets, the limit; try again later"
        return None

    def call(self, exchange: Exchange, scope: Scope) -> None:
        """Call the application; only after `ready` has said ``None``."""
        assert self._application is not None
        task = asyncio.create_task(exchange.run(self._application, scope), name=exchange.summary)
        self._calls[task] = exchange
        task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._calls.pop(task, None)

    async def close(self) -> None:
        """Send everyone away, then shut the application down.

        WebSockets are closed with 1012. What is still under way after 5 s is cancelled. The
        shutdown has 10 s.
        """
        if self._closed:
            return
        self._closed = True
        for exchange in list(self._calls.values()):
            exchange.shut_down()
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=GRACE)
        for task in self._calls:
            task.cancel()
        if self._calls:
            _, stubborn = await asyncio.wait(set(self._calls), timeout=LAST)
            for task in stubborn:
                log.error("%s: does not end, though it was cancelled", task.get_name())
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.wait({self._starting})
        if self._lifespan is not None:
            await self._lifespan.stop()
