"""Who may do what: Jupyter's authorizer decides who comes in, our rules what names they may use.

Three rights, as Jupyter's: ``read`` (subscribe, history, statistics), ``write`` (send, clear) and
``execute`` (reserved for applications). The defaults give all of them to everyone that Jupyter's
authorizer lets in and to the kernels of this server.
"""

import fnmatch
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server import CallContext

from nbchannels.exceptions import PermissionDenied
from nbchannels.names import PROBLEMS, RESERVED_PREFIX

__all__ = ["RESOURCE", "RIGHTS", "KernelUser", "Policy"]

#: What Jupyter's authorizer is asked about.
RESOURCE = "nbchannels"
RIGHTS = ("read", "write", "execute")
#: The one place below the reserved names where clients write: the settings of a view.
VIEWS = f"{RESERVED_PREFIX}view."

log = logging.getLogger("nbchannels")


@dataclass(frozen=True, slots=True)
class KernelUser:
    """A kernel of this server that has proved itself; Jupyter has no user for it."""

    kernel: str

    @property
    def username(self) -> str:
        """Its principal."""
        return f"kernel:{self.kernel}"


class Policy:
    """Decides about rights on names.

    Args:
        authorizer: Jupyter's; ``None`` lets everyone in.
        rights: rights by glob of the name, the first match counts: ``{"sensors.*": "read"}``;
            ``""`` is none. Names without a match have all.

    Raises:
        ValueError: a right that is none.
    """

    def __init__(self, authorizer: Any = None, rights: Mapping[str, str] | None = None) -> None:
        self._authorizer = authorizer
        self._rules: list[tuple[re.Pattern[str], frozenset[str]]] = []
        for pattern, words in (rights or {}).items():
            for word in words.split():
                if word not in RIGHTS:
                    raise ValueError(
                        f"rights: {pattern!r} has {word!r}; a right is one of {', '.join(RIGHTS)}"
                    )
            compiled = re.compile(fnmatch.translate(pattern))
            self._rules.append((compiled, frozenset(words.split())))

    async def allows(self, user: Any, action: str, kind: str, name: str) -> bool:
        """Whether the user may ``read``, ``write`` or ``execute`` this.

        Args:
            user: as Jupyter knows it, or a `KernelUser`.
            action: one of `RIGHTS`.
            kind: ``"group"``, ``"channel"``, or ``"everything"``: any rule that denies the right
                denies it there. Anything else is the server's own and has no rules.
            name: of the group or channel.
        """
        if user is None:
            return False
        if not isinstance(user, KernelUser) and not await self._lets_in(user, action):
            return False
        return self.permits(action, kind, name)

    async def require(self, user: Any, action: str, kind: str, name: str) -> None:
        """Check a right.

        Raises:
            PermissionDenied: the user does not have it. Whether the name exists is not told.
        """
        if not await self.allows(user, action, kind, name):
            what = f"{kind} {name!r}" if name else kind
            remedy = "ask whoever runs this server"
            if kind in ("group", "channel") and _is_reserved(action, name):
                remedy = f"names that start with {RESERVED_PREFIX!r} are nbchannels' own"
            raise PermissionDenied(f"you may not {action} {what}; {remedy}")

    def permits(self, action: str, kind: str, name: str) -> bool:
        """Whether our own rules allow this, whoever it is."""
        if kind == "everything":
            return all(action in rights for _, rights in self._rules)
        if kind not in ("group", "channel"):
            return True
        if _is_reserved(action, name):
            return False
        if kind == "group" and name == PROBLEMS:
            return action == "read"  # as the inspector itself: what it tells is no user's content
        for pattern, rights in self._rules:
            if pattern.match(name):
                return action in rights
        return True

    async def _lets_in(self, user: Any, action: str) -> bool:
        if self._authorizer is None:
            return True
        handler = CallContext.get(CallContext.JUPYTER_HANDLER)
        try:
            asked = self._authorizer.is_authorized(handler, user, action, RESOURCE)
            return bool(await ensure_async(asked))
        except Exception:
            log.exception("the authorizer failed on %r %s; refused", action, RESOURCE)
            return False


def _is_reserved(action: str, name: str) -> bool:
    return action != "read" and name.startswith(RESERVED_PREFIX) and not name.startswith(VIEWS)
