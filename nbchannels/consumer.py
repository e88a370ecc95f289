"""Consumers as classes: one instance per connection, one method per type of message.

An instance takes one message at a time, from the protocol (the ASGI server) and from its own
channel on the layer. What is wrong with a message, or with the handler of a layer message, is told
(`nbchannels.diagnoses`) and does not end the consumer. A handler of the protocol that fails does:
a WebSocket is closed with 1011, elsewhere the server gets the exception.

Source: Channels 4, ``channels.consumer``.
"""

import asyncio
import contextlib
import functools
import inspect
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any, ClassVar, TypeAlias

from asgiref.sync import iscoroutinefunction

from nbchannels.colours import tell_coroutine, tell_generator, tell_plain, tell_unawaited
from nbchannels.diagnoses import report
from nbchannels.exceptions import (
    ConsumeLater,
    InvalidChannelLayerError,
    LayerUnavailable,
    StopConsumer,
)
from nbchannels.layers.leases import Outcome
from nbchannels.layers.manager import DEFAULT_CHANNEL_LAYER, get_channel_layer
from nbchannels.lifetime import close_channel, open_channel
from nbchannels.reach import Unreached, get_handler_name, handler_of, type_of
from nbchannels.threads import HomeLoop, threads
from nbchannels.typing import ASGIApplication, MessageDict, Receive, Scope, Send
from nbchannels.unawaited import WatchedLayer

__all__ = ["AsyncConsumer", "SyncConsumer", "failures", "get_handler_name", "outcome"]

#: Called with what became of a message that is not simply done, why in a sentence, and where.
_Tell: TypeAlias = Callable[[Outcome, str, str], None]
#: What a worker hands to the consumers that it runs.
outcome: ContextVar[_Tell | None] = ContextVar("outcome", default=None)
#: What a test hands over: it gets the exceptions that end a consumer, which no server sees.
failures: ContextVar[list[BaseException] | None] = ContextVar("failures", default=None)

#: The close code of a WebSocket whose consumer failed.
INTERNAL_ERROR = 1011
_Take: TypeAlias = Callable[[], Awaitable[MessageDict]]


