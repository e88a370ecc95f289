"""The way to a Redis Cluster: to each primary a connection for commands and one for news.

What belongs together has one hash tag, so each call goes to one node. Who has which slot is asked
from the nodes: at first, now and then, and whenever one does not answer or sends a call elsewhere.
A call is sent on until it is answered or its time is over; a channel is heard at the node that has
it, and whoever hears it is told when that was another one.
"""

import asyncio
import contextlib
import functools
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import (
    AskError,
    MovedError,
    RedisError,
)

from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.calls import Again, Argument, Call
from nbchannels.layers.redis.check import Site
from nbchannels.layers.redis.courier import Courier, end
from nbchannels.layers.redis.entries import Keys
from nbchannels.layers.redis.node import Connect, Node
from nbchannels.layers.redis.scripts import Script
from nbchannels.layers.redis.slots import Address, SlotMap, address_in, slot_of

__all__ = ["ClusterBackbone"]

#: Seconds that a node may take to say who has which slot; between two questions while something
#: is wrong, and while all is well; before a call is sent again.
ASK, TROUBLED, CALM, AGAIN = 2.0, 0.4, 30.0, 0.1
#: How often a call is sent on at once; seconds after which a node without slots is left.
AT_ONCE, LINGER = 3, 60.0

log = logging.getLogger("nbchannels")
_chance = secrets.SystemRandom()


class _Heard:
    """A channel that somebody hears."""

    def __init__(
        self, told: Callable[[bytes], None], restored: Callable[[], None], ready: Any
    ) -> None:
        self.told = told
        self.restored = restored
        self.ready: asyncio.Future[None] = ready
        self.node: Node | None = None

    def confirmed(self, future: "asyncio.Future[None]") -> None:
        """It is heard, for the first time or at another node."""
        if not future.cancelled() and not self.ready.done():
            self.ready.set_result(None)


