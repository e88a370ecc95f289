"""Tickets: what a page shows in ``hello`` to prove that it, and not just its cookie, is here.

A browser sends cookies with a WebSocket that any page opened. So a socket that was opened by a
cookie must show a ticket, and only a page that may read our answers gets one: by a POST that
Jupyter checks for XSRF. A ticket never stands in a URL, which would be logged.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

__all__ = ["LIFETIME", "Tickets"]

#: Seconds that a ticket can be used.
LIFETIME = 30.0


class Tickets:
    """The tickets that were issued and not used yet. Only their hashes are kept.

    Args:
        clock: seconds, never going backwards.
        limit: how many there may be; the oldest is dropped, and counted.

    Attributes:
        counters: ``issued``, ``redeemed``, ``refused``, ``dropped``.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, limit: int = 10_000) -> None:
        self.counters = {"issued": 0, "redeemed": 0, "refused": 0, "dropped": 0}
        self._clock = clock
        self._limit = limit
        # By hash, oldest first: until when, and for whom.
        self._issued: dict[bytes, tuple[float, bytes]] = {}

    def __len__(self) -> int:
        return len(self._issued)

    def issue(self, user: str, session: str = "") -> str:
        """A new ticket for this user in this session, as text for a JSON record."""
        now = self._clock()
        for key, (until, _) in list(self._issued.items()):
            if until > now and len(self._issued) < self._limit:
                break
            if until > now:
                self.counters["dropped"] += 1
            del self._issued[key]
        ticket = secrets.token_urlsafe(32)
        self._issued[_hash(ticket)] = (now + LIFETIME, _bound_to(user, session))
        self.counters["issued"] += 1
        return ticket

    def redeem(self, ticket: str, user: str, session: str = "") -> bool:
        """Use a ticket up; whether it was good: not used before, not too old, this user's own.

        How long it takes does not tell what was wrong with it.
        """
        until, owner = self._issued.pop(_hash(ticket), (0.0, b""))
        mine = hmac.compare_digest(owner, _bound_to(user, session))
        good = mine and self._clock() < until
        self.counters["redeemed" if good else "refused"] += 1
        return good


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _bound_to(user: str, session: str) -> bytes:
    return _hash(f"{len(user)}:{user}{session}")
