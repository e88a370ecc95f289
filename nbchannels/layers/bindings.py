"""Which messages a route takes, in a form that another process can decide by.

A kernel tells the server what its consumers serve; the server decides with the content alone. So a
binding is plain data, and what comes over the wire is checked: a pattern that is too long, or that
is none, is refused before it is ever used.
"""

import fnmatch
import functools
import re
from typing import Any, NamedTuple

from nbchannels.exceptions import ImproperlyConfigured, InvalidName, shown
from nbchannels.names import MAX_NAME_LENGTH, RESERVED_PREFIX, require_channel_name
from nbchannels.typing import MessageDict

__all__ = ["Binding", "compiled_glob", "filter_text", "is_glob", "require_pattern"]

#: Steps of one binding at most.
MOST_STEPS = 20
#: Characters of a regular expression, and of a key, at most.
MOST_PATTERN, MOST_KEY = 500, 100
#: So many characters of a value are looked at.
MOST_TEXT = 4_096

_MAGIC = re.compile(r"[*?\[]")
_CLASS = re.compile(r"\[!?\]?[^\]]*\]")
_GLOB = re.compile(r"[A-Za-z0-9\-_.!*?\[\]]+", re.ASCII)


class Binding(NamedTuple):
    """A channel, or a glob of channels, and what the content must match.

    Attributes:
        channel: a name, or a glob of names as in ``fnmatch``; what a glob means is in
            `compiled_glob`.
        steps: pairs of a key and a regular expression, in order. Each must match the value of its
            key at the beginning; what it matched is stripped for the next one of that key.
    """

    channel: str
    steps: tuple[tuple[str, str], ...] = ()

    def serves(self, channel: str) -> bool:
        """Whether this name is the channel, or one that the glob means."""
        if is_glob(self.channel):
            return compiled_glob(self.channel).match(channel) is not None
        return channel == self.channel

    def accepts(self, content: MessageDict) -> bool:
        """Whether the content matches all steps.

        What `filter_text` finds no text in does not match. Of a value the first 4,096 characters
        are looked at.
        """
        rest: dict[str, str] = {}
        for key, pattern in self.steps:
            text = rest[key] if key in rest else filter_text(content.get(key))
            found = None if text is None else _compiled(pattern).match(text[:MOST_TEXT])
            if text is None or found is None:
                return False
            rest[key] = text[:MOST_TEXT][found.end() :]
        return True

    def require_limits(self) -> "Binding":
        """This binding, if it can travel.

        Raises:
            ImproperlyConfigured: it names the limit that is passed.
        """
        _require_channel(self.channel)
        if len(self.steps) > MOST_STEPS:
            raise ImproperlyConfigured(
                f"the route of channel {self.channel!r} has {len(self.steps)} filters and prefixes,"
                f" the limit is {MOST_STEPS}"
            )
        for key, pattern in self.steps:
            _require_key(key)
            if len(pattern) > MOST_PATTERN:  # looked at before it is compiled
                raise ImproperlyConfigured(
                    f"the filter on {key!r} of channel {self.channel!r} has {len(pattern):,} "
                    f"characters, the limit is {MOST_PATTERN}; write a shorter pattern, and look "
                    "closer in the consumer"
                )
            require_pattern(pattern, f"the filter on {key!r} of channel {self.channel!r}")
        return self

    def to_wire(self) -> dict[str, Any]:
        """As JSON: ``{"channel": …, "steps": [[key, pattern], …]}``.

        Raises:
            ImproperlyConfigured: it is larger than the other side takes.
        """
        self.require_limits()
        return {"channel": self.channel, "steps": [list(step) for step in self.steps]}

    @classmethod
    def from_wire(cls, data: Any) -> "Binding":
        """The binding that a peer sent, checked.

        Raises:
            ImproperlyConfigured: it says what is wrong with ``data``.
        """
        if not isinstance(data, dict) or not {"channel"} <= data.keys() <= {"channel", "steps"}:
            raise ImproperlyConfigured(
                f'a binding is {{"channel": name, "steps": [[key, pattern], …]}}, not {shown(data)}'
            )
        steps = data.get("steps", [])
        if not isinstance(steps, list):
            raise ImproperlyConfigured(
                f"the steps of a binding are a list of [key, pattern], not {shown(steps)}"
            )
        for step in steps[: MOST_STEPS + 1]:
            if not (
                isinstance(step, list)
                and len(step) == 2
                and all(isinstance(part, str) for part in step)
            ):
                raise ImproperlyConfigured(
                    f"a step of a binding is [key, pattern], two strings, not {shown(step)}"
                )
        return cls(
            data["channel"], tuple((step[0], step[1]) for step in steps[: MOST_STEPS + 1])
        ).require_limits()


