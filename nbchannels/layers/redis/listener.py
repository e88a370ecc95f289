"""What Redis tells on its own: news of groups and channels, on one connection, kept up.

After a break nobody knows what was missed: each channel's listener is told that it listens again,
and looks for itself.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from redis.exceptions import RedisError, ResponseError

from nbchannels.layers.redis.calls import packed
from nbchannels.layers.redis.courier import end
from nbchannels.layers.redis.replies import read, writer_of

__all__ = ["Listener"]

#: Seconds to connect; between two attempts at first and at most; between two signs of life.
CONNECT, PAUSE, MOST_PAUSE, BEAT = 2.0, 0.05, 0.5, 3.0
#: The same, when it is in doubt.
CHECK = 2.0

log = logging.getLogger("nbchannels")
_chance = secrets.SystemRandom()


class _Heard(NamedTuple):
    told: Callable[[bytes], None]
    restored: Callable[[], None]
    ready: "asyncio.Future[None]"


class Listener:
    """The subscriptions at one Redis. To be used on one loop.

    Args:
        connect: makes an unconnected connection.
        where: for people: the address.
        command: ``SUBSCRIBE``, or ``SSUBSCRIBE`` on a cluster.
    """

    def __init__(self, connect: Callable[[], Any], where: str, command: str = "SUBSCRIBE") -> None:
        self._connect = connect
        self._where = where
        self._command = command
        self._heard: dict[bytes, _Heard] = {}
        self._connection: Any = None
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False
        # Things heard; what was heard last may lie long ago where nothing is told.
        self._count = 0
        self._pause = PAUSE
        self._suspected = asyncio.Event()
        self._is_suspected = False
        #: A sentence while it hears nothing; else empty.
        self.trouble = ""

    def listen(
        self, channel: str, told: Callable[[bytes], None], restored: Callable[[], None]
    ) -> "asyncio.Future[None]":
        """Have ``told`` called with each message of a channel.

        Args:
            channel: of the publish/subscribe side.
            told: must be quick, and must not raise.
            restored: called when it is heard again after a break, and at first: news may have
                been missed.

        Returns:
            Done when the subscription is confirmed for the first time.
        """
        loop = asyncio.get_running_loop()
        name = channel.encode()
        heard = self._heard[name] = _Heard(told, restored, loop.create_future())
        if self._task is None:
            self._task = loop.create_task(self._serve())
        elif self._connection is not None:
            self._send(self._command, name)
        return heard.ready

    def unlisten(self, channel: str) -> None:
        """Hear no more of a channel."""
        heard = self._heard.pop(channel.encode(), None)
        if heard is not None:
            heard.ready.cancel()
            if self._connection is not None:
                self._send(self._command.replace("SUBSCRIBE", "UNSUBSCRIBE", 1), channel)

    def _send(self, *arguments: Any) -> None:
        self._write(self._connection, arguments)

    def _write(self, connection: Any, arguments: tuple[Any, ...]) -> None:
        # Not by redis-py: it would connect again what was closed meanwhile.
        with contextlib.suppress(ConnectionError):  # the reader sees it too
            writer_of(connection).write(packed(arguments))

    # The connection.

    async def _serve(self) -> None:
        while not self._is_closed:
            connection = None
            beating: asyncio.Task[None] | None = None
            try:
                connection = self._connect()
                async with asyncio.timeout(CONNECT):
                    await connection.connect()
                self._connection = connection
                self._suspected.clear()
                self._is_suspected = False
                beating = asyncio.get_running_loop().create_task(self._beat(connection))
                names = list(self._heard)
                if not names:  # there is nothing to hear, and nothing that could be missed
                    self.trouble = ""
                for name in names:
                    self._write(connection, (self._command, name))
                await read(connection, self._told)
            except (RedisError, OSError, TimeoutError, EOFError) as error:
                if not self._is_closed:
                    self._note(error)
            except Exception as error:  # what is not foreseen must not end the service in silence
                log.exception("nbchannels: listening to Redis at %s broke", self._where)
                self._note(error)
            finally:
                self._connection = None
                if beating is not None:
                    beating.cancel()
                if connection is not None:
                    with contextlib.suppress(Exception):
                        await connection.disconnect(nowait=True)
            if not self._is_closed:
                await asyncio.sleep(self._pause * (0.5 + _chance.random()))
                self._pause = min(self._pause * 2, MOST_PAUSE)

    def _note(self, error: BaseException) -> None:
        if not self.trouble:
            log.info("nbchannels: Redis at %s is not heard: %s", self._where, error)
        self.trouble = f"Redis at {self._where} is not heard: {error}"

    async def _beat(self, connection: Any) -> None:
        """Nothing heard between signs of life, twice, or once in doubt: it is given up."""
        silences = 0
        while silences < 2:
            heard = self._count
            self._write(connection, ("PING",))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT if not self._is_suspected else CHECK):
                    await self._suspected.wait()
            if self._suspected.is_set():  # in doubt since it was asked: ask again
                self._suspected.clear()
            elif self._count != heard:
                silences, self._is_suspected = 0, False
            else:
                silences += 2 if self._is_suspected else 1
        self.abort()

    def check(self) -> None:
        """The other connection broke: see at once whether this one lives."""
        self._is_suspected = True
        self._suspected.set()

    def _told(self, news: Any) -> None:
        if isinstance(news, ResponseError):
            self._refused(news)
            return
        if isinstance(news, RedisError):
            raise news
        self._count += 1
        self._pause = PAUSE
        self.trouble = ""
        if not isinstance(news, list) or len(news) < 3:
            return  # the answer to a sign of life
        kind, name, data = news[0], news[1], news[2]
        one = self._heard.get(name)
        if one is None:
            return
        if kind in (b"message", b"smessage"):
            one.told(data)
        elif kind in (b"subscribe", b"ssubscribe"):
            if not one.ready.done():
                one.ready.set_result(None)
            one.restored()
        elif kind == b"sunsubscribe":
            self._dropped(name)

    def _refused(self, error: ResponseError) -> None:
        """A channel cannot be heard: all are asked for again, on a new connection."""
        if not self.trouble:
            log.error("nbchannels: Redis at %s refused to be heard: %s", self._where, error)
        raise error

    def _dropped(self, name: bytes) -> None:
        """Redis says that a channel is not heard here any more."""

    def abort(self) -> None:
        """Break the connection; another one is made."""
        writer = getattr(self._connection, "_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def close(self) -> None:
        """Hear no more."""
        self._is_closed = True
        task, self._task = self._task, None
        if task is not None:
            await end(task)
        for heard in self._heard.values():
            heard.ready.cancel()
        self._heard.clear()
