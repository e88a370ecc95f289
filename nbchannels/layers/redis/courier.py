"""The commands to one Redis: all on one connection, answered in order, none ever cancelled.

Whoever waits for an answer may give up; the answer is then read and dropped, so no reply can reach
the wrong caller. What was written and not answered when a connection broke is written again on the
next one: every script recognises what was done already, or the call says what is written instead. A
call that is not answered in time fails, and says whether it may have been done.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as Broken

from nbchannels.exceptions import LayerUnavailable
from nbchannels.layers.redis.calls import Again, Argument, Call, Unanswered, packed
from nbchannels.layers.redis.errands import Answer
from nbchannels.layers.redis.replies import read, writer_of
from nbchannels.layers.redis.scripts import Script

__all__ = ["Courier", "end"]

#: Seconds that a call waits for its answer; less than a send waits.
PATIENCE = 4.0
#: Seconds to connect; between two attempts at first and at most; between two looks at the time.
CONNECT, PAUSE, MOST_PAUSE, LOOK = 2.0, 0.05, 0.5, 0.5
#: Redis says so for a while: the call is made again.
_TEMPORARY = (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    TryAgainError,
)

log = logging.getLogger("nbchannels")
_chance = secrets.SystemRandom()


class Courier:
    """One connection, kept up.

    To be used on one loop. Connections are made by ``connect``, and are redis-py's.

    Args:
        connect: makes an unconnected connection.
        where: for people: the address.
        on_connect: called after each connect, before anything is sent.
        patience: seconds that a call waits.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        where: str,
        on_connect: Callable[[], None] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.where = where
        self.patience = patience
        #: A sentence while Redis does not answer; else empty.
        self.trouble = ""
        self._connect = connect
        self._on_connect = on_connect
        self._pending: deque[Call] = deque()
        self._waiting: deque[Call] = deque()
        self._is_scheduled = False
        self._task: asyncio.Task[None] | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._connection: Any = None
        self._pause = PAUSE
        self._is_closed = False
        # Redis said that it cannot now: it answers well again when it has done something.
        self._is_refused = False

    @property
    def is_used(self) -> bool:
        """Whether anything was ever asked."""
        return self._task is not None

    # Calls.

    def run(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Argument],
        again: Again | None = None,
    ) -> "asyncio.Future[Any]":
        """Run a script; the future has its answer.

        Args:
            script: fixed text.
            keys: of one hash tag.
            arguments: of the script.
            again: asked for the arguments when the connection broke before the answer; where it
                says ``None``, the call fails. Without it they are the same.

        Raises (in the future):
            Unanswered: in time.
            LayerUnavailable: Redis says no.
        """
        head: tuple[Argument, ...] = ("EVALSHA", script.sha, len(keys), *keys)
        repeat: Again | None = None
        if again is not None:

            def repeat() -> Sequence[Argument] | None:
                fresh = again()
                return None if fresh is None else (*head, *fresh)

        return self._call((*head, *arguments), script, repeat)

    def command(self, *arguments: Argument) -> "asyncio.Future[Any]":
        """Run one command that may be run twice; as `run`."""
        return self._call(arguments, None)

    def _call(
        self, arguments: Sequence[Argument], script: Script | None, again: Again | None = None
    ) -> "asyncio.Future[Any]":
        future = Answer(loop=asyncio.get_running_loop())
        if self._is_closed:
            future.set_exception(LayerUnavailable(f"the layer at {self.where} is closed"))
            return future
        call = Call(arguments, script, future, time.monotonic() + self.patience, again)
        call.packed = packed(arguments)
        self._queue(call)
        self._begin()
        return future

    def _begin(self) -> None:
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._serve())
        if self._clock is None:
            self._clock = loop.call_later(LOOK, self._look)

    # The connection.

    async def _serve(self) -> None:
        self._pause = PAUSE
        while not self._is_closed:
            connection = None
            try:
                connection = self._connect()
                async with asyncio.timeout(CONNECT):
                    await connection.connect()
                self._connection = connection
                if not self._is_refused:
                    self._is_well()
                self._schedule()
                if self._on_connect is not None:
                    self._on_connect()
                await read(connection, self._told)
            except (RedisError, OSError, TimeoutError, EOFError) as error:
                if self._connection is None:  # it is not even there: that is another trouble
                    self._is_refused = False
                # One that was given up after a silence ends, too: that is no other trouble.
                if not self._is_refused and (self._connection is None or not self.trouble):
                    self._note(error)
            except Exception as error:  # what is not foreseen must not end the service in silence
                log.exception("nbchannels: the connection to Redis at %s broke", self.where)
                self._note(error)
            finally:
                self._connection = None
                if connection is not None:
                    with contextlib.suppress(Exception):
                        await connection.disconnect(nowait=True)
                self._ask_again()
            if not self._is_closed:
                await asyncio.sleep(self._pause * (0.5 + _chance.random()))
                self._pause = min(self._pause * 2, MOST_PAUSE)

    def _note(self, error: BaseException) -> None:
        why = str(error).rstrip(".") or type(error).__name__
        sentence = f"Redis at {self.where} does not answer: {why}"
        if not self.trouble:
            log.warning("nbchannels: %s; trying again", sentence)
        self.trouble = sentence

    def _is_well(self) -> None:
        if self.trouble:
            log.info("nbchannels: Redis at %s answers again", self.where)
        self.trouble = ""
        self._is_refused = False
        self._pause = PAUSE

    def _ask_again(self) -> None:
        """What was written and not answered goes first on the next connection, in its order."""
        # Whoever is told that it failed goes on at once, and may ask something else.
        lost = list(self._waiting)
        self._waiting.clear()
        for call in reversed(lost):
            if call.future.done():
                continue
            if call.again is not None:
                arguments = call.again()
                if arguments is None:
                    call.future.set_exception(self._unanswered(call, "the connection broke"))
                    continue
                call.arguments, call.packed = arguments, packed(arguments)
            call.lost = True
            self._pending.appendleft(call)

    def _told(self, answer: Any) -> None:
        # Those two are broken connections to redis-py, and are answers.
        is_answer = not isinstance(answer, Broken) or isinstance(
            answer, (AuthenticationError, BusyLoadingError)
        )
        if not self._waiting or not is_answer:  # it says so to everybody: too many connections
            raise (
                answer
                if isinstance(answer, RedisError)
                else RedisError(f"it said {answer!r:.100}, and was asked nothing")
            )
        self._answer(self._waiting.popleft(), answer)

    def _queue(self, call: Call) -> None:
        if self._is_closed:
            self._fail(call)
            return
        self._pending.append(call)
        self._schedule()

    def _schedule(self) -> None:
        """Write what is asked first in a turn of the loop at once, and the rest at its end."""
        if not self._is_scheduled and self._connection is not None and self._pending:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._write_rest)
            self._write()

    def _write_rest(self) -> None:
        self._is_scheduled = False
        self._write()

    def _write(self) -> None:
        # One that was aborted has not ended yet, and carries nothing any more.
        if self._connection is None or writer_of(self._connection).transport.is_closing():
            return
        pending, waiting = self._pending, self._waiting
        parts: list[bytes] = []
        while pending:
            call = pending.popleft()
            if not call.future.done():
                call.written = True
                waiting.append(call)
                parts.append(call.packed)
        if parts:
            # How much may be under way is bounded by those that ask; so nothing is waited for here.
            writer_of(self._connection).write(b"".join(parts))

    def _answer(self, call: Call, answer: Any) -> None:
        if isinstance(answer, (ReadOnlyError, *_TEMPORARY)):
            call.refused(answer)
            self._refused(answer)
            self._later(call)
            if isinstance(answer, ReadOnlyError):  # it is no primary any more: find the new one
                self.abort()
            return
        if self.trouble:
            self._is_well()
        if call.future.done():
            return
        if not isinstance(answer, RedisError):
            call.future.set_result(answer)
        elif isinstance(answer, NoScriptError) and call.script is not None:
            _, _, *rest = call.arguments
            call.packed = packed(("EVAL", call.script.text, *rest))
            self._queue(call)
        else:
            call.future.set_exception(self._refusal(call, answer))

    def _refused(self, answer: RedisError) -> None:
        self._note(answer)
        self._is_refused = True

    def _later(self, call: Call) -> None:
        if not call.future.done():
            asyncio.get_running_loop().call_later(0.1, self._once_more, call)

    def _once_more(self, call: Call) -> None:
        # In between it stood in no queue: nobody has looked whether it is late.
        if not self._is_closed and call.is_late(time.monotonic()):
            self._give_up(call)
        else:
            self._queue(call)
            self._begin()

    def _give_up(self, call: Call) -> None:
        call.future.set_exception(self._unanswered(call, f"given up after {self.patience:g} s"))

    def _refusal(self, call: Call, answer: RedisError) -> LayerUnavailable:
        what = call.script.name if call.script is not None else call.arguments[0]
        if isinstance(answer, OutOfMemoryError) or str(answer).startswith("OOM"):
            return LayerUnavailable(
                f"Redis at {self.where} is out of memory (maxmemory) and stored nothing; raise "
                "maxmemory, or keep less with group_expiry, expiry and capacity"
            )
        return LayerUnavailable(f"Redis at {self.where} refused {what!r}: {answer}")

    def abort(self) -> None:
        """Break the connection; another one is made."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(ConnectionError):  # it is broken already
                writer_of(connection).transport.abort()

    # Time.

    def _look(self) -> None:
        """Fail what was not answered in time; a connection that is silent so long is given up."""
        self._clock = None
        now = time.monotonic()
        is_stuck = any(call.is_late(now) for call in self._waiting)
        late = [call for call in (*self._waiting, *self._pending) if call.is_late(now)]
        for call in late:
            self._give_up(call)
        if late:  # while nobody answers this would grow without end
            self._pending = deque(call for call in self._pending if not call.future.done())
        if is_stuck:
            self._note(TimeoutError(f"no answer within {self.patience:g} s"))
            self.abort()
        if (self._waiting or self._pending) and not self._is_closed:
            self._clock = asyncio.get_running_loop().call_later(LOOK, self._look)

    def _unanswered(self, call: Call, what: str) -> Unanswered:
        done = "it may have been done" if call.written else "nothing was sent"
        does = f"refuses it for now: {call.reason}" if call.reason else "does not answer"
        why = self.trouble or f"Redis at {self.where} {does}"
        error = Unanswered(f"{why}; {what}: {done}")
        error.written = call.written
        return error

    def _fail(self, call: Call) -> None:
        if not call.future.done():
            error = Unanswered(f"the layer at {self.where} is closed")
            error.written = call.written
            call.future.set_exception(error)

    async def close(self) -> None:
        """End the connection; what waits fails."""
        self._is_closed = True
        task, self._task = self._task, None
        if self._clock is not None:
            self._clock.cancel()
        if task is not None:
            await end(task)
        for call in (*self._waiting, *self._pending):
            self._fail(call)
        self._waiting.clear()
        self._pending.clear()

    async def settle(self, patience: float) -> None:
        """Wait until all that was asked is answered, but not longer."""
        waiting: list[Awaitable[Any]] = [
            call.future for call in (*self._waiting, *self._pending) if not call.future.done()
        ]
        if waiting:
            await asyncio.wait(waiting, timeout=patience)  # type: ignore[type-var]


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a task until it has ended: redis-py, while it connects, may swallow one."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.2)
    if not task.cancelled():
        task.exception()
