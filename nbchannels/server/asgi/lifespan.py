"""The application's startup and shutdown.

Source: the ASGI specification 3.0, "Lifespan Protocol" 2.0.
"""

import asyncio
import logging
from typing import Any

from nbchannels.typing import ASGIApplication, MessageDict

__all__ = ["Lifespan"]

#: Seconds that the application has to shut down.
PATIENCE = 10.0

log = logging.getLogger("nbchannels")


class Lifespan:
    """One application from its startup to its shutdown.

    Args:
        application: to be started.

    Attributes:
        state: what the application keeps in ``scope["state"]``, for the scopes of its connections.
        problem: why the application cannot serve: its startup failed.
    """

    def __init__(self, application: ASGIApplication) -> None:
        self._application = application
        self.state: dict[str, Any] = {}
        self.problem: str | None = None
        self._messages: asyncio.Queue[MessageDict] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._heard = False

    async def start(self) -> None:
        """Start the application, and wait until it has started.

        An application that raises knows no lifespan, and serves without one.
        """
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._run(), name="nbchannels: the ASGI lifespan")
        await self._started.wait()

    async def stop(self) -> None:
        """Shut the application down; after 10 s its task is cancelled."""
        task, self._task = self._task, None
        if task is None:
            return
        if not task.done() and self._started.is_set() and self.problem is None:
            self._messages.put_nowait({"type": "lifespan.shutdown"})
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._stopped.wait()
            except TimeoutError:
                log.error(
                    "the ASGI application did not shut down in %g s; it is cancelled", PATIENCE
                )
        if not task.done():  # those that have shut down return at once
            await asyncio.wait({task}, timeout=0.1)
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._application(scope, self._receive, self._send)
        except (Exception, SystemExit) as error:
            self._raised(error)
        finally:
            self._started.set()
            self._stopped.set()

    def _raised(self, error: BaseException) -> None:
        if self.problem is not None:  # it has said so, and then raised it
            log.debug("the ASGI application raised after a failed startup", exc_info=error)
        elif self._started.is_set():
            log.error("the lifespan of the ASGI application ended by an error", exc_info=error)
        elif self._heard:
            log.warning(
                "the ASGI application raised in its startup without lifespan.startup.failed; "
                "it serves without a lifespan",
                exc_info=error,
            )
        else:
            log.info("the ASGI application has no lifespan (%s: %s)", type(error).__name__, error)

    async def _receive(self) -> MessageDict:
        message = await self._messages.get()
        self._heard = True
        return message

    async def _send(self, message: MessageDict) -> None:
        kind, said = message.get("type"), str(message.get("message") or "")
        phase, _, outcome = str(kind).removeprefix("lifespan.").partition(".")
        over = {"startup": self._started, "shutdown": self._stopped}.get(phase)
        if over is None or outcome not in ("complete", "failed"):
            raise RuntimeError(f"{kind!r} is no message of the lifespan protocol")
        if over.is_set() or (phase == "shutdown" and not self._started.is_set()):
            raise RuntimeError(f"{kind!r} cannot be sent now")
        if outcome == "failed":
            log.error("the ASGI application failed in its %s: %s", phase, said or "it did not say")
            if phase == "startup":
                brief = said.strip().rpartition("\n")[2] or "the server's log may say why"
                self.problem = f"the ASGI application failed to start: {brief}"
        over.set()
