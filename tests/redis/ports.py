"""Ports of this computer that stay ours from the moment they are found.

A port that was free a moment ago may be somebody else's when the server at last starts, or between
its death and its return. A socket that is bound and does not listen keeps it: nobody else gets it,
who connects is refused, and a server that sets SO_REUSEADDR, as Redis and asyncio do, may have it.
"""

import random
import socket
import sys

__all__ = ["BUS", "LOOPBACK", "Port"]

LOOPBACK = "127.0.0.1"
#: A node of a cluster talks to the others on its port and this.
BUS = 10_000
#: Below what systems give to outgoing connections (Linux: from 32,768), and so is the bus.
RANGE = range(11_000, 22_000)
ATTEMPTS = 200


class Port:
    """A TCP port on 127.0.0.1, with its bus port if wanted.

    Attributes:
        number: of the port.
    """

    def __init__(self, *, bus: bool = False) -> None:
        self._held: list[socket.socket] = []
        # The system's generator: a test that seeds `random` must not choose the same port again.
        chance = random.SystemRandom()
        for _ in range(ATTEMPTS):
            self.number = chance.choice(RANGE)
            try:
                self._hold(self.number)
                if bus:
                    self._hold(self.number + BUS)
            except OSError:
                self.close()
            else:
                break
        else:
            raise OSError(
                f"no free port between {RANGE.start} and {RANGE.stop} in {ATTEMPTS} tries"
            )
        if sys.platform != "linux":  # elsewhere a bound port is nobody's, the server's neither
            self.close()

    def _hold(self, number: int) -> None:
        held = socket.socket()
        self._held.append(held)
        with socket.socket() as probe:  # without SO_REUSEADDR: also who only holds it is seen
            probe.bind((LOOPBACK, number))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, number))

    def close(self) -> None:
        """Whoever wants it may have it."""
        while self._held:
            self._held.pop().close()
