"""One route in service, and how its consumer runs: where, with whose output, and what came of it.

A plain function runs on the thread for consumers, one at a time; a coroutine function on the loop
of the notebook, between cells. What it prints appears in the cell that put it in service, because
it runs in the context of that cell. Nothing that it does wrong ends anything but itself.
"""

import asyncio
import contextlib
import contextvars
import dataclasses
import functools
import inspect
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Literal, TypeGuard

from nbchannels.consumer import AsyncConsumer
from nbchannels.diagnoses import report
from nbchannels.exceptions import (
    ChannelsError,
    ConsumeLater,
    DenyConnection,
    ImproperlyConfigured,
    shown,
)
from nbchannels.instance import Instance, Settlement, untaken
from nbchannels.layers.bindings import Binding
from nbchannels.message import Message
from nbchannels.places import Place, is_async, main_loop, on_loop, on_own_loop
from nbchannels.routes import RoutingObject, bindings_of
from nbchannels.threads import Threads
from nbchannels.typing import ASGIApplication

__all__ = [
    "ASK_PREFIX",
    "FAILED",
    "Held",
    "Service",
    "Settlement",
    "consumer_thread",
    "running",
    "runs_here",
]

#: Reply channels of `Channel.ask` start so; a failed consumer tells them.
ASK_PREFIX = "ask"
#: Channels for which a consumer class has an instance at one time.
MOST_INSTANCES = 1_000
#: The type of the message that tells it.
FAILED = "nbchannels.failed"

#: Where plain functions run, one at a time.
consumer_thread = Threads("nbchannels-consumers", 1, patience=None)
#: The place where the consumer of this context runs; ``None`` outside of consumers.
_running: contextvars.ContextVar["Service | None"] = contextvars.ContextVar(
    "nbchannels_running", default=None
)


@dataclasses.dataclass(slots=True, eq=False)
class Held:
    """A message that this process has in hand.

    Attributes:
        since: when it came, in monotonic seconds.
        begun: when its consumer began; ``None`` while it waits for its turn.
    """

    since: float
    begun: float | None = None


