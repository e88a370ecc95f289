"""What Redis answers, read off a connection as it comes: no task and no stream between."""

import asyncio
from collections.abc import Callable
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import InvalidResponse

__all__ = ["read", "writer_of"]


class _Replies(asyncio.Protocol):
    """Reads replies, and hands each on.

    Args:
        told: called with each reply; what it raises ends the reading. Errors of Redis are replies.
        parse_error: makes an exception of what Redis says.
        ended: has an exception when nothing more comes.
    """

    def __init__(
        self,
        told: Callable[[Any], None],
        parse_error: Callable[[str], Exception],
        ended: "asyncio.Future[None]",
    ) -> None:
        self._told = told
        self._ended = ended
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=parse_error)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        reader, told, ended = self._reader, self._told, self._ended
        try:
            reader.feed(data)
            while not ended.done() and (reply := reader.gets()) is not False:
                told(reply)
        except Exception as error:
            self._end(error)

    def eof_received(self) -> None:
        """Redis has closed it."""
        self._end(Broken("Connection closed by server."))

    def connection_lost(self, error: Exception | None) -> None:
        """It is broken, or closed here."""
        self._end(error or Broken("the connection to Redis was closed"))

    def _end(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)


async def read(connection: Any, told: Callable[[Any], None]) -> None:
    """Read replies off a connection of redis-py that is connected, until it ends.

    From now on nothing else reads it: `told` gets what would have come to redis-py.

    Args:
        connection: connected, nothing is asked on it.
        told: called with each reply, errors of Redis among them (as exceptions); what it raises
            ends the reading.

    Raises:
        RedisError, OSError: the connection has ended.
    """
    transport = writer_of(connection).transport
    if transport.is_closing():
        raise Broken("Connection closed by server.")
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    transport.set_protocol(_Replies(told, connection._parser.parse_error, ended))
    try:
        await ended
    finally:
        ended.cancel()


def writer_of(connection: Any) -> asyncio.StreamWriter:
    """The stream that a connection of redis-py writes to.

    Raises:
        ConnectionError: it is not connected.
    """
    writer: asyncio.StreamWriter | None = getattr(connection, "_writer", None)
    if writer is None:
        raise ConnectionError("the connection to Redis is not open")
    return writer
