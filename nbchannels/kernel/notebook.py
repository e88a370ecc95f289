"""What a notebook shows of what goes wrong: under the cell where it happened.

`begin` is called with the first layer that a kernel makes, and by ``%load_ext nbchannels``.
A diagnosis is shown when its cell ends; one of a consumer goes to the consumer's cell at once.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

from nbchannels.bridges.outlets import flush_all
from nbchannels.diagnoses import Diagnosis, report, tell_again
from nbchannels.kernel.credentials import kernel_identity
from nbchannels.kernel.diagnoses import install, note, pass_on_to, take_unshown
from nbchannels.kernel.direct import is_direct, look_soon
from nbchannels.layers.hosted import HostedLayer
from nbchannels.pending import take_unseen
from nbchannels.service import running
from nbchannels.unawaited import WatchedCoroutine, hear_python, watch

__all__ = ["begin", "before_cell", "identity", "show", "shown_place", "tell"]

#: Characters of a traceback under a cell.
MOST_TRACEBACK = 2_000

log = logging.getLogger("nbchannels")


class _LogHandler(logging.Handler):
    """What the library logs goes to ``%channels log``; on stderr it would meet any cell."""

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record; diagnoses are noted in another way."""
        if not hasattr(record, "diagnosis"):
            note(self.format(record))


class _Begun:
    """Where `begin` has been; a reload of this module keeps it."""

    def __init__(self) -> None:
        self.shells: list[Any] = []


_begun: _Begun = globals().get("_begun") or _Begun()


def begin(layer: Any = None) -> None:
    """In a kernel: have its cells show what goes wrong. Idempotent; elsewhere it does nothing.

    Args:
        layer: that was made; its coroutines are watched, and one that only this process sees is
            told.
    """
    shell = _kernel_shell()
    if shell is None:
        return
    if shell not in _begun.shells:
        _begun.shells.append(shell)
        install()
        pass_on_to(show)
        if not any(type(handler).__name__ == _LogHandler.__name__ for handler in log.handlers):
            log.addHandler(_LogHandler(logging.WARNING))
        hear_python()
        shell.events.register("pre_run_cell", before_cell)
        shell.events.register("post_run_cell", tell)
    if layer is not None:
        if isinstance(layer, HostedLayer):
            layer.identity = identity()
            if is_direct(layer):
                look_soon(layer)
        watch(layer)
        _tell_private(layer)


def identity() -> dict[str, Any]:
    """Who this kernel is to others, on a layer that it uses without a server."""
    kernel = kernel_identity()
    path = os.environ.get("JPY_SESSION_NAME")
    return {
        "kind": "kernel",
        "user": f"kernel:{kernel.kernel}" if kernel is not None else "",
        "label": Path(path).name if path else None,
    }


def before_cell(_info: Any = None) -> None:
    """A cell begins: what goes wrong in it is told, also if it was told a moment ago."""
    tell_again()


def show(diagnosis: Diagnosis) -> bool:
    """Print a diagnosis in the cell of the consumer that it comes from; whether that was done.

    Called in the context that reports: what is printed finds its cell by it.
    """
    # Printed with its traceback where it ran.
    if diagnosis.seen or diagnosis.kind == "consumer-failed":
        return True
    if running() is None:
        return False
    sys.stderr.write(_shown(diagnosis))
    return True


def tell(result: Any = None) -> None:
    """A cell has ended: send what it logged, print below it what went wrong and nobody has seen.

    Args:
        result: of the cell; a coroutine that is only displayed does nothing.
    """
    flush_all()
    value = getattr(result, "result", None)
    if type(value) is WatchedCoroutine:
        value.tell()
    for sentence in take_unseen():
        sys.stderr.write(f"nbchannels: {sentence}\n")
    if not _begun.shells:  # in a terminal the logger has told them
        return
    for diagnosis in take_unshown():
        sys.stderr.write(_shown(diagnosis))


def _shown(diagnosis: Diagnosis) -> str:
    times = f" ({diagnosis.count} times)" if diagnosis.count > 1 else ""
    detail = diagnosis.detail.strip()
    if not detail:
        return f"nbchannels: {diagnosis.sentence}{times}\n"
    if "\n" in detail:
        return f"nbchannels: {diagnosis.sentence}{times}\n{detail[-MOST_TRACEBACK:]}\n"
    return f"nbchannels: {diagnosis.sentence}{times} ({shown_place(detail)})\n"


def shown_place(place: str) -> str:
    """``/tmp/ipykernel_7/123.py, line 3`` as a notebook calls it: ``Cell In[2], line 3``."""
    file, comma, line = place.rpartition(", ")
    compiler = getattr(_kernel_shell(), "compile", None)
    named = compiler.format_code_name(file) if compiler is not None and comma else None
    return f"{' '.join(named)}, {line}" if named else place


def _tell_private(layer: Any) -> None:
    """A layer in memory looks like the server's, and nobody else is on it."""
    memory = sys.modules.get("nbchannels.layers.memory")
    if memory is None or not isinstance(layer, memory.InMemoryChannelLayer):
        return
    report(
        "private-layer",
        f"channel layer {layer.alias!r} is an {type(layer).__name__} of this kernel: what is sent "
        "to it stays in this kernel, and neither the server nor other notebooks see it; to share, "
        'give it the BACKEND "nbchannels.kernel.layer.KernelChannelLayer", which is the default',
        subject=f"layer {layer.alias}",
    )


def _kernel_shell() -> Any:
    """The shell of this kernel; ``None`` in any other process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None
