"""What a test holds of the computer and of Redis: it has to be given back."""

import asyncio
import gc
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from tests.redis.servers import PATIENCE, RedisServer

__all__ = ["Resources", "back_to"]


@dataclass(frozen=True)
class Resources:
    """What is held at a moment, each kind with names, so that a leak can be told.

    Attributes:
        files: open sockets, by their other ends, and all other files, counted.
        tasks: of the running loop, by their coroutines.
        threads: by name.
        connections: to Redis, by server, name and last command (CLIENT LIST).
        keys: in Redis.
    """

    files: Counter[str]
    tasks: Counter[str]
    threads: Counter[str]
    connections: Counter[str]
    keys: Counter[str]

    @classmethod
    def now(cls, servers: Iterable[RedisServer] = (), keys: str = "*") -> "Resources":
        """What is held now.

        Args:
            servers: those whose connections and keys count.
            keys: a glob: only these keys.
        """
        servers = list(servers)
        connections = Counter(
            f"{server.url} {client['name']} {client['cmd']}".strip()
            for server in servers
            for client in server.clients()
            # Replicas and Sentinels belong to the servers, not to us.
            if not set(client["flags"]) & {"S", "M"} and not client["name"].startswith("sentinel-")
        )
        found = Counter(f"{server.url} {key}" for server in servers for key in server.keys(keys))
        gc.collect()  # what nobody can reach is not held
        return cls(_files(), _tasks(), _threads(), connections, found)

    def __sub__(self, baseline: "Resources") -> dict[str, dict[str, int]]:
        """What is more than there was, by kind and name."""
        more = {kind: getattr(self, kind) - getattr(baseline, kind) for kind in KINDS}
        return {kind: dict(found) for kind, found in more.items() if found}


KINDS = ("files", "tasks", "threads", "connections", "keys")


def _files() -> Counter[str]:
    process = psutil.Process()
    sockets = Counter(
        f"socket to {connection.raddr[1]}" if connection.raddr else f"socket {connection.status}"
        for connection in process.net_connections("inet")
    )
    return sockets + Counter({"other": process.num_fds() - sockets.total()})


def _tasks() -> Counter[str]:
    try:
        own = asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return Counter()
    return Counter(
        getattr(task.get_coro(), "__qualname__", repr(task))
        for task in asyncio.all_tasks()
        if task is not own
    )


def _threads() -> Counter[str]:
    # The numbers that Python gives to threads do not matter.
    return Counter(thread.name.rstrip("0123456789") for thread in threading.enumerate())


async def back_to(
    baseline: Resources, servers: Iterable[RedisServer] = (), keys: str = "*"
) -> None:
    """Wait until no more is held than at the beginning; what ends a little later is no leak.

    Raises:
        AssertionError: something was not given back; it tells what.
    """
    servers = list(servers)
    deadline = time.monotonic() + PATIENCE
    while more := Resources.now(servers, keys) - baseline:
        if time.monotonic() > deadline:
            raise AssertionError(f"not given back within {PATIENCE:g} s: {more}")
        await asyncio.sleep(0.02)
