"""A Redis primary with two replicas and three Sentinels; and how one loses what it promised.

Replication is held back by giving the replicas a login that the primary refuses, and by cutting
their links: that loses exactly what is written afterwards. A frozen replica would still find in its
socket what it had been sent; another address of the primary would be put right by the Sentinels.
"""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.redis.ports import LOOPBACK
from tests.redis.servers import RedisServer, until

__all__ = ["Sentinel", "Sentinels"]

REPLICAS = 2
WATCHERS = 3
QUORUM = 2
#: Seconds without an answer after which a Sentinel holds a server for down.
DETECTION = 2.0
#: Seconds that a step of a failover may take; after twice that, another one may begin.
PAUSE = 3.0


class Sentinel(RedisServer):
    """One Sentinel; it knows the others and the replicas from the first moment."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.identity = secrets.token_hex(20)
        self.configuration: list[str] = []

    def start(self, *, wait: bool = True, **_more: Any) -> None:
        """Start it with its configuration; it keeps its own notes there."""
        path = self.folder / "sentinel.conf"
        if not path.exists():
            path.write_text("\n".join(self.configuration) + "\n")
        self._spawn(["redis-server", str(path), "--sentinel"])
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it answers."""
        super().wait()
        # A computer that stood still for 2 s makes a Sentinel idle for 30 s: shorten that.
        self.run("SENTINEL", "DEBUG", "TILT-PERIOD", round(PAUSE * 1000))

    def primary(self, name: str) -> int:
        """The port of the primary, as this one tells redis-py.

        GET-MASTER-ADDR-BY-NAME names the new one earlier, when the failover is not over yet.
        """
        with self.client() as client:
            return int(client.sentinel_master(name)["port"])


