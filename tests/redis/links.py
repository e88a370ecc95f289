"""A connection through the fault proxy, and what each way of it is like."""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["WAYS", "Line", "Link", "Way"]

Way = Literal["up", "down"]
WAYS: tuple[Way, Way] = ("up", "down")


@dataclass
class Line:
    """What one way is like, and what has gone through it.

    Attributes:
        latency, jitter: seconds; each piece waits ``latency`` and up to ``jitter`` more, in order.
        bandwidth: bytes a second, None for no limit.
        slices: the largest piece that is written at once; ``random_slices``: 1 to that many.
        stalled: nothing is handed on, and what waits here is soon full; nothing is lost.
        reset_after: so many bytes more, then the connection they went through is reset.
        read, passed, pieces: bytes taken, bytes handed on, and in how many writes.
    """

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    slices: int | None = None
    random_slices: bool = False
    stalled: bool = False
    reset_after: int | None = None
    read: int = 0
    passed: int = 0
    pieces: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def size(self, most: int, chance: random.Random) -> int:
        """Of the next piece, if there are ``most`` bytes."""
        if self.slices is not None:
            most = chance.randint(1, self.slices) if self.random_slices else self.slices
        if self.bandwidth is not None:
            most = min(most, max(1, round(self.bandwidth / 50)))
        return most if self.reset_after is None else min(most, self.reset_after)

    async def moves(self) -> None:
        """Wait while it is stalled."""
        while self.stalled:
            self.changed.clear()
            await self.changed.wait()


class Link:
    """One connection through the proxy: a socket to each side."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.ends: dict[Way, tuple[socket.socket, socket.socket]] = {
            "up": (client, server),
            "down": (server, client),
        }
        #: Ways that carry nothing on any more: what comes is thrown away.
        self.void: set[Way] = set()

    def half_close(self, way: Way) -> None:
        """The receiving end of this way sees the end of the stream."""
        if way not in self.void:
            self.void.add(way)
            with contextlib.suppress(OSError):
                self.ends[way][1].shutdown(socket.SHUT_WR)

    def close(self, *, reset: bool) -> None:
        """Both ends: with a reset, or in order."""
        for end in self.ends["up"]:
            if reset:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
