"""Driving an ASGI application in a test.

Source: Channels 4, ``channels.testing``; built on asgiref's communicator.
"""

import asyncio
import contextvars
from typing import Any

from asgiref.testing import ApplicationCommunicator as _Communicator

from nbchannels.consumer import failures
from nbchannels.diagnoses import recent
from nbchannels.typing import MessageDict, Scope

__all__ = ["ApplicationCommunicator"]


class ApplicationCommunicator(_Communicator):
    """Runs an application with a scope, sends events to it and receives what it sends.

    It starts with the first event, on the loop that runs then. An exception that ends it, or that
    makes a consumer close its WebSocket, is raised by the next call here, after everything that was
    sent before.

    Args:
        application: an ASGI application, or a consumer class.
        scope: of the connection.
    """

    _future: "asyncio.Task[Any] | None" = None  # one that was never made is deleted, too

    def __init__(self, application: Any, scope: Scope) -> None:
        #: What has ended consumers that told their server nothing but a close code.
        self.failures: list[BaseException] = []
        super().__init__(_application(application), scope)  # type: ignore[no-untyped-call]

    @property
    def future(self) -> "asyncio.Task[Any]":
        """The application's task; it starts when this is first looked at."""
        if self._future is None:
            context = contextvars.Context()  # nothing of the test gets in
            context.run(failures.set, self.failures)
            running = self.application(self.scope, self.input_queue.get, self.output_queue.put)
            self._future = context.run(asyncio.ensure_future, running)
        return self._future

    async def send_input(self, message: MessageDict) -> None:
        """Send an event to the application.

        Raises:
            CancelledError: it was stopped, or cancelled after a time-out.
        """
        if self.future.done():
            self.future.result()
            self._raise()
        self.input_queue.put_nowait(message)

    async def receive_output(self, timeout: float = 1) -> MessageDict:  # noqa: ASYNC109
        """Wait for the next event that the application sends.

        Raises:
            TimeoutError: none came within ``timeout`` seconds, and the application was cancelled;
                or none can come, because it has ended.
        """
        task = self.future
        getting = asyncio.ensure_future(self.output_queue.get())
        try:
            await asyncio.wait(
                {getting, task}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if not getting.done() and task.done() and self.output_queue.empty():
                self._raise()
                raise TimeoutError("the application has ended; it sends nothing more" + _why())
            if not getting.done() and not task.done():
                await self._cancel()
                raise TimeoutError(f"the application sent nothing within {timeout:g} s" + _why())
            return dict(await getting)
        finally:
            getting.cancel()

    async def receive_nothing(self, timeout: float = 0.1, interval: float = 0.01) -> bool:  # noqa: ASYNC109
        """Whether the application sends nothing for ``timeout`` seconds.

        Args:
            timeout: in seconds.
            interval: seconds between two looks.
        """
        task = self.future
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while self.output_queue.empty() and not task.done() and loop.time() < end:
            await asyncio.wait({task}, timeout=min(interval, timeout))
        if self.output_queue.empty() and task.done():
            self._raise()
        return bool(self.output_queue.empty())

    async def wait(self, timeout: float = 1) -> None:  # noqa: ASYNC109
        """Wait until the application ends.

        Raises:
            TimeoutError: it did not, and was cancelled.
        """
        task = self.future
        try:
            await asyncio.wait({task}, timeout=timeout)
            if not task.done():
                raise TimeoutError(f"the application did not end within {timeout:g} s")
            self._raise()
        finally:
            await self._cancel()

    def stop(self, exceptions: bool = True) -> None:
        """Cancel the application.

        Args:
            exceptions: raise the one it has ended with.
        """
        task = self._future
        if task is None:
            return
        if not task.done():
            task.cancel()
        elif exceptions:
            self._raise()

    def _raise(self) -> None:
        """Raise what has ended the application, if something has."""
        if self._future is not None and self._future.done() and not self._future.cancelled():
            self._future.result()
        if self.failures:
            raise self.failures[0]

    async def _cancel(self) -> None:
        task = self.future
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def _application(application: Any) -> Any:
    as_asgi = getattr(application, "as_asgi", None)
    return as_asgi() if isinstance(application, type) and as_asgi is not None else application


def _why() -> str:
    """What was told last, which often is the reason."""
    told = recent(1)
    return f"; the last diagnosis: {told[0].sentence}" if told else ""