class Sentinels:
    """One primary, two replicas, three Sentinels.

    Attributes:
        name: of the primary, as clients ask for it.
        servers: the three Redis servers, whatever part each plays now.
        watchers: the three Sentinels.
    """

    def __init__(self, folder: Path, name: str = "main") -> None:
        self.name = name
        self.servers = [RedisServer(folder / f"server-{n}") for n in range(REPLICAS + 1)]
        self.watchers = [Sentinel(folder / f"sentinel-{n}") for n in range(WATCHERS)]
        for server in self.servers:
            # A replica is there at once, and what it is sent it has at once.
            server.options |= {"repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1}
        first, *others = self.servers
        for watcher in self.watchers:
            watcher.configuration = [
                f"port {watcher.port}",
                f"bind {LOOPBACK}",
                f"dir {watcher.folder}",
                f"sentinel myid {watcher.identity}",
                f"sentinel monitor {name} {LOOPBACK} {first.port} {QUORUM}",
                f"sentinel down-after-milliseconds {name} {round(DETECTION * 1000)}",
                f"sentinel failover-timeout {name} {round(PAUSE * 1000)}",
                *(f"sentinel known-replica {name} {LOOPBACK} {other.port}" for other in others),
                *(
                    f"sentinel known-sentinel {name} {LOOPBACK} {other.port} {other.identity}"
                    for other in self.watchers
                    if other is not watcher
                ),
            ]

    def __enter__(self) -> "Sentinels":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Of the Sentinels, as redis-py wants them."""
        return [(LOOPBACK, watcher.port) for watcher in self.watchers]

    @property
    def primary(self) -> RedisServer:
        """The one that the first living Sentinel names."""
        watcher = next(watcher for watcher in self.watchers if watcher.is_running)
        return self._of_port(watcher.primary(self.name))

    @property
    def replicas(self) -> list[RedisServer]:
        """The others that live."""
        primary = self.primary
        return [server for server in self.servers if server is not primary and server.is_running]

    def _of_port(self, port: int) -> RedisServer:
        return next(server for server in self.servers if server.port == port)

    def start(self) -> None:
        """Start all; they are ready for a failover."""
        first, *others = self.servers
        first.start(wait=False)
        for replica in others:
            replica.start(wait=False, replicaof=(LOOPBACK, first.port))
        for watcher in self.watchers:
            watcher.start(wait=False)
        for server in (*self.servers, *self.watchers):
            server.wait()
        self.wait()

    def wait(self) -> None:
        """Until the servers replicate, and every Sentinel sees that they do and the other two."""
        until(self._is_whole, self.describe)

    def _is_whole(self) -> bool:
        primaries = {watcher.primary(self.name) for watcher in self.watchers}
        if len(primaries) != 1:
            return False
        primary = self._of_port(primaries.pop())
        lag = primary.information("replication")
        if lag["role"] != "master" or lag["connected_slaves"] != len(self.replicas):
            return False
        if any(lag[f"slave{n}"]["state"] != "online" for n in range(lag["connected_slaves"])):
            return False
        return all(self._sees_all(watcher) for watcher in self.watchers)

    def _sees_all(self, watcher: Sentinel) -> bool:
        with watcher.client() as client:
            primary = client.sentinel_master(self.name)
            replicas = client.sentinel_slaves(self.name)
            others = client.sentinel_sentinels(self.name)
        # Whether the replicas replicate is asked of the servers: a Sentinel looks every 10 s only.
        return (
            primary["flags"] in ("master", {"master"})
            and len(others) == WATCHERS - 1
            and not any(found["is_disconnected"] or found["is_sdown"] for found in others)
            and len(replicas) == REPLICAS
            and not any(found["is_disconnected"] or found["is_sdown"] for found in replicas)
        )

    def describe(self) -> str:
        """How it stands, for an error message."""
        lines = [f"{len(self.servers)} servers and {WATCHERS} Sentinels agree"]
        lines += [one.describe() for one in (*self.servers, *self.watchers)]
        return "\n".join(lines)

    def wait_for_replicas(self) -> None:
        """Until the replicas have all that the primary has."""
        with self.primary.client() as client:
            client.set("nbchannels.replicated", secrets.token_hex(8))
            assert client.wait(len(self.replicas), 10_000) == len(self.replicas)

    # Faults.

    def hold_replication(self) -> None:
        """From now on what the primary acknowledges is on the primary alone."""
        primary = self.primary
        for replica in self.replicas:
            replica.run("CONFIG", "SET", "masteruser", "nobody", "masterauth", "nothing")
        primary.kill_clients("replica")
        until(
            lambda: primary.information("replication")["connected_slaves"] == 0,
            "the primary is rid of its replicas",
        )

    def release_replication(self) -> None:
        """The replicas may log in again."""
        for server in self.servers:
            if server.is_running:
                server.run("CONFIG", "SET", "masteruser", "", "masterauth", "")

    def failover(self) -> RedisServer:
        """A failover that is asked for, while all live; return the new primary.

        As with every Sentinel, the old one goes on taking writes until they look at it again, which
        takes up to 10 s: what it acknowledges meanwhile is lost.
        """
        old = self.primary
        until(
            lambda: bool(self.watchers[0].run("SENTINEL", "FAILOVER", self.name)),
            lambda: f"a replica can be promoted:\n{self.describe()}",
        )
        return self.wait_for_another(old)

    def fail(self) -> RedisServer:
        """Kill the primary; wait until the Sentinels have made another one and return that."""
        old = self.primary
        old.kill()
        return self.wait_for_another(old)

    @contextlib.contextmanager
    def losing(self) -> Iterator[RedisServer]:
        """What is written while the ``with`` lasts is acknowledged and then lost by a failover.

        Yields the primary; when it is left, that one is dead and another has its place.
        """
        primary = self.primary
        self.wait_for_replicas()
        self.hold_replication()
        yield primary
        primary.kill()
        self.release_replication()
        self.wait_for_another(primary)

    def wait_for_another(self, old: RedisServer) -> RedisServer:
        """Until all Sentinels name a primary other than ``old``, and it takes writes."""

        def agreed() -> bool:
            named = {watcher.primary(self.name) for watcher in self.watchers}
            if len(named) != 1 or old.port in named:
                return False
            return bool(self._of_port(named.pop()).run("ROLE")[0] == "master")

        until(agreed, lambda: f"another primary than {old.url}:\n{self.describe()}")
        return self.primary

    def heal(self) -> None:
        """Start what has ended as replicas, thaw what is frozen, forget all data."""
        for one in (*self.servers, *self.watchers):
            if one.is_running:
                one.thaw()
        for watcher in self.watchers:
            if not watcher.is_running:
                watcher.start()
        primary = self.primary
        if not primary.is_running:
            primary.start()
        self.release_replication()
        for server in self.servers:
            if not server.is_running:
                server.start(replicaof=(LOOPBACK, primary.port))
            elif server is not primary and server.run("ROLE")[0] == "master":
                server.run("REPLICAOF", LOOPBACK, primary.port)
        self.wait()
        self.primary.run("FLUSHALL")
        self.wait_for_replicas()

    def close(self) -> None:
        """End all."""
        for one in (*self.watchers, *self.servers):
            one.close()