class Service:
    """A route in service. Made in the cell whose output it gets.

    Args:
        route: which messages, and their consumer.
        consumer: of the route, where that is known before a message comes.
        reply: whether what the consumer returns is sent to the message's reply channel.
        on: where it runs; without, a coroutine function on the main loop, others on the thread.
        capacity: from now on of its channels, in messages.
        expiry: from now on of its channels, in seconds.

    Attributes:
        place: ``"thread"``, ``"main"`` (the main thread's loop) or ``"loop"`` (the loop for user
            code, where there is no main loop).
        loop: of the main thread, if one runs there.
        count: messages that it was given.
        failed: of them, how many it failed on.
        error: the last failure, in a sentence.
        held: the messages that it has in hand.

    Raises:
        ImproperlyConfigured: ``on`` is none of the places.
    """

    def __init__(
        self,
        route: RoutingObject,
        consumer: Callable[..., Any] | None = None,
        *,
        reply: bool = False,
        on: Place | None = None,
        capacity: int | None = None,
        expiry: float | None = None,
    ) -> None:
        if on not in (None, "thread", "main"):
            raise ImproperlyConfigured(
                f"on={on!r}: a consumer runs on 'thread' (one at a time, beside the cells) or on "
                "'main' (between the cells)"
            )
        self.route = route
        self.reply = reply
        self.capacity = capacity
        self.expiry = expiry
        self.loop = main_loop()
        self.consumer = consumer
        self.application: ASGIApplication | None = (
            consumer.as_asgi() if is_application(consumer) else None
        )
        if self.application is not None and on == "main":
            raise ImproperlyConfigured(
                f"on='main' is for functions; {consumer!r} is a class of handlers, which runs "
                "beside the cells"
            )
        self._instances: dict[str, Instance] = {}
        self._is_over = False
        self.is_async = self.application is not None or is_async(consumer)
        self.place = self._place(on)
        self.count = self.failed = 0
        self.error = ""
        self.held: list[Held] = []
        self._context = contextvars.copy_context()

    def _place(self, on: Place | None) -> Literal["thread", "main", "loop"]:
        if self.application is not None:
            return "loop"
        wants_main = on == "main" or (on is None and self.is_async)
        if wants_main and self.loop is not None:
            return "main"
        return "loop" if self.is_async or wants_main else "thread"

    @property
    def bindings(self) -> list[Binding]:
        """Which messages it takes."""
        return bindings_of(self.route)

    @property
    def channels(self) -> list[str]:
        """The names and globs that it serves."""
        return list(dict.fromkeys(binding.channel for binding in self.bindings))

    @property
    def name(self) -> str:
        """Of its function or class."""
        named = self.consumer if self.consumer is not None else self.route
        return str(getattr(named, "__qualname__", None) or type(named).__name__)

    def __repr__(self) -> str:
        return f"<Service {', '.join(self.channels)} → {self.name} on {self.place}>"

    # Running.

    async def run(self, message: Message) -> Settlement:
        """Run the consumer for one message, on the loop for user code. Never raises.

        The message may be settled when this returns.
        """
        self.count += 1
        held = Held(time.monotonic())
        self.held.append(held)
        try:
            found = self.route.match(message)
            if found is None:
                raise LookupError(f"{self!r} does not match {message!r}")
            if self.application is not None:
                held.begun = time.monotonic()
                return await self._work(self.application, message)
            consumer, kwargs = found
            result = await self._call(consumer, message, kwargs, held)
            await self._answer(message, result)
        except ConsumeLater:
            return Settlement("later")
        except DenyConnection as error:
            return await self._denied(message, error)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                return Settlement("return")  # this process ends: nobody has worked on it
            # The consumer itself raised it: given back, it would come again for ever.
            return await self._failed(message, error)
        except BaseException as error:
            return await self._failed(message, error)
        finally:
            self.held.remove(held)
            if self._is_over and not self.held:
                await self._end_instances()
        return Settlement()

    async def _work(self, application: ASGIApplication, message: Message) -> Settlement:
        """Hand it to the instance of the class that serves its channel."""
        channel = str(message.channel_name)
        result: Settlement | None = None
        for _ in range(2):  # one that ends in the very moment is followed by another
            instance = self._instances.get(channel)
            if instance is None or instance.task.done():
                while len(self._instances) >= MOST_INSTANCES:
                    await self._instances.pop(next(iter(self._instances))).stop()
                context = self._context.copy()
                context.run(_running.set, self)
                instance = context.run(Instance, application, channel)
                self._instances[channel] = instance
            result = await instance.work(message.content)
            if result is not None:
                break
        settlement = result or untaken(channel)
        if settlement.outcome == "fail":
            self.failed += 1
            self.error = settlement.error
            text = f"{self.name} failed on {message!r:.200}\n{settlement.traceback}"
            self._context.copy().run(_print_error, text)
        return settlement

    async def end(self) -> None:
        """It is out of service: the instances of its class end, when they have nothing in hand.

        On the loop for user code.
        """
        self._is_over = True
        if not self.held:
            await self._end_instances()

    async def _end_instances(self) -> None:
        instances, self._instances = self._instances, {}
        for instance in instances.values():
            await instance.stop()

    async def _call(
        self, consumer: Callable[..., Any], message: Message, kwargs: Any, held: Held
    ) -> Any:
        """Call it where it belongs, in its cell's context."""
        context = self._context.copy()
        context.run(_running.set, self)
        if self.place == "thread":
            call_it = functools.partial(consumer, message, **kwargs)
            result = await consumer_thread.run(_on_thread, context, call_it, held)
            if inspect.isawaitable(result):
                self._tell_unawaited()
                result = await on_own_loop(context, result)
            return self._checked(result)

        async def call() -> Any:
            held.begun = time.monotonic()
            result = consumer(message, **kwargs)
            if inspect.isawaitable(result):
                if not self.is_async:
                    self._tell_unawaited()
                result = await result
            return result

        if self.place == "main" and self.loop is not None and not self.loop.is_closed():
            return self._checked(await on_loop(self.loop, context, call()))
        if self.place == "main":
            self.place = "loop"
            self._report(
                "loop-ended",
                f"the event loop that {self.name} was put in service on has ended; from now on it "
                "runs on the loop for user code",
            )
        return self._checked(await on_own_loop(context, call()))

    def _checked(self, result: Any) -> Any:
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise TypeError(
                f"{self.name} has a yield, so it is a generator and nothing of it ran; "
                "remove the yield"
            )
        return result

    async def _answer(self, message: Message, result: Any) -> None:
        reply_channel = message.reply_channel
        if not self.reply:
            if result is not None:
                hint = "@consume(…, reply=True) sends it" if reply_channel else "nobody gets it"
                self._report("returned", f"{self.name} returned {shown(result)}; {hint}")
            return
        if reply_channel is None:
            self._report(
                "no-reply-channel",
                f"{self.name} has reply=True, and the message has no reply_channel; "
                "Channel(…).ask(…) sends one",
            )
        elif not isinstance(result, dict) and not hasattr(result, "columns"):
            raise TypeError(
                f"{self.name} has reply=True and returned {shown(result)}; a reply is a dict: "
                f"return {{'result': …}}"
            )
        else:
            await reply_channel.asend(result)

    # What goes wrong.

    async def _denied(self, message: Message, error: DenyConnection) -> Settlement:
        """Refuse the WebSocket that asks, as in Channels 1.x; elsewhere there is none to refuse."""
        if message.channel_name != "websocket.connect" or message.reply_channel is None:
            return await self._failed(message, error)
        try:
            await message.reply_channel.asend({"close": True})
        except (ChannelsError, OSError) as refused:
            return await self._failed(message, refused)
        return Settlement()

    async def _failed(self, message: Message, error: BaseException) -> Settlement:
        self.failed += 1
        text = _traceback(error)
        self.error = _sentence(error)
        self._context.copy().run(_print_error, f"{self.name} failed on {message!r:.200}\n{text}")
        self._report("consumer-failed", f"{self.name} failed: {self.error}", text)
        channel = message.content.get("reply_channel")
        if isinstance(channel, str) and channel.startswith(f"{ASK_PREFIX}."):
            try:
                await message.reply_channel.asend(
                    {"type": FAILED, "error": self.error, "consumer": self.name}
                )
            except Exception as refused:  # also a warning, where those are errors
                self._report("no-answer", f"{self.name} could not tell of its failure: {refused}")
        return Settlement("fail", self.error, text)

    def _tell_unawaited(self) -> None:
        self._report(
            "not-awaited",
            f"{self.name} is a plain def that returned a coroutine; it was awaited for it, but "
            "write async def",
        )

    def _report(self, kind: str, sentence: str, detail: str = "") -> None:
        """Tell something as if the consumer had: it belongs to its cell."""
        context, subject = self._context.copy(), f"{self.name} on {self.channels[0]}"
        context.run(_running.set, self)
        context.run(functools.partial(report, kind, sentence, subject=subject, detail=detail))


def is_application(consumer: Any) -> TypeGuard[type[AsyncConsumer]]:
    """Whether this is a class of handlers, as in Channels 4."""
    return isinstance(consumer, type) and issubclass(consumer, AsyncConsumer)


def running() -> Service | None:
    """The service whose consumer runs in this context; ``None`` outside of consumers."""
    return _running.get()


def runs_here(service: Service) -> bool:
    """Whether this very thread would have to run the consumer: waiting for it here never ends."""
    if service.place == "main":
        return threading.current_thread() is threading.main_thread()
    current = _running.get()
    return service.place == "thread" and current is not None and current.place == "thread"


def _on_thread(context: contextvars.Context, call: Callable[[], Any], held: Held) -> Any:
    held.begun = time.monotonic()
    return context.run(call)


def _traceback(error: BaseException) -> str:
    """The traceback, from the consumer's own code on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        if not str(frames.tb_frame.f_globals.get("__name__", "")).startswith("nbchannels."):
            break
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _sentence(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # its own __str__ fails
        return f"{type(error).__name__}, which cannot be shown"


def _print_error(text: str) -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, or it is closed
        sys.stderr.write(f"{text}\n")
