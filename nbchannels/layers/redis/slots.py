"""Which node of a Redis Cluster has which keys."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from redis.crc import key_slot

__all__ = ["Address", "SlotMap", "address_in", "slot_of"]

SLOTS = 16_384

#: Host and port.
Address: TypeAlias = tuple[str, int]


def slot_of(key: str) -> int:
    """The slot of a key, or of a channel of the publish/subscribe side."""
    return key_slot(key.encode(), SLOTS)


def address_in(text: str, asked: Address) -> Address:
    """The address in an answer such as ``MOVED 3999 host:port``.

    Args:
        text: ``host:port``; without a host it is the one that was asked.
        asked: who answered.
    """
    host, _, port = text.rpartition(":")
    return host or asked[0], int(port)


class SlotMap:
    """The slots and their primaries, as far as they are known.

    Attributes:
        replicas: the other nodes, of which one may become a primary.
    """

    def __init__(self) -> None:
        self._owners: list[Address | None] = [None] * SLOTS
        self.replicas: frozenset[Address] = frozenset()

    def owner(self, slot: int) -> Address | None:
        """The primary of a slot, or ``None``: not known."""
        return self._owners[slot]

    def assign(self, slot: int, address: Address) -> None:
        """A node said whose a slot is."""
        self._owners[slot] = address

    @property
    def primaries(self) -> set[Address]:
        """Those that have slots."""
        return {owner for owner in self._owners if owner is not None}

    @property
    def is_whole(self) -> bool:
        """Whether each slot has a primary."""
        return None not in self._owners

    def update(
        self,
        answer: Iterable[Any],
        asked: Address,
        remap: Callable[[Address], Address] = lambda address: address,
    ) -> None:
        """Take over what a node answers to ``CLUSTER SLOTS``.

        Args:
            answer: ranges: first slot, last slot, the primary, its replicas.
            asked: the node; one that does not know its own host means this.
            remap: an address as it is reached from here.
        """
        owners: list[Address | None] = [None] * SLOTS
        replicas: set[Address] = set()
        for first, last, *nodes in answer:
            addresses = [remap(_address(node, asked)) for node in nodes]
            owners[first : last + 1] = [addresses[0]] * (last + 1 - first)
            replicas.update(addresses[1:])
        self._owners = owners
        self.replicas = frozenset(replicas)


def _address(node: Any, asked: Address) -> Address:
    host = node[0].decode() if isinstance(node[0], bytes) else node[0]
    return (asked[0] if host in (None, "", "?") else host), int(node[1])
