"""Where a command writes: standard output, with colours if it is a terminal that wants them."""

import json
import shutil
import sys
from typing import Any, TextIO

from nbchannels.cli.terminal import Style, cut, escaped, has_colours, is_unicode, painted

__all__ = ["Output", "as_json"]


def as_json(value: Any) -> str:
    """One line of JSON in ASCII: no text in it reaches the terminal as it is."""
    return json.dumps(value).replace("\x7f", "\\u007f")


class Output:
    """Standard output and standard error of a command.

    Args:
        out: for results.
        err: for sentences about what went wrong.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stdout
        self._err = err if err is not None else sys.stderr
        for stream in (self._out, self._err):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:  # what has no place in its encoding is escaped
                reconfigure(errors="backslashreplace")
        self.is_terminal = self._out.isatty()
        self.has_colours = has_colours(self._out)
        self.is_unicode = is_unicode(self._out)

    def paint(self, text: str, style: Style) -> str:
        """A text in a style, if there are colours."""
        return painted(text, style, self.has_colours)

    def line(self, text: str) -> None:
        """A line, which stands there at once; what others wrote in it has been escaped."""
        self._out.write(f"{text}\n")
        self._out.flush()

    def lines(self, texts: list[str]) -> None:
        """Lines, at once."""
        if texts:
            self.line("\n".join(texts))

    def json(self, value: Any) -> None:
        """A value, in a line of its own."""
        self.line(as_json(value))

    def status(self, text: str) -> None:
        """A line that the next one takes the place of, on standard error if that is a terminal.

        An empty one takes it away.
        """
        if self._err.isatty():
            room = shutil.get_terminal_size().columns - 1
            self._err.write(f"\r{cut(escaped(text), room)}\x1b[K")
            self._err.flush()

    def complain(self, sentence: str) -> None:
        """A sentence about what went wrong; it is escaped here."""
        self._err.write(f"nbchannels: {escaped(' '.join(sentence.split()))}\n")
        self._err.flush()
