"""What nobody shall see, named by its key.

A rule is a glob of keys; the values of such keys are replaced, at any depth, before content is
shown to people or written into a file.
"""

import fnmatch
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["HIDDEN", "Redaction", "key_pattern"]

#: What stands in the place of a value.
HIDDEN = "•••"
#: No key of a message has these; a list or a string that was typed where a key belongs has.
NO_KEY = re.compile(r"""[\s\[\](){}"'`,;]""")


def key_pattern(glob: str) -> re.Pattern[str]:
    """What matches the keys that a rule means; upper and lower case are the same.

    Args:
        glob: a key; ``*`` stands for any characters, ``?`` for one.

    Raises:
        ValueError: it is empty, or looks like a list, a string in quotes or several keys: such a
            rule would match no key, and hide nothing without a word.
    """
    odd = NO_KEY.search(glob)
    if odd is not None or glob == "":
        has = "is empty" if odd is None else f"has {odd[0]!r}"
        raise ValueError(
            f"{glob!r} is no key: it {has}. A rule is one key, in which * stands for any "
            'characters and ? for one, and each rule stands for itself: ["password", "*token*"]'
        )
    return re.compile(fnmatch.translate(glob), re.IGNORECASE)


class Redaction:
    """Rules, applied to values.

    Args:
        globs: of keys; without one, nothing is hidden.

    Attributes:
        globs: as they were given.

    Raises:
        ValueError: a glob that can hide nothing, see `key_pattern`.
    """

    def __init__(self, globs: Iterable[str] = ()) -> None:
        self.globs = tuple(globs)
        self._patterns = [key_pattern(glob) for glob in self.globs]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def means(self, key: str) -> bool:
        """Whether the values of this key are hidden."""
        return any(pattern.match(key) for pattern in self._patterns)

    def apply(self, value: Any) -> Any:
        """The value without what the rules name; of dicts and lists, a copy."""
        if not self._patterns:
            return value
        if isinstance(value, dict):
            return {
                key: HIDDEN if self.means(key) else self.apply(item) for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.apply(item) for item in value]
        return value
