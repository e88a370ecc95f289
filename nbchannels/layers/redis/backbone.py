"""The way to Redis that the parts of the layer share: calls, news, names, who this process is."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from nbchannels.diagnoses import report
from nbchannels.layers.redis.calls import Again, Argument
from nbchannels.layers.redis.check import Site
from nbchannels.layers.redis.courier import Courier
from nbchannels.layers.redis.entries import Keys
from nbchannels.layers.redis.listener import Listener
from nbchannels.layers.redis.scripts import Script

__all__ = ["Backbone"]

log = logging.getLogger("nbchannels")


class Backbone:
    """One Redis, as the layer uses it. To be used on one loop.

    Args:
        connect: makes an unconnected connection of redis-py.
        where: for people: the address, without a password.
        keys: the names of the keys.
        on_connect: called after each connect, before anything is sent.
        patience: seconds that a call waits.

    Attributes:
        process: 8 bytes, random: who sent an entry.
        token: the word before the ``!`` of the channels that this layer makes. Two layers of one
            process have two, and two inboxes: each reads its own.
        publish: the command that tells others.
    """

    publish = "PUBLISH"
    #: Seconds that a process counts as alive after its last sign of life, and between two of them.
    lease, renewal = 60.0, 20.0

    def __init__(
        self,
        connect: Callable[[], Any],
        where: str,
        keys: Keys,
        on_connect: Callable[[], None],
        patience: float,
    ) -> None:
        self.keys = keys
        self.token = secrets.token_hex(8)
        self.where = where
        self.patience = patience
        self.process = secrets.token_bytes(8)
        #: How this process is called in Redis.
        self.name = self.process.hex()
        self._connect = connect
        self._on_connect = on_connect
        self._courier = Courier(connect, where, self._connected, patience)
        self._listener = Listener(connect, where)
        self._lost: dict[str, int] = {}

    def _connected(self) -> None:
        # What broke one connection may have silenced the other, without an end.
        self._listener.check()
        self._on_connect()

    def run(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Argument],
        again: Again | None = None,
    ) -> "asyncio.Future[Any]":
        """Run a script; see `Courier.run`."""
        return self._courier.run(script, keys, arguments, again)

    def command(self, key: str, *arguments: Argument) -> "asyncio.Future[Any]":
        """Run a command on one key (its second word); see `Courier.command`."""
        return self._courier.command(arguments[0], key, *arguments[1:])

    def listen(
        self,
        tag: str,
        channel: str,
        told: Callable[[bytes], None],
        restored: Callable[[], None],
    ) -> "asyncio.Future[None]":
        """Hear a channel of the publish/subscribe side; see `Listener.listen`."""
        return self._listener.listen(channel, told, restored)

    def unlisten(self, tag: str, channel: str) -> None:
        """Hear it no more."""
        self._listener.unlisten(channel)

    @property
    def is_used(self) -> bool:
        """Whether anything was ever asked."""
        return self._courier.is_used

    @property
    def trouble(self) -> str:
        """A sentence while Redis does not answer, or is not heard; else empty."""
        return self._courier.trouble or self._listener.trouble

    def silence(self) -> str:
        """The sentence of an error: it does not answer."""
        return self.trouble or f"Redis at {self.where} does not answer"

    def random_epoch(self) -> str:
        """Of a log that begins."""
        return secrets.token_hex(8)

    def lose(self, sentence: str, subject: str) -> None:
        """Something was lost: say so."""
        report("dropped", sentence, subject=subject)

    async def sites(self) -> list[Site]:
        """The servers behind it, for `check`."""
        key = self.keys.trial(0)
        return [Site(self.where, self._connect, self.keys.prefix, key, self.publish)]

    async def close(self) -> None:
        """End the connections, after what was asked is answered."""
        await self._courier.settle(1.0)
        await self._listener.close()
        await self._courier.close()