class AsyncConsumer:
    """The base of all consumers; handlers are coroutine methods.

    ::

        class Index(AsyncConsumer):
            async def websocket_connect(self, event):
                await self.send({"type": "websocket.accept"})
                await self.channel_layer.group_add("index", self.channel_name)

            async def index_tick(self, event):
                await self.send({"type": "websocket.send", "text": event["text"]})

    Attributes:
        channel_layer_alias: of the layer; ``None`` for a consumer without one.
        scope: of the connection.
        channel_layer: the layer.
        channel_receive: takes the next message from the consumer's channel.
        base_send: sends to the server.

    Source: Channels 4, ``channels.consumer.AsyncConsumer``.
    """

    channel_layer_alias: ClassVar[str | None] = DEFAULT_CHANNEL_LAYER
    _sync: ClassVar[bool] = False

    scope: Scope
    channel_layer: Any
    channel_receive: _Take | None
    base_send: Callable[[MessageDict], Any]

    _channel_name: str | None = None
    #: The type of the scope while an event of the protocol is handled, ``None`` for the layer's.
    _protocol: str | None = None
    #: Who is told what becomes of the message in hand.
    _outcome: _Tell | None = None

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> ASGIApplication:
        """An ASGI 3 application that makes an instance of this class for each scope.

        Args:
            initkwargs: for the constructor. The application has them as ``consumer_initkwargs``,
                and the class as ``consumer_class``.
        """

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await cls(**initkwargs)(scope, receive, send)

        app.consumer_class = cls  # type: ignore[attr-defined]
        app.consumer_initkwargs = initkwargs  # type: ignore[attr-defined]
        functools.update_wrapper(app, cls, updated=())
        return app

    @property
    def channel_name(self) -> str:
        """The name of the consumer's own channel.

        Raises:
            InvalidChannelLayerError: it has none, because it has no layer.
        """
        if self._channel_name is None:
            raise InvalidChannelLayerError(
                f"{type(self).__name__} has no channel_name: "
                + (
                    "its channel_layer_alias is None"
                    if self.channel_layer_alias is None
                    else f"its layer {self.channel_layer_alias!r} could not be reached"
                )
            )
        return self._channel_name

    @channel_name.setter
    def channel_name(self, name: str) -> None:
        self._channel_name = name

    # One connection.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope until `StopConsumer`, its end, or a failure. ASGI 3."""
        self.scope = scope
        self._connect_to(send)
        layer, name = await self._open_channel()
        try:
            await self._serve(receive)
        finally:
            if name is not None:
                await close_channel(layer, name)

    async def _open_channel(self) -> tuple[Any, str | None]:
        """Make the consumer's channel; there is none without a layer that can be reached."""
        self.channel_layer, self.channel_receive = None, None
        if self.channel_layer_alias is None:
            return None, None
        try:
            layer = get_channel_layer(self.channel_layer_alias)
            self.channel_layer = WatchedLayer(layer, type(self).__name__, sync=self._sync)
            name = await open_channel(layer)
        except LayerUnavailable as error:
            report(
                "layer-failed",
                f"{type(self).__name__} runs without its channel: {error}",
                subject=type(self).__name__,
            )
            return None, None
        self.channel_name = name
        self.channel_receive = functools.partial(layer.receive, name)
        return layer, name

    async def _serve(self, receive: Receive) -> None:
        inlets: dict[str, _Take] = {"protocol": receive}
        if self.channel_receive is not None:
            inlets["layer"] = self.channel_receive
        taking: dict[str, asyncio.Future[MessageDict]] = {}
        try:
            while True:
                for inlet, take in inlets.items():
                    if inlet not in taking:  # the last one was handled: a worker counts on it
                        taking[inlet] = asyncio.ensure_future(take())
                await asyncio.wait(taking.values(), return_when=asyncio.FIRST_COMPLETED)
                for inlet in [inlet for inlet, future in taking.items() if future.done()]:
                    if not await self._handle(taking.pop(inlet), from_layer=inlet == "layer"):
                        return
        except StopConsumer:
            return
        finally:
            self._give_back(taking)
            for future in taking.values():
                future.cancel()
            if taking:
                await asyncio.wait(taking.values())

    def _give_back(self, taking: "dict[str, asyncio.Future[MessageDict]]") -> None:
        """A worker's message that was taken in the very moment in which the consumer ends."""
        tell, taken = outcome.get(), taking.get("protocol")
        if tell is not None and self.scope.get("type") == "channel":
            if taken is not None and taken.done() and not taken.cancelled():
                tell("return", "", "")

    # One message.

    async def _handle(self, taken: "asyncio.Future[MessageDict]", *, from_layer: bool) -> bool:
        """Dispatch a message that was taken; whether the consumer goes on."""
        scope = str(self.scope.get("type") or "")
        work = scope == "channel" and not from_layer
        self._protocol = None if from_layer or work else scope
        self._outcome = outcome.get() if work else None
        if from_layer and (error := taken.exception()) is not None:
            self._fail("layer-failed", "its channel", error)
            return await self._end(error, None)
        message = taken.result()
        what = type_of(message)
        try:
            await self.dispatch(message)
        except StopConsumer:
            raise
        except ConsumeLater as error:
            if self._outcome is not None:
                self._outcome("later", "", "")
            else:
                self._fail("handler-failed", f"{what} (only a worker can consume later)", error)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if _is_cancelled(error):
                raise
            self._fail("handler-failed", what, error)
            if self._protocol is not None:
                return await self._end(error, what)
        # After this event the server has nothing more to say.
        return self._protocol is None or what != f"{scope}.disconnect"

    async def dispatch(self, message: MessageDict) -> None:
        """Call the handler of a message; one that reaches none is told and dropped."""
        found = handler_of(type(self), message, self._protocol)
        if not isinstance(found, Unreached):
            await self._deliver(found, message)
            return
        what = type_of(message)
        if self._protocol is not None and what == f"{self._protocol}.disconnect":
            return  # nobody has to handle the end
        report(found.kind, found.sentence, subject=f"{type(self).__name__}: {what}")
        if self._outcome is not None:
            self._outcome("fail", found.sentence, "")

    async def send(self, message: MessageDict) -> None:
        """Send an event to the server, and so to the client."""
        await self.base_send(message)

    def _fail(self, kind: str, what: str, error: BaseException) -> None:
        """Tell an exception, and that the message failed."""
        name = type(self).__name__
        detail = "".join(traceback.format_exception(error)).rstrip()
        sentence = f"{name} failed on {what}: {type(error).__name__}: {error}"
        report(kind, sentence, subject=f"{name}: {what}", detail=detail)
        if self._outcome is not None:
            self._outcome("fail", sentence, detail)

    async def _end(self, error: BaseException, what: str | None) -> bool:
        """The consumer cannot go on: a WebSocket is closed, else the server gets the exception."""
        if self.scope.get("type") != "websocket":
            raise error
        if (noted := failures.get()) is not None:
            noted.append(error)
        if what == "websocket.disconnect":
            return False
        with contextlib.suppress(Exception):  # the socket may be what failed
            await self._send({"type": "websocket.close", "code": INTERNAL_ERROR})
        self._protocol = "websocket"
        try:  # the class cleans up as ever
            await self.dispatch({"type": "websocket.disconnect", "code": INTERNAL_ERROR})
        except StopConsumer:
            pass
        except (Exception, SystemExit, asyncio.CancelledError) as second:
            if _is_cancelled(second):
                raise
            self._fail("handler-failed", "websocket.disconnect", second)
        return False

    # What the synchronous consumer does in another way.

    def _connect_to(self, send: Send) -> None:
        self._send = self.base_send = send

    async def _deliver(self, name: str, message: MessageDict) -> None:
        """Call a handler."""
        await self._run(name, message)

    async def _run(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the user's class, whatever its colour."""
        method = getattr(self, name)
        result = method(*args, **kwargs)
        if inspect.isawaitable(result):
            result = await result
            while inspect.isawaitable(result):
                tell_unawaited(type(self), name, "await in front of the call")
                result = await result
        elif not iscoroutinefunction(method):
            tell_plain(type(self), name)
        tell_generator(type(self), name, result)
        return result

    async def _call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Await a method of our own, or the layer's."""
        return await function(*args)


class SyncConsumer(AsyncConsumer):
    """A consumer whose handlers are plain methods, run one at a time on a thread beside the loop.

    They may block. ``self.send`` and the like wait for the consumer's loop; the layer's coroutines
    are called with ``async_to_sync(self.channel_layer.group_add)(...)``.

    Source: Channels 4, ``channels.consumer.SyncConsumer``.
    """

    _sync = True
    _home: HomeLoop
    #: What synchronous calls have started on the loop, while an ``async def`` handler runs there.
    _started: "list[asyncio.Task[Any]] | None" = None

    def send(self, message: MessageDict) -> Any:
        """Send an event to the server, and so to the client.

        Returns:
            Nothing; in an ``async def`` handler, which runs on the loop, a task.

        Raises:
            WouldDeadlock: on the thread of the event loop.
        """
        return self.base_send(message)

    def _connect_to(self, send: Send) -> None:
        self._home = HomeLoop()
        self._send = send
        self.base_send = lambda message: self._wait(_sending(send, message), "send")

    async def _deliver(self, name: str, message: MessageDict) -> None:
        method = getattr(self, name)
        colour = iscoroutinefunction(method)
        result = method(message) if colour else await threads.run(method, message)
        if inspect.isawaitable(result):
            await self._run_coroutine(name, result)
        tell_generator(type(self), name, result)

    # The next two are coroutines that never wait: they are driven on a handler's thread.

    async def _run(self, name: str, *args: Any, **kwargs: Any) -> Any:
        result = getattr(self, name)(*args, **kwargs)
        if inspect.isawaitable(result):
            return self._wait(self._run_coroutine(name, result), name)
        tell_generator(type(self), name, result)
        return result

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._wait(function(*args), function.__name__)

    async def _run_coroutine(self, name: str, result: Awaitable[Any]) -> Any:
        """Await what a method of the user's class returned; on the consumer's loop."""
        if iscoroutinefunction(getattr(self, name)):
            tell_coroutine(type(self), name)
        else:
            tell_unawaited(type(self), name, "async_to_sync(function)(...)")
        outer, self._started = self._started, []
        try:
            return await result
        finally:
            started, self._started = self._started, outer
            if started:
                await asyncio.gather(*started)

    def _wait(self, coroutine: Coroutine[Any, Any, Any], name: str) -> Any:
        """Have the consumer's loop run a coroutine; called on a handler's thread, wait for it.

        In an ``async def`` handler, which must not wait, it is started and its task returned.
        """
        if self._started is not None and self._home.here:
            task = self._home.loop.create_task(coroutine)
            self._started.append(task)
            return task
        return self._home.call(coroutine, f"{type(self).__name__}.{name}")


def _is_cancelled(error: BaseException) -> bool:
    """Whether it is we who are cancelled, and not something that a handler has awaited."""
    task = asyncio.current_task()
    cancelled = isinstance(error, asyncio.CancelledError)
    return cancelled and task is not None and task.cancelling() > 0


async def _sending(send: Send, message: MessageDict) -> None:
    await send(message)