class ClusterBackbone(Backbone):
    """A Redis Cluster, as the layer uses it. To be used on one loop.

    Args:
        connect: makes an unconnected connection to a node.
        seeds: some of the nodes; one that answers is enough.
        where: for people.
        keys: see `Backbone`.
        on_connect: see `Backbone`; called for each node.
        patience: see `Backbone`.
        remap: an address that the nodes tell, as it is reached from here.
    """

    publish = "SPUBLISH"

    def __init__(
        self,
        connect: Connect,
        seeds: Sequence[Address],
        where: str,
        keys: Keys,
        on_connect: Callable[[], None],
        patience: float,
        remap: Callable[[Address], Address] = lambda address: address,
    ) -> None:
        self._connect_to = connect
        self._seeds = list(seeds)
        self._remap = remap
        self._map = SlotMap()
        self._nodes: dict[Address, Node] = {}
        self._heard: dict[str, _Heard] = {}
        self._dropped: set[str] = set()
        self._asking: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._is_known = asyncio.Event()
        self._freshest: Address | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._trouble = ""
        self._is_closed = False
        self.on_connect = on_connect
        super().__init__(lambda: connect(self._seeds[0]), where, keys, on_connect, patience)

    # Calls.

    def run(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Argument],
        again: Again | None = None,
    ) -> "asyncio.Future[Any]":
        """See `Backbone.run`; the keys have one hash tag."""
        return self._courier_of(keys[0]).run(script, keys, arguments, again)

    def command(self, key: str, *arguments: Argument) -> "asyncio.Future[Any]":
        """See `Backbone.command`."""
        return self._courier_of(key).command(arguments[0], key, *arguments[1:])

    def _courier_of(self, key: str) -> Courier:
        if self._is_closed:
            return self._courier  # of `Backbone`; it was never used, and says that it is closed
        return self._node_of(slot_of(key)).courier

    def _node_of(self, slot: int) -> Node:
        """The one that has a slot; as long as that is not known, any: it will send us on."""
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._keep_asking())
        address = self._map.owner(slot)
        return self._node(address or next(iter(self._nodes), self._seeds[0]))

    def _node(self, address: Address) -> Node:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = Node(address, self._connect_to, self)
        node.used = time.monotonic()
        return node

    def redirect(self, call: Call, error: RedisError, node: Node) -> None:
        """A node did not do what it was asked: another one has the slot, or none for a moment."""
        if self._is_closed:
            call.future.cancel()
        elif isinstance(error, AskError):
            address = self._remap(address_in(str(error.args[0]).split()[-1], node.address))
            call.moves += 1
            if isinstance(error, MovedError):
                self._assign(slot_of(call.key), address)
                if call.moves > AT_ONCE:  # they do not agree yet
                    self._later(call)
                else:
                    self._node(address).courier.take(call)
            else:
                self._node(address).courier.take(call, asking=True)
        else:
            self._later(call)

    def _later(self, call: Call) -> None:
        asyncio.get_running_loop().call_later(AGAIN, self._again, call)

    def _again(self, call: Call) -> None:
        if self._is_closed:
            call.future.cancel()
        elif not call.future.done():
            self._node_of(slot_of(call.key)).courier.take(call)

    def _assign(self, slot: int, address: Address) -> None:
        self._map.assign(slot, address)
        self._freshest = address
        self.ask_soon()

    # News.

    def listen(
        self,
        tag: str,
        channel: str,
        told: Callable[[bytes], None],
        restored: Callable[[], None],
    ) -> "asyncio.Future[None]":
        """See `Backbone.listen`."""
        ready = asyncio.get_running_loop().create_future()
        if self._is_closed:
            ready.cancel()
            return ready
        heard = self._heard[channel] = _Heard(told, restored, ready)
        self._place(channel, heard)
        return ready

    def unlisten(self, tag: str, channel: str) -> None:
        """See `Backbone.unlisten`."""
        heard = self._heard.pop(channel, None)
        if heard is not None:
            heard.ready.cancel()
            if heard.node is not None:
                heard.node.listener.unlisten(channel)

    def _place(self, channel: str, heard: _Heard, *, again: bool = False) -> None:
        """Hear a channel at the node that has it."""
        node = self._node_of(slot_of(channel))
        if node is heard.node and not again:
            return
        if heard.node is not None and heard.node is not node:
            heard.node.listener.unlisten(channel)
        heard.node = node
        future = node.listener.listen(channel, heard.told, heard.restored)
        future.add_done_callback(heard.confirmed)

    def news_moved(self, error: MovedError, node: Node) -> None:
        """A channel cannot be heard at a node: its slot is elsewhere."""
        slot, where = str(error.args[0]).split()[-2:]
        address = self._remap(address_in(where, node.address))
        if self._map.owner(int(slot)) != address:
            self._assign(int(slot), address)
        for channel, heard in self._heard.items():
            if heard.node is node and slot_of(channel) == int(slot):
                self._place(channel, heard)

    def news_dropped(self, channel: str) -> None:
        """A channel is not heard any more where it was: its slot has moved."""
        if channel in self._heard:
            self._dropped.add(channel)
            self.ask_soon()

    # Who has which slot.

    def ask_soon(self) -> None:
        """Something has changed: ask the nodes."""
        self._wanted.set()

    async def _keep_asking(self) -> None:
        while True:
            self._wanted.clear()
            is_known = await self._ask_any()
            if is_known:
                self._rearrange()
            is_well = is_known and self._map.is_whole and not self._troubled()
            if is_well:
                self._trouble = ""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALM if is_well else TROUBLED):
                    await self._wanted.wait()
            # Many may want it at once; and nobody is asked without a pause.
            await asyncio.sleep((0.02 if is_well else 0.2) * (0.5 + _chance.random()))

    def _troubled(self) -> bool:
        return any(
            node.trouble
            for address in self._map.primaries
            if (node := self._nodes.get(address)) is not None
        )

    async def _ask_any(self) -> bool:
        """Ask one node after the other; whether one has answered."""
        fit: list[Address] = []
        unfit: list[Address] = []
        for address in self._map.primaries | self._map.replicas:
            node = self._nodes.get(address)
            (unfit if node is not None and node.trouble else fit).append(address)
        _chance.shuffle(fit)
        first = [self._freshest] if self._freshest is not None else []
        self._freshest = None
        for address in dict.fromkeys((*first, *fit, *self._seeds, *unfit)):
            try:
                async with asyncio.timeout(ASK):
                    answer = await self._ask(address)
            except (RedisError, OSError, TimeoutError, EOFError) as error:
                self._trouble = (
                    f"no node of the Redis at {self.where} says who has which keys; the last "
                    f"one, {address[0]}:{address[1]}: {str(error) or type(error).__name__}"
                )
                continue
            self._trouble = ""
            self._map.update(answer, address, self._remap)
            self._is_known.set()
            return True
        return False

    async def _ask(self, address: Address) -> Any:
        connection = self._connect_to(address)
        try:
            await connection.connect()
            await connection.send_command("CLUSTER", "SLOTS", check_health=False)
            return await connection.read_response(disable_decoding=True)
        finally:
            with contextlib.suppress(Exception):
                await connection.disconnect(nowait=True)

    def _rearrange(self) -> None:
        """The slots are known: everything goes where it belongs."""
        dropped, self._dropped = self._dropped, set()
        for channel, heard in list(self._heard.items()):
            self._place(channel, heard, again=channel in dropped)
        primaries = self._map.primaries
        for address in primaries:
            if address in self._nodes:
                self._nodes[address].courier.try_again()
        now = time.monotonic()
        for address, node in list(self._nodes.items()):
            is_idle = not node.courier.is_busy and now - node.used > LINGER
            if address not in primaries and (node.trouble or is_idle):
                del self._nodes[address]
                for call in node.courier.give_back():
                    self._again(call)
                task = asyncio.get_running_loop().create_task(node.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    @property
    def is_used(self) -> bool:
        """See `Backbone.is_used`."""
        return bool(self._nodes)

    @property
    def trouble(self) -> str:
        """See `Backbone.trouble`; of any of the nodes."""
        if self._trouble:
            return self._trouble
        for address in self._map.primaries:
            node = self._nodes.get(address)
            if node is not None and node.trouble:
                return node.trouble
        return ""

    async def sites(self) -> list[Site]:
        """See `Backbone.sites`; the primaries."""
        await self._is_known.wait()
        return [
            Site(
                f"{address[0]}:{address[1]}",
                functools.partial(self._connect_to, address),
                self.keys.prefix,
                self._trial_at(address),
                self.publish,
            )
            for address in sorted(self._map.primaries)
        ]

    def _trial_at(self, address: Address) -> str:
        for number in range(10_000):
            key = self.keys.trial(number)
            if self._map.owner(slot_of(key)) == address:
                break
        return key

    async def close(self) -> None:
        """See `Backbone.close`."""
        nodes = list(self._nodes.values())
        await asyncio.gather(*(node.courier.settle(1.0) for node in nodes))
        self._is_closed = True
        await super().close()
        if self._asking is not None:
            await end(self._asking)
        for heard in self._heard.values():
            heard.ready.cancel()
        self._heard.clear()
        await asyncio.gather(*(node.close() for node in self._nodes.values()), *self._closing)
