"""``%load_ext nbchannels``: magics, completion of names, and failures told when the cell ends.

It adds no names to the notebook. Loading twice changes nothing.
"""

import sys
from typing import Any

from nbchannels.exceptions import ChannelsError
from nbchannels.kernel.discovery import kernel_identity
from nbchannels.kernel.status import connect
from nbchannels.magics.channels import ChannelsMagics
from nbchannels.magics.completion import NameCompletion
from nbchannels.pending import take_unseen

__all__ = ["load", "unload"]

_KEY = "_nbchannels_extension"


class _Extension:
    """What was registered, to take it back."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.completion = NameCompletion()

    def begin(self) -> None:
        self.shell.register_magics(ChannelsMagics)
        self.shell.events.register("post_run_cell", self.tell_failures)
        self.shell.Completer.custom_matchers.append(self.completion)

    def end(self) -> None:
        self.shell.events.unregister("post_run_cell", self.tell_failures)
        self.shell.Completer.custom_matchers.remove(self.completion)
        magics = self.shell.magics_manager.magics["line"]
        for name, magic in list(magics.items()):
            if isinstance(getattr(magic, "__self__", None), ChannelsMagics):
                del magics[name]

    def tell_failures(self, _result: Any = None) -> None:
        """Sends that failed and that nobody looked at, under the cell that has just ended."""
        for sentence in take_unseen():
            print(f"nbchannels: {sentence}", file=sys.stderr)


def load(shell: Any) -> None:
    """Register everything; in a kernel, begin to connect, and say so if that cannot be."""
    if getattr(shell, _KEY, None) is None:
        extension = _Extension(shell)
        extension.begin()
        setattr(shell, _KEY, extension)
    if kernel_identity() is not None:
        try:
            connect()
        except ChannelsError as error:
            print(f"nbchannels: {error}", file=sys.stderr)


def unload(shell: Any) -> None:
    """Take back what `load` registered; the connection stays for those who use it."""
    extension = getattr(shell, _KEY, None)
    if extension is not None:
        extension.end()
        setattr(shell, _KEY, None)
