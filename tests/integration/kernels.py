"""Kernels that are interrupted, restarted and killed, and what is left of them."""

import contextlib
import json
import os
import queue
import re
import signal
import time
import urllib.error
import urllib.request

from tests.kernel.test_layer import Kernel

PATIENCE = 20.0
QUIET = "import nbchannels as nb, warnings; warnings.simplefilter('ignore')\n"
_PROBLEM = re.compile(
    r"Traceback|was never retrieved|never awaited|Exception ignored|Task was destroyed"
)


class Patient(Kernel):
    """A kernel whose cells can be looked at while they run."""

    def __init__(self, server) -> None:
        super().__init__(server)
        self.pid = int(self.run("import os; print(os.getpid())")[0])

    def begin(self, code):
        """Start a cell; `told` and `finish` say how it goes on."""
        self.cell = self.client.execute(code)
        self.out = self.error = ""
        self.idle = False

    def _listen(self, deadline):
        left = deadline - time.monotonic()
        assert left > 0, f"the cell goes on and on: {self.out!r} {self.error!r}"
        try:
            message = self.client.get_iopub_msg(timeout=left)
        except queue.Empty:
            return
        if message["parent_header"].get("msg_id") != self.cell:
            return
        content = message["content"]
        match message["msg_type"]:
            case "stream" if content["name"] == "stdout":
                self.out += content["text"]
            case "stream":
                self.error += content["text"]
            case "error":
                self.error += f"{content['ename']}: {content['evalue']}"
            case "status":
                self.idle = content["execution_state"] == "idle"

    def told(self, text, patience=PATIENCE):
        """Wait until the cell that runs has printed this."""
        deadline = time.monotonic() + patience
        while text not in self.out:
            assert not self.idle, f"the cell has ended: {self.out!r} {self.error!r}"
            self._listen(deadline)

    def finish(self, patience=PATIENCE):
        """Wait for the cell's end: what it printed, and what it wrote to stderr or raised."""
        deadline = time.monotonic() + patience
        while not self.idle:
            self._listen(deadline)
        return self.out, self.error

    def interrupt(self):
        """As the stop button does."""
        self.rest("POST", f"api/kernels/{self.id}/interrupt", {})

    def interrupt_directly(self):
        """As the stop button does, when the server cannot."""
        os.kill(self.pid, signal.SIGINT)

    def restart(self):
        self.rest("POST", f"api/kernels/{self.id}/restart", {})
        self.comes_back()

    def comes_back(self):
        """Wait until the new process answers, after a restart or a death."""
        old, deadline = self.pid, time.monotonic() + 2 * PATIENCE
        while self.pid == old:
            assert time.monotonic() < deadline, "the kernel does not come back"
            with contextlib.suppress(RuntimeError):  # it is dead just now
                self.client.wait_for_ready(PATIENCE)
                self.pid = int(self.run("import os; print(os.getpid())")[0])

    def end(self):
        self.client.stop_channels()
        with contextlib.suppress(urllib.error.HTTPError):  # it was ended by the test
            self.rest("DELETE", f"api/kernels/{self.id}")


def api(server, path):
    """The answer of the extension's own API."""
    request = urllib.request.Request(
        f"{server.url}nbchannels/api/{path}", headers={"Authorization": f"token {server.token}"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def connected(server, kernel):
    """The open connections of a kernel, as the server counts them."""
    found = api(server, "clients")["clients"]
    here = [client for client in found if client["connection"] is not None]
    return [client for client in here if client["user"] == f"kernel:{kernel.id}"]


def eventually(question, expected, patience=PATIENCE):
    """Wait until the question has this answer."""
    deadline = time.monotonic() + patience
    while (answer := question()) != expected:
        assert time.monotonic() < deadline, f"{answer!r}, not {expected!r}"
        time.sleep(0.02)


def problems(server, since=0):
    """Lines of the server's log, which is its kernels' stderr too, that tell of a problem."""
    lines = (server.folder / "log").read_text()[since:].splitlines()
    return [line for line in lines if _PROBLEM.search(line)]