def is_glob(channel: str) -> bool:
    """Whether this is a pattern of names rather than a name."""
    return _MAGIC.search(channel) is not None


@functools.lru_cache(maxsize=1_024)
def compiled_glob(glob: str) -> re.Pattern[str]:
    """The names that a glob means.

    Never a process-local one (``prefix!…``), whose messages are for its own process, such as the
    answer to a question; and none of nbchannels' own. Both are served by their full names only.
    """
    return re.compile(f"(?!{re.escape(RESERVED_PREFIX)})(?!.*!){fnmatch.translate(glob)}")


def filter_text(value: Any) -> str | None:
    """What a filter sees of a value; ``None`` where there is no text in it.

    A ``str`` is itself, ``bytes`` are decoded as ASCII, an ``int`` is its digits. All else (a
    missing key, ``None``, other bytes, a ``bool``, a list, …) matches no filter; Channels 1.x
    raises ``TypeError`` there.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("ascii") if value.isascii() else None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 4096:
        return str(value)
    return None


def require_pattern(source: Any, what: str) -> re.Pattern[str]:
    """The compiled pattern.

    Raises:
        ImproperlyConfigured: it does not compile, or has groups without names.
    """
    if not isinstance(source, str):
        raise ImproperlyConfigured(
            f"{what} is {shown(source)}; it takes a regular expression as a str"
        )
    try:
        pattern = _compiled(source)
    except (re.error, OverflowError, RecursionError) as error:
        short = source if len(source) <= 80 else f"{source[:77]}..."
        raise ImproperlyConfigured(
            f"{what} is {short!r}, no regular expression: {error}"
        ) from error
    if pattern.groups != len(pattern.groupindex):
        raise ImproperlyConfigured(
            f"{what} contains positional groups; only named groups are allowed: "
            "write (?P<name>…), or (?:…) where nothing is to be kept"
        )
    return pattern


def _require_channel(channel: Any) -> None:
    if not isinstance(channel, str) or not is_glob(channel):
        try:
            require_channel_name(channel)
        except InvalidName as error:
            raise ImproperlyConfigured(f"a route cannot serve this: {error}") from None
    elif len(channel) >= MAX_NAME_LENGTH or not _GLOB.fullmatch(channel):
        short = channel if len(channel) <= 120 else f"{channel[:117]}..."
        raise ImproperlyConfigured(
            f"the glob {short!r} can match no channel: it takes at most {MAX_NAME_LENGTH - 1} "
            "ASCII letters, digits, '-', '_', '.' and '*', '?', '[…]'"
        )
    elif "!" in _CLASS.sub("", channel) or channel.startswith(RESERVED_PREFIX):
        raise ImproperlyConfigured(
            f"the glob {channel!r} can match no channel: process-local channels (with a '!') and "
            f"names that start with {RESERVED_PREFIX!r} are served by their full names only"
        )


def _require_key(key: Any) -> None:
    if not isinstance(key, str) or not 1 <= len(key) <= MOST_KEY:
        raise ImproperlyConfigured(
            f"a filter's key is a str of 1 to {MOST_KEY} characters, not {shown(key)}"
        )


@functools.lru_cache(maxsize=1_024)
def _compiled(source: str) -> re.Pattern[str]:
    return re.compile(source)
