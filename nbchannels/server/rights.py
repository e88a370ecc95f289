"""What one connection was allowed: asked once, and remembered for a minute."""

import time
from typing import Any, Protocol

from nbchannels.exceptions import PermissionDenied

__all__ = ["MEMORY", "Guard", "Rights"]

#: Seconds for which a permission stands.
MEMORY = 60.0
#: Permissions that one connection remembers.
MOST = 1000


class Guard(Protocol):
    """What decides about rights; see `nbchannels.server.policy`."""

    async def allows(self, user: Any, action: str, kind: str, name: str) -> bool:
        """Whether the user may ``read``, ``write`` or ``execute`` this group or channel."""

    def permits(self, action: str, kind: str, name: str) -> bool:
        """Whether the rules on names allow this, whoever it is."""


class Rights:
    """The permissions of one connection.

    Args:
        guard: decides.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._until: dict[tuple[str, str, str], float] = {}

    def has(self, action: str, kind: str, name: str, now: float) -> bool:
        """Whether this was allowed less than a minute before ``now`` (monotonic)."""
        return self._until.get((action, kind, name), 0.0) > now

    def permits(self, action: str, kind: str, name: str) -> bool:
        """Whether the rules on names allow this, whoever it is."""
        return self._guard.permits(action, kind, name)

    def used(self, action: str, kind: str) -> list[str]:
        """The names for which this right was given; at most 1,000, then it begins anew."""
        return [name for (done, of, name) in list(self._until) if (done, of) == (action, kind)]

    async def require(self, user: Any, called: str, action: str, kind: str, name: str) -> None:
        """Check a right.

        Args:
            user: as Jupyter knows it.
            called: its name for people.
            action: ``read``, ``write`` or ``execute``.
            kind: ``"group"`` or ``"channel"``.
            name: of the group or channel.

        Raises:
            PermissionDenied: the policy says no.
        """
        now = time.monotonic()
        if self.has(action, kind, name, now):
            return
        if not await self._guard.allows(user, action, kind, name):
            what = f"{kind} {name!r}" if name else kind
            raise PermissionDenied(
                f"{called or 'you'} may not {action} {what}; "
                "ask whoever runs this server, or use another name"
            )
        if len(self._until) >= MOST:
            self._until.clear()
        self._until[action, kind, name] = now + MEMORY
