"""``%load_ext nbchannels``: magics, completion of names, and failures told when the cell ends.

It adds no names to the notebook. Loading twice changes nothing.
"""

import sys
from typing import Any

from nbchannels.exceptions import ChannelsError
from nbchannels.kernel import notebook
from nbchannels.kernel.diagnoses import install
from nbchannels.kernel.discovery import kernel_identity
from nbchannels.kernel.status import connect
from nbchannels.magics.channels import ChannelsMagics
from nbchannels.magics.completion import NameCompletion
from nbchannels.magics.consuming import ConsumeMagics

__all__ = ["load", "unload"]

_KEY = "_nbchannels_extension"


class _Extension:
    """What was registered, to take it back."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.completion = NameCompletion()

    def begin(self) -> None:
        notebook.begin()
        install()
        self.shell.register_magics(ChannelsMagics, ConsumeMagics)
        self.shell.events.register("pre_run_cell", self.before_cell)
        self.shell.events.register("post_run_cell", self.tell_failures)
        self.shell.Completer.custom_matchers.append(self.completion)

    def end(self) -> None:
        self.shell.events.unregister("pre_run_cell", self.before_cell)
        self.shell.events.unregister("post_run_cell", self.tell_failures)
        self.shell.Completer.custom_matchers.remove(self.completion)
        for magics in self.shell.magics_manager.magics.values():
            for name, magic in list(magics.items()):
                if isinstance(getattr(magic, "__self__", None), (ChannelsMagics, ConsumeMagics)):
                    del magics[name]

    # Of its own, so that `end` takes away nothing that the kernel's layer has registered.

    def before_cell(self, info: Any = None) -> None:
        notebook.before_cell(info)

    def tell_failures(self, result: Any = None) -> None:
        """What went wrong and nobody looked at, under the cell that has just ended."""
        notebook.tell(result)


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
