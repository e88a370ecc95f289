"""The grammar of channel and group names.

ASCII letters, digits, ``-``, ``_`` and ``.``, at most 99 characters; a channel may have one ``!``
with something before it: ``prefix!local`` is process-local, received by the process that owns
``prefix!``. Channels 4's rules, without its accidents (a trailing newline, Arabic digits).
"""

import difflib
import re
import secrets
from collections.abc import Iterable

from nbchannels.exceptions import InvalidName

__all__ = [
    "MAX_NAME_LENGTH",
    "RESERVED_PREFIX",
    "is_process_local",
    "is_valid_channel_name",
    "is_valid_group_name",
    "near_match",
    "new_channel_name",
    "non_local_name",
    "require_channel_name",
    "require_group_name",
]

#: A name is shorter than this.
MAX_NAME_LENGTH = 100
#: Names that start so belong to nbchannels itself.
RESERVED_PREFIX = "nbchannels."

_GROUP = re.compile(r"[A-Za-z0-9\-_.]+", re.ASCII)
_CHANNEL = re.compile(r"[A-Za-z0-9\-_.]+(![A-Za-z0-9\-_.]*)?", re.ASCII)


def is_valid_group_name(name: object) -> bool:
    """Whether ``name`` can be the name of a group."""
    return isinstance(name, str) and len(name) < MAX_NAME_LENGTH and bool(_GROUP.fullmatch(name))


def is_valid_channel_name(name: object) -> bool:
    """Whether ``name`` can be the name of a channel."""
    return isinstance(name, str) and len(name) < MAX_NAME_LENGTH and bool(_CHANNEL.fullmatch(name))


def require_group_name(name: object) -> str:
    """Return ``name`` if it can be the name of a group.

    Raises:
        InvalidName: it says what is wrong with it, and shows a name that would do.
    """
    if isinstance(name, str) and is_valid_group_name(name):
        return name
    raise _invalid("group", name)


def require_channel_name(name: object) -> str:
    """Return ``name`` if it can be the name of a channel.

    Raises:
        InvalidName: it says what is wrong with it, and shows a name that would do.
    """
    if isinstance(name, str) and is_valid_channel_name(name):
        return name
    raise _invalid("channel", name)


def _invalid(kind: str, name: object) -> InvalidName:
    rule = (
        f"a {kind} name is a str of 1 to {MAX_NAME_LENGTH - 1} ASCII letters, digits, '-', '_', '.'"
    )
    if not isinstance(name, str):
        return InvalidName(f"{kind} name {name!r} is a {type(name).__name__}; {rule}")
    if not name:
        return InvalidName(f"the {kind} name is empty; {rule}")
    shown = repr(name if len(name) <= 120 else name[:117] + "...")
    if len(name) >= MAX_NAME_LENGTH:
        return InvalidName(f"{kind} name {shown} has {len(name)} characters; {rule}")
    wrong = next((c for c in name if not _GROUP.fullmatch(c)), "")
    suggestion = re.sub(r"[^A-Za-z0-9\-_.]+", "-", name).strip("-") or kind
    return InvalidName(f"{kind} name {shown} has {wrong!r}; {rule}: try {suggestion!r}")


def is_process_local(name: str) -> bool:
    """Whether only the process that made this channel receives from it."""
    return "!" in name


def non_local_name(name: str) -> str:
    """The part of a channel name up to and with its ``!``; other names as they are."""
    return name[: name.index("!") + 1] if "!" in name else name


def new_channel_name(prefix: str = "specific") -> str:
    """A new process-local channel name; its randomness is ``secrets``, never ``random``."""
    return require_channel_name(f"{prefix}.{secrets.token_hex(8)}!{secrets.token_hex(8)}")


def near_match(name: str, known: Iterable[str]) -> str | None:
    """The known name that a mistyped ``name`` probably meant."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return found[0] if found and found[0] != name else None
