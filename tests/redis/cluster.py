"""A Redis Cluster of three primaries and three replicas, made by redis-cli as everybody does."""

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tests.redis.ports import LOOPBACK
from tests.redis.servers import PATIENCE, RedisServer, until

__all__ = ["Cluster", "Migration", "Node"]

PRIMARIES = 3
#: Seconds without an answer after which the others hold a node for failed.
DETECTION = 3.0


class Node(RedisServer):
    """A node of a cluster."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder,
            bus=True,
            options={
                "cluster-enabled": "yes",
                "cluster-config-file": "nodes.conf",
                "cluster-node-timeout": round(DETECTION * 1000),
                "repl-diskless-sync-delay": 0,
            },
        )

    @property
    def identity(self) -> str:
        """Its name among the nodes."""
        return str(self.run("CLUSTER", "MYID"))

    @property
    def is_primary(self) -> bool:
        """As it sees itself."""
        return bool(self.run("ROLE")[0] == "master")


class Migration:
    """A slot on its way from one primary to another: both answer for it, with ASK between them.

    Args:
        cluster: whose slot.
        slot: 0 to 16383.
        target: where it goes.

    Attributes:
        source: where it is.
    """

    def __init__(self, cluster: "Cluster", slot: int, target: Node) -> None:
        self.cluster, self.slot, self.target = cluster, slot, target
        self.source = cluster.owner(slot)
        assert self.source is not target, f"slot {slot} is on {target.url} already"
        cluster.migrating.add(slot)
        target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", self.source.identity)
        self.source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", target.identity)

    def move(self, most: int = 1_000_000) -> int:
        """Move keys of the slot, at most that many; return how many."""
        moved = 0
        while moved < most:
            keys = self.source.run("CLUSTER", "GETKEYSINSLOT", self.slot, min(100, most - moved))
            if not keys:
                break
            self.source.run(
                "MIGRATE", LOOPBACK, self.target.port, "", 0, round(PATIENCE * 1000), "KEYS", *keys
            )
            moved += len(keys)
        return moved

    def finish(self) -> None:
        """Move what is left; from now on the target alone answers, and everybody knows."""
        while self.move():
            pass
        identity = self.target.identity
        for node in (self.target, self.source):
            node.run("CLUSTER", "SETSLOT", self.slot, "NODE", identity)
        self.cluster.migrating.discard(self.slot)
        until(
            lambda: all(
                self.cluster.owner(self.slot, node) is self.target
                for node in self.cluster.nodes
                if node.is_running
            ),
            f"all nodes know that slot {self.slot} is on {self.target.url}",
        )


class Cluster:
    """Three primaries and three replicas.

    Attributes:
        nodes: all six, whatever part each plays now.
    """

    def __init__(self, folder: Path) -> None:
        #: Slots whose migration was begun and not finished.
        self.migrating: set[int] = set()
        self._changed: dict[int, float] = {}
        self.nodes = [Node(folder / f"node-{n}") for n in range(2 * PRIMARIES)]

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Of all nodes."""
        return [(LOOPBACK, node.port) for node in self.nodes]

    @property
    def url(self) -> str:
        """Of one node that lives."""
        return next(node.url for node in self.nodes if node.is_running)

    @property
    def primaries(self) -> list[Node]:
        """Those that live."""
        return [node for node in self.nodes if node.is_running and node.is_primary]

    def start(self) -> None:
        """Start all and make them a cluster."""
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait()
        made = subprocess.run(
            ["redis-cli", "--cluster", "create"]
            + [f"{LOOPBACK}:{node.port}" for node in self.nodes]
            + ["--cluster-replicas", "1", "--cluster-yes"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        self.wait()

    def wait(self) -> None:
        """Until every node knows all others, and every primary has a replica that is up to date."""
        until(self._is_whole, self.describe)

    def _is_whole(self) -> bool:
        for node in self.nodes:
            state = node.run("CLUSTER INFO")
            if state["cluster_state"] != "ok" or state["cluster_known_nodes"] != str(
                len(self.nodes)
            ):
                return False
            if any("fail" in found["flags"] for found in node.run("CLUSTER NODES").values()):
                return False
        roles = [node.information("replication") for node in self.nodes]
        primaries = [role for role in roles if role["role"] == "master"]
        return len(primaries) == PRIMARIES and all(
            role["connected_slaves"] == 1 and role["slave0"]["state"] == "online"
            for role in primaries
        )

    def describe(self) -> str:
        """How it stands, for an error message."""
        lines = [f"{len(self.nodes)} nodes are one cluster"]
        lines += [node.describe() for node in self.nodes]
        return "\n".join(lines)

    def slot(self, key: str) -> int:
        """Where a key belongs."""
        with self.nodes[0].client() as client:
            return int(client.cluster("KEYSLOT", key))

    def owner(self, slot: int, asked: Node | None = None) -> Node:
        """The primary of a slot, as ``asked`` (else any that lives) sees it."""
        asked = asked or next(node for node in self.nodes if node.is_running)
        # Not CLUSTER SHARDS: there a primary that has failed stays one beside its successor.
        for first, last, primary, *_replicas in asked.run("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return self._of_port(primary[1])
        raise LookupError(f"slot {slot} belongs to nobody")

    def _of_port(self, port: int) -> Node:
        return next(node for node in self.nodes if node.port == port)

    # Faults.

    def migrate(self, slot: int, target: Node | None = None) -> Migration:
        """Begin to move a slot to another primary (the next one); see `Migration`."""
        owner = self.owner(slot)
        target = target or next(node for node in self.primaries if node is not owner)
        return Migration(self, slot, target)

    def changed(self, *nodes: Node) -> None:
        """One of these took the place of another just now."""
        for node in nodes:
            self._changed[node.port] = time.monotonic()

    def calmest(self, slots: Iterable[int]) -> int:
        """The one of these slots whose primary was the longest without a failover.

        A replica of Redis 7.0 that was elected and replaced a moment ago counts its old votes when
        it should be elected again, and then nobody believes it.
        """
        return min(slots, key=lambda slot: self._changed.get(self.owner(slot).port, 0.0))

    def fail(self, slot: int) -> Node:
        """Kill the primary of a slot; wait until its replica has its place, and return that."""
        old = self.owner(slot)
        old.kill()
        survivors = [node for node in self.nodes if node.is_running]

        def replaced() -> bool:
            return all(
                self.owner(slot, node) is not old
                and node.run("CLUSTER INFO")["cluster_state"] == "ok"
                for node in survivors
            )

        until(replaced, lambda: f"another node than {old.url} for slot {slot}:\n{self.describe()}")
        new = self.owner(slot)
        self.changed(old, new)
        return new

    def failover(self, slot: int) -> Node:
        """An orderly failover of the primary of a slot to its replica; return that."""
        old = self.owner(slot)
        port = old.information("replication")["slave0"]["port"]
        new = self._of_port(int(port))
        asked = 0.0

        def has_it() -> bool:
            nonlocal asked
            # On a busy computer nothing may come of it: Redis gives up after 5 s.
            if time.monotonic() - asked > 6.0 and not new.is_primary:
                asked = time.monotonic()
                new.run("CLUSTER", "FAILOVER")
            return all(self.owner(slot, node) is new for node in self.nodes if node.is_running)

        until(
            has_it,
            lambda: f"{new.url} has slot {slot}:\n{self.describe()}",
        )
        self.changed(old, new)
        return new

    def heal(self) -> None:
        """Start what has ended, thaw what is frozen, forget all data."""
        for node in self.nodes:
            if node.is_running:
                node.thaw()
            else:
                node.start(wait=False)
        for node in self.nodes:
            node.wait()
        self.wait()
        for node in self.primaries:
            node.run("FLUSHALL")
            for slot in self.migrating:
                node.run("CLUSTER", "SETSLOT", slot, "STABLE")
        self.migrating.clear()

    def close(self) -> None:
        """End all."""
        for node in self.nodes:
            node.close()
