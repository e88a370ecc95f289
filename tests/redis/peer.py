"""The real channels_redis in a process of its own, as a Django site has it."""

import asyncio
import contextlib
import itertools
import json
import sys
from typing import Any, Literal

from tests.redis.peer_process import from_json, to_json
from tests.redis.servers import PATIENCE
from tests.redis.site_running import ROOT

__all__ = ["Peer", "PeerError"]


class PeerError(Exception):
    """What was raised over there.

    Attributes:
        kind: the name of its class, as in ``"ChannelFull"``.
    """

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(f"{kind}: {text}")


class Peer:
    """A layer of channels_redis elsewhere: ``async with Peer("core", url) as peer: …``.

    Args:
        kind: ``core`` or ``pubsub``.
        redis_url: of the Redis that it shares with us.
        prefix: of its keys; ``asgi`` is what channels_redis has by default.
        configuration: what else stands in CONFIG, as JSON has it.

    Attributes:
        process: of it.
    """

    process: asyncio.subprocess.Process

    def __init__(
        self,
        kind: Literal["core", "pubsub"],
        redis_url: str,
        *,
        prefix: str = "asgi",
        **configuration: Any,
    ) -> None:
        self._command = [kind, redis_url, prefix, json.dumps(configuration)]
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> "Peer":
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.redis.peer_process", *self._command,
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), PATIENCE)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            waiting = self._waiting.pop(told["id"])
            if waiting.done():
                continue
            if "error" in told:
                waiting.set_exception(PeerError(told["error"], told["text"]))
            else:
                waiting.set_result(from_json(told["result"]))
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(PeerError("EOFError", "the process has ended"))

    async def do(self, method: str, *arguments: Any, within: float | None = PATIENCE) -> Any:
        """Call a method of the layer over there.

        Raises:
            PeerError: it raised; ``TimeoutError`` if it took longer than ``within`` seconds.
        """
        assert self.process.stdin is not None
        request = {"id": next(self._numbers), "do": method, "timeout": within}
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[request["id"]] = waiting  # type: ignore[index]
        line = json.dumps(request | {"arguments": to_json(arguments)})
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()
        return await waiting

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """As the layer's."""
        await self.do("send", channel, message)

    async def receive(self, channel: str, within: float | None = PATIENCE) -> dict[str, Any]:
        """As the layer's, at most that long."""
        found: dict[str, Any] = await self.do("receive", channel, within=within)
        return found

    async def new_channel(self, prefix: str = "specific") -> str:
        """As the layer's."""
        return str(await self.do("new_channel", prefix))

    async def group_add(self, group: str, channel: str) -> None:
        """As the layer's."""
        await self.do("group_add", group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """As the layer's."""
        await self.do("group_discard", group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """As the layer's."""
        await self.do("group_send", group, message)

    async def flush(self) -> None:
        """As the layer's."""
        await self.do("flush")
