"""A TCP proxy that makes what networks make: delay, thin lines, silence, resets in mid-frame.

Two ways lead through it: ``up``, from the client to the server, and ``down``. What is set holds for
all connections, those that are open too, from the next byte on. It runs on a thread of its own, and
its methods may be called from any other; when one returns, what it says is so.

Chance comes from ``random.Random`` with the seed, the number of the connection and the way: what
one connection meets does not depend on the others.
"""

import asyncio
import contextlib
import random
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from tests.redis.links import WAYS, Line, Link, Way
from tests.redis.ports import LOOPBACK, Port

__all__ = ["FaultProxy", "Way"]

PATIENCE = 30.0
CHUNK = 16_384
#: Bytes of a connection that wait here, each way, before the proxy stops reading.
MOST_IN_FLIGHT = 8 << 20
T = TypeVar("T")
#: When it is due, and what; empty at the end.
Queue: TypeAlias = "asyncio.Queue[tuple[float, bytes]]"


class FaultProxy:
    """Between clients, which connect to ``port``, and a server.

    Args:
        port: of the server, on ``host``.
        seed: of all chance.

    Attributes:
        port: where clients connect; it stays the same, also while they are refused.
        up, down: the two ways, with their counts.
        accepted: connections so far.
    """

    def __init__(self, port: int, host: str = LOOPBACK, *, seed: int = 0) -> None:
        self.target = (host, port)
        self.seed = seed
        self.accepted = 0
        self.up, self.down = Line(), Line()
        self._own = Port()
        self.port = self._own.number
        self._links: dict[asyncio.Task[bool], Link] = {}
        self._accept_delay = 0.0
        self._blackhole = False
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._thread.daemon = True
        self._thread.start()
        self.accept()

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # What can be set.

    def delay(self, latency: float, jitter: float = 0.0, *ways: Way) -> None:
        """Everything takes ``latency`` seconds, and by chance up to ``jitter`` more; in order."""
        self._set(ways, latency=latency, jitter=jitter)

    def limit(self, bandwidth: float | None, *ways: Way) -> None:
        """So many bytes a second, for each connection."""
        self._set(ways, bandwidth=bandwidth)

    def slice(self, size: int | None, *ways: Way, by_chance: bool = False) -> None:
        """Pieces of ``size`` bytes, or by chance of 1 to ``size``; each is a segment of its own."""
        self._set(ways, slices=size, random_slices=by_chance)

    def stall(self, *ways: Way) -> None:
        """Nothing moves, and nothing is lost: it goes on with `resume`."""
        self._set(ways, stalled=True)

    def resume(self, *ways: Way) -> None:
        """What was stalled moves again."""
        self._set(ways, stalled=False)

    def reset_after(self, count: int, way: Way) -> None:
        """Let so many more bytes through, then reset the connection they went through, once.

        With 0 it happens in place of the next byte: a command that was done, its answer lost.
        """
        self._set((way,), reset_after=count)

    def half_close(self, way: Way) -> None:
        """The ends of the open connections see the end of the stream; the other way goes on."""

        def close() -> None:
            for link in self._links.values():
                link.half_close(way)

        self._call(close)

    def drop(self) -> int:
        """Reset all connections; return how many. The next attempt comes through."""
        return self._wait(self._drop())

    def blackhole(self) -> None:
        """Everything sent is lost, without an end and without an error, new connections too.

        A connection that was open during it stays dead after `heal`: its bytes are lost.
        """

        def begin() -> None:
            self._blackhole = True
            for link in self._links.values():
                link.void.update(WAYS)

        self._call(begin)

    def refuse(self) -> None:
        """New connections are refused; those that are open go on."""
        self._call(self._stop_listening)

    def accept(self, after: float = 0.0) -> None:
        """Take new connections; the way to the server opens ``after`` seconds each."""

        def begin() -> None:
            self._accept_delay = after
            if self._listener is None:
                self._listener = socket.create_server((LOOPBACK, self.port), backlog=512)
                self._listener.setblocking(False)
                self._loop.add_reader(self._listener, self._take, self._listener)

        self._call(begin)

    def cut(self) -> None:
        """Refuse new connections and reset the open ones: the server is gone."""
        self.refuse()
        self.drop()

    def retarget(self, port: int, host: str = LOOPBACK) -> None:
        """New connections lead to another server."""
        self._call(lambda: setattr(self, "target", (host, port)))

    def heal(self) -> None:
        """All faults are over; what they have broken stays broken."""

        def clear() -> None:
            self._blackhole = False
            for way in WAYS:
                line, fresh = self._line(way), Line()
                for name in ("latency", "jitter", "bandwidth", "slices", "stalled", "reset_after"):
                    setattr(line, name, getattr(fresh, name))
                line.changed.set()

        self._call(clear)
        self.accept()

    @property
    def connections(self) -> int:
        """Open now."""
        return self._call(lambda: len(self._links))

    def close(self) -> None:
        """Reset everything and end the thread. Idempotent."""
        if self._loop.is_closed():
            return
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self._own.close()

    # On the thread of the proxy.

    def _wait(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(PATIENCE)

    def _call(self, do: Callable[[], T]) -> T:
        async def done() -> T:
            return do()

        return self._wait(done())

    def _line(self, way: Way) -> Line:
        return self.up if way == "up" else self.down

    def _set(self, ways: tuple[Way, ...], **values: object) -> None:
        def change() -> None:
            for way in ways or WAYS:
                line = self._line(way)
                for name, value in values.items():
                    setattr(line, name, value)
                line.changed.set()

        self._call(change)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _drop(self) -> int:
        tasks = list(self._links)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    def _take(self, listener: socket.socket) -> None:
        # Not `sock_accept`: cancelled at the wrong moment, it loses the socket it has.
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = listener.accept()
            self.accepted += 1
            server = socket.socket()
            for end in (client, server):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(client, server)
            if self._blackhole:
                link.void.update(WAYS)
            task = self._loop.create_task(self._connect(link, self.accepted))
            self._links[task] = link
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[bool]") -> None:
        # Here and not in the task: one that is cancelled before it began closes nothing.
        self._links.pop(task).close(reset=task.cancelled() or task.result())

    async def _connect(self, link: Link, number: int) -> bool:
        """From the beginning of a connection to its end; tell whether it is to be reset."""
        try:
            await asyncio.sleep(self._accept_delay)
            await self._loop.sock_connect(link.ends["up"][1], self.target)
            async with asyncio.TaskGroup() as pumps:
                for way in WAYS:
                    chance = random.Random(f"{self.seed}/{number}/{way}")
                    queue: Queue = asyncio.Queue(MOST_IN_FLIGHT // CHUNK)
                    pumps.create_task(self._read(link, way, queue, chance))
                    pumps.create_task(self._write(link, way, queue, chance))
        except* OSError:  # a side has reset it, or we have
            broken = True
        else:
            broken = False
        return broken

    async def _read(self, link: Link, way: Way, queue: Queue, chance: random.Random) -> None:
        line, source, due = self._line(way), link.ends[way][0], 0.0
        while True:
            await line.moves()
            try:
                data = await self._loop.sock_recv(source, CHUNK)
            except OSError:
                if way not in link.void:
                    raise
                await asyncio.Future()  # the other side never hears of it
            line.read += len(data)
            due = max(due, self._loop.time() + line.latency + chance.random() * line.jitter)
            await queue.put((due, data))
            if not data:
                return

    async def _write(self, link: Link, way: Way, queue: Queue, chance: random.Random) -> None:
        line, sink = self._line(way), link.ends[way][1]
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await line.moves()
            if not data:
                link.half_close(way)
                return
            while data:
                await line.moves()
                if way in link.void:
                    break
                piece = data[: line.size(len(data), chance)]
                data = data[len(piece) :]
                # Counted first: who has got it sees it counted.
                line.passed += len(piece)
                line.pieces += bool(piece)
                if piece:
                    await self._loop.sock_sendall(sink, piece)
                if line.reset_after is not None:
                    line.reset_after -= len(piece)
                    if line.reset_after == 0:
                        line.reset_after = None
                        raise ConnectionResetError("as it was told to")
                if line.bandwidth is not None:
                    await asyncio.sleep(len(piece) / line.bandwidth)
