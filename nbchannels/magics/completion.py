"""Tab completes the names of groups and channels: after a magic, and inside ``Group("…``."""

import contextlib
import re
import time
from collections.abc import Iterable

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult

from nbchannels.exceptions import ChannelsError
from nbchannels.kernel.reports import served_channels
from nbchannels.kernel.status import known_names

__all__ = ["NameCompletion", "kind_and_prefix"]

_PLACE = re.compile(
    r"""(?: ^\s*%(?P<word>channels)\s+
          | ^\s*%channels\s+(?P<here>stop)\s+
          | ^\s*%?%(?P<magic>send|group_send|watch|consume|channels\s+(?:dead|who))\s+
          | \b(?P<call>Group|Channel|Live[A-Za-z]+)\(\s*["'] )
        (?P<prefix>[A-Za-z0-9\-_.!]*)$""",
    re.VERBOSE,
)
#: What may stand behind ``%channels``.
WORDS = (
    "connect", "consumers", "dead", "discard", "doctor", "log", "resend", "stop", "top", "who",
)  # fmt: skip
#: Seconds that names are remembered: completion asks with each key.
MEMORY = 2.0


def kind_and_prefix(line: str) -> tuple[str, str] | None:
    """What is completed at the end of this line, and its start.

    ``"groups"``, ``"channels"``, ``"served"`` (channels that this kernel serves) or ``"words"``
    (what may stand behind ``%channels``).
    """
    found = _PLACE.search(line)
    if found is None:
        return None
    if found["word"]:
        return "words", found["prefix"]
    if found["here"]:
        return "served", found["prefix"]
    magic = found["magic"] or ""
    is_channel = magic in ("send", "consume") or magic.endswith("dead")
    is_channel = is_channel or found["call"] == "Channel"
    return ("channels" if is_channel else "groups"), found["prefix"]


class NameCompletion:
    """An IPython matcher."""

    matcher_identifier = "nbchannels.names"
    matcher_priority = 1000.0
    matcher_api_version = 2

    def __init__(self) -> None:
        # IPython asks each matcher for it, also one that has an identifier.
        self.__qualname__ = type(self).__qualname__
        self._names: dict[str, list[str]] = {}
        self._until = 0.0

    def __call__(self, context: CompletionContext) -> SimpleMatcherResult:
        """The names that begin as what stands before the cursor."""
        line = context.line_with_cursor[: context.cursor_position]
        place = kind_and_prefix(line)
        if place is None:
            return {"completions": [], "suppress": False}
        kind, prefix = place
        names = sorted(name for name in self._of(kind) if name.startswith(prefix))
        completions = [SimpleCompletion(name, type="nbchannels") for name in names]
        return {
            "completions": completions,
            "suppress": bool(completions),
            "matched_fragment": prefix,
            "ordered": True,
        }

    def _of(self, kind: str) -> Iterable[str]:
        if kind == "words":
            return WORDS
        if kind == "served":
            with contextlib.suppress(ChannelsError):
                return served_channels()
        return self._known().get(kind, [])

    def _known(self) -> dict[str, list[str]]:
        now = time.monotonic()
        if now > self._until:
            try:
                self._names = known_names(timeout=0.5)
            except (ChannelsError, TimeoutError):
                self._names = {}
            self._until = now + MEMORY
        return self._names
