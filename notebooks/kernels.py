"""Start another kernel on the Jupyter server of this one, as opening a second notebook does."""

import json
import os
import signal
import time
import urllib.request
from pathlib import Path

from jupyter_client.blocking import BlockingKernelClient
from jupyter_core.paths import jupyter_runtime_dir
from sensors import own_server

__all__ = ["SecondKernel", "start", "wait_until"]


class SecondKernel:
    """A kernel that has run some code; ``kill`` ends it the hard way, ``stop`` the polite one."""

    def __init__(self, url, token, code):
        self._url, self._token = url, token
        self.id = self._ask("POST", "api/kernels", {})["id"]
        client = BlockingKernelClient()
        client.load_connection_file(str(Path(jupyter_runtime_dir()) / f"kernel-{self.id}.json"))
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            reply = client.execute_interactive(
                f"import os\n{code}",
                timeout=60,
                output_hook=lambda message: None,
                user_expressions={"pid": "os.getpid()"},
            )
        finally:
            client.stop_channels()
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"the code failed there: {reply['content']['evalue']}")
        self.pid = int(reply["content"]["user_expressions"]["pid"]["data"]["text/plain"])

    def kill(self):
        """End its process at once, in the middle of whatever it does."""
        os.kill(self.pid, signal.SIGKILL)
        return self

    def stop(self):
        """Shut it down, as the menu *Kernel* does."""
        self._ask("DELETE", f"api/kernels/{self.id}")
        return self

    def _ask(self, verb, path, body=None):
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self._token}"},
            method=verb,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def __repr__(self):
        return f"<kernel {self.id[:8]}, process {self.pid}>"


def start(code):
    """Start a kernel, run ``code`` in it, and return it as a `SecondKernel`."""
    return SecondKernel(*own_server(), code)


def wait_until(condition, seconds=60):
    """Wait until ``condition()`` is true, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not become true within {seconds} s")
        time.sleep(0.3)
