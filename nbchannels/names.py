"""The grammar of channel and group names.

ASCII letters, digits, ``-``, ``_`` and ``.``, at most 99 characters; a channel may have one ``!``
with something before it: ``prefix!local`` is process-local, received by the process that owns
``prefix!``. Channels 4's rules, without its accidents (a trailing newline, Arabic digits).
"""

import difflib
import functools
import os
import re
import secrets
from collections.abc import Iterable

from nbchannels.exceptions import InvalidName, shown

__all__ = [
    "MAX_NAME_LENGTH",
    "PROBLEMS",
    "RESERVED_PREFIX",
    "is_process_local",
    "is_valid_channel_name",
    "is_valid_group_name",
    "near_match",
    "new_channel_name",
    "non_local_name",
    "process_token",
    "require_channel_name",
    "require_group_name",
]

#: A name is shorter than this.
MAX_NAME_LENGTH = 100
#: Names that start so belong to nbchannels itself.
RESERVED_PREFIX = "nbchannels."
#: The group in which a server tells pages of its problems: its own words, no traffic of a user's.
PROBLEMS = f"{RESERVED_PREFIX}problems"

_GROUP = re.compile(r"[A-Za-z0-9\-_.]+", re.ASCII)
_CHANNEL = re.compile(r"[A-Za-z0-9\-_.]+(![A-Za-z0-9\-_.]*)?", re.ASCII)
_WRONG = re.compile(r"[^A-Za-z0-9\-_.]+", re.ASCII)


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
    may_be_local = kind == "channel"
    rule = (
        f"a {kind} name is a str of 1 to {MAX_NAME_LENGTH - 1} ASCII letters, digits, '-', '_', '.'"
        + (" and, not at its beginning, one '!'" if may_be_local else "")
    )
    if not isinstance(name, str):
        return InvalidName(f"the {kind} name is {shown(name)}; {rule}: try {kind!r}")
    suggestion = _repaired(kind, name)
    if not name:
        return InvalidName(f"the {kind} name is empty; {rule}: try {suggestion!r}")
    text = repr(name if len(name) <= 120 else name[:117] + "...")
    if len(name) >= MAX_NAME_LENGTH:
        return InvalidName(
            f"{kind} name {text} has {len(name):,} characters; {rule}: try {suggestion!r}"
        )
    wrong = next((c for c in name if _WRONG.match(c) and not (may_be_local and c == "!")), None)
    if wrong is None:  # only the '!' can be what is wrong
        what = "'!' at its beginning" if name[0] == "!" else f"{name.count('!')} times '!'"
    else:
        what = repr(wrong)
    return InvalidName(f"{kind} name {text} has {what}; {rule}: try {suggestion!r}")


def _repaired(kind: str, name: str) -> str:
    """A name of good form that is like ``name``."""
    head, mark, tail = name.partition("!") if kind == "channel" else (name, "", "")
    head, tail = (_WRONG.sub("-", part[:MAX_NAME_LENGTH]).strip("-") for part in (head, tail))
    found = (f"{head}{mark}{tail}" if head else tail)[: MAX_NAME_LENGTH - 1]
    return found or kind


def is_process_local(name: str) -> bool:
    """Whether only the process that made this channel receives from it."""
    return "!" in name


def non_local_name(name: str) -> str:
    """The part of a channel name up to and with its ``!``; other names as they are."""
    return name[: name.index("!") + 1] if "!" in name else name


def process_token() -> str:
    """The word before the ``!`` of this process's channels: 16 hexadecimal digits, random."""
    return _process_token(os.getpid())


@functools.lru_cache(maxsize=1)  # the child of a fork has another one
def _process_token(pid: int) -> str:
    return secrets.token_hex(8)


def new_channel_name(prefix: str = "specific", token: str | None = None) -> str:
    """A new process-local channel name; its randomness is ``secrets``, never ``random``.

    Args:
        prefix: of the name.
        token: the word before the ``!``, of 16 characters, where it is not the process that
            receives but a part of it.

    Raises:
        InvalidName: ``prefix`` is no name, or too long for one with 34 characters behind it.
    """
    if not is_valid_group_name(prefix):
        raise _invalid("prefix", prefix)
    name = f"{prefix}.{token or process_token()}!{secrets.token_hex(8)}"
    if len(name) >= MAX_NAME_LENGTH:
        room = MAX_NAME_LENGTH - 1 - len(name) + len(prefix)
        raise InvalidName(
            f"prefix {prefix!r} of a channel has {len(prefix)} characters, the limit is {room}: "
            f"try {prefix[:room]!r}"
        )
    return name


def near_match(name: str, known: Iterable[str]) -> str | None:
    """The known name that a mistyped ``name`` probably meant."""
    return _near_match(name, tuple(known))


@functools.lru_cache(maxsize=64)  # whoever sends to no one does so in a loop
def _near_match(name: str, known: tuple[str, ...]) -> str | None:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return found[0] if found and found[0] != name else None
