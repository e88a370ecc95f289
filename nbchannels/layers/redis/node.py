"""One node of a Redis Cluster: a connection for commands, and one for news."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from nbchannels.layers.redis.calls import Call, packed
from nbchannels.layers.redis.courier import Courier
from nbchannels.layers.redis.listener import Listener
from nbchannels.layers.redis.slots import Address

__all__ = ["Connect", "Node"]

Connect = Callable[[Address], Any]


class Nodes(Protocol):
    """The cluster that a node is part of."""

    patience: float
    on_connect: Callable[[], None]

    def redirect(self, call: Call, error: RedisError, node: "Node") -> None:
        """A node did not do what it was asked: another one has the slot, or none for a moment."""

    def ask_soon(self) -> None:
        """Something has changed: ask who has which slot."""

    def news_moved(self, error: MovedError, node: "Node") -> None:
        """A channel cannot be heard at a node: its slot is elsewhere."""

    def news_dropped(self, channel: str) -> None:
        """A channel is not heard any more where it was: its slot has moved."""


class _NodeCourier(Courier):
    """The commands to one node; what it sends elsewhere is handed to the cluster."""

    def __init__(self, node: "Node", cluster: Nodes) -> None:
        self._node = node
        self._cluster = cluster
        self._probe = ""
        super().__init__(node.connect, node.where, self._connected, cluster.patience)

    def _connected(self) -> None:
        # What broke one connection may have silenced the other, without an end.
        self._node.listener.check()
        self._cluster.on_connect()

    def take(self, call: Call, *, asking: bool = False) -> None:
        """Send a call that another node did not answer.

        Args:
            call: as above.
            asking: its slot is on the way to this node.
        """
        if call.is_late(time.monotonic()):
            self._give_up(call)
            return
        if asking:
            future = asyncio.get_running_loop().create_future()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            permit = Call(("ASKING",), None, future, call.deadline, None)
            permit.packed = packed(("ASKING",))
            self._queue(permit)
        self._queue(call)
        self._begin()

    def give_back(self) -> list[Call]:
        """All that was not answered, in its order; it is not sent here any more."""
        self._ask_again()
        calls = list(self._pending)
        self._pending.clear()
        return [call for call in calls if not call.future.done() and call.arguments[0] != "ASKING"]

    @property
    def is_busy(self) -> bool:
        """Whether something waits to be answered."""
        return bool(self._waiting or self._pending)

    def _answer(self, call: Call, answer: Any) -> None:
        if isinstance(answer, (AskError, ClusterDownError, TryAgainError)):  # MOVED is an AskError
            call.refused()
            if isinstance(answer, ClusterDownError):
                self._refused(answer)
                self._probe = call.key
            if not call.future.done():
                self._cluster.redirect(call, answer, self._node)
        else:
            super()._answer(call, answer)

    def try_again(self) -> None:
        """It said that it cannot, and nobody has asked since: ask, to know whether it can now."""
        if self._is_refused and not self.is_busy:
            asked = self.command("EXISTS", self._probe)
            asked.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _note(self, error: BaseException) -> None:
        super()._note(error)
        self._cluster.ask_soon()


class _NodeListener(Listener):
    """The news of one node."""

    def __init__(self, node: "Node", cluster: Nodes) -> None:
        super().__init__(node.connect, node.where, "SSUBSCRIBE")
        self._node = node
        self._cluster = cluster

    def _note(self, error: BaseException) -> None:
        super()._note(error)
        self._cluster.ask_soon()

    def _refused(self, error: ResponseError) -> None:
        if isinstance(error, MovedError):
            self._cluster.news_moved(error, self._node)
        else:
            super()._refused(error)

    def _dropped(self, name: bytes) -> None:
        self._cluster.news_dropped(name.decode())


class Node:
    """One node, and the connections to it."""

    def __init__(self, address: Address, connect: Connect, cluster: Nodes) -> None:
        self.address = address
        self.connect = lambda: connect(address)
        self.where = f"{address[0]}:{address[1]}"
        self.courier = _NodeCourier(self, cluster)
        self.listener = _NodeListener(self, cluster)
        self.used = time.monotonic()

    @property
    def trouble(self) -> str:
        """A sentence while it does not answer, or is not heard; else empty."""
        return self.courier.trouble or self.listener.trouble

    async def close(self) -> None:
        """End the connections."""
        await self.listener.close()
        await self.courier.close()
