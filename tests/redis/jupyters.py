"""Jupyter servers that share a Redis, kernels of their notebooks, and a script without a server."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_event_loop

from tests.integration.kernels import Patient
from tests.kernel.conftest import RunningServer

__all__ = ["LEASE", "Notebook", "Script", "SharingServer", "all_at_once", "eventually"]

#: Seconds after which a process that was killed counts as dead.
LEASE = 10.0
PATIENCE = 60.0
_CONFIG = """
c.ServerApp.jpserver_extensions = {{"nbchannels": True}}
c.NbChannels.channel_layers = {{"default": {{
    "BACKEND": "nbchannels.layers.RedisChannelLayer",
    "CONFIG": {{"hosts": [{url!r}], "lease": {lease}, "patience": 2}},
}}}}
"""
# Cells as a kernel has them, in a process that no server knows.
_LOOP = """
import json, sys
space = {}
for line in sys.stdin:
    try:
        exec(json.loads(line), space)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}")
    print("\\0", flush=True)
"""


class SharingServer(RunningServer):
    """A Jupyter server whose default layer is on Redis.

    Args:
        folder: its own; is made.
        redis: the URL.
    """

    def __init__(self, folder: Path, redis: str) -> None:
        self.redis = redis
        super().__init__(folder)

    def start(self, *, wait: bool = True) -> None:
        self.config.write_text(_CONFIG.format(url=self.redis, lease=LEASE))
        super().start(wait=wait)


class Notebook(Patient):
    """The kernel of a notebook; `run` runs a cell and returns what it printed.

    Args:
        server: that it belongs to.
        name: of the notebook.
        cell: the first.
    """

    def __init__(self, server: RunningServer, name: str, cell: str = "") -> None:
        self.name = name
        super().__init__(server)
        said = (
            f"{cell}\nimport nbchannels as nb, threading, warnings\nwarnings.simplefilter('ignore')"
        )
        assert self.run(said)[1] == ""

    def rest(self, verb: str, path: str, body: Any = None) -> Any:
        if (verb, path) != ("POST", "api/kernels"):
            return super().rest(verb, path, body)
        session = {"path": self.name, "name": self.name, "type": "notebook"}
        kernel: Any = super().rest("POST", "api/sessions", session | {"kernel": {}})["kernel"]
        return kernel

    def say(self, code: str) -> str:
        """Run a cell that must succeed; what it printed."""
        out, error = self.run(code)
        assert error == "", error
        return out.strip()


class Script:
    """A process that uses Redis itself."""

    def __init__(self, url: str, **options: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "NBCHANNELS"))}
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", _LOOP],
            env=kept | {"NBCHANNELS_REDIS_URL": url} | options,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.say("import sys; sys.argv = ['loader.py']; import nbchannels as nb, threading")

    def say(self, code: str) -> str:
        """Run some code; what it printed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != "\0\n":
            assert line, "the script has ended"
            lines.append(line)
        out = "".join(lines).strip()
        assert "Error: " not in out, out
        return out

    def end(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def all_at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Call them all, each on a thread of its own; what they returned."""
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []

    def run(place: int) -> None:
        try:
            results[place] = calls[place]()
        except BaseException as error:
            errors.append(error)
        finally:  # a kernel's client has made one for this thread
            ensure_event_loop().close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def eventually(question: Callable[[], Any], expected: Any) -> None:
    """Wait until the question has this answer."""
    deadline = time.monotonic() + PATIENCE
    while (answer := question()) != expected:
        assert time.monotonic() < deadline, f"{answer!r}, not {expected!r}"
        time.sleep(0.05)
