"""A Redis, a second Jupyter server and a Django site for the notebook on sharing channels.

All of them end with it.
"""

import atexit
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import kernels

__all__ = ["Redis", "Server", "Site"]


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class _Process:
    """Something that runs beside this notebook, and not longer."""

    def __init__(self, command, cwd=None, **options):
        self.folder = Path(tempfile.mkdtemp(prefix="nbchannels-"))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=cwd or self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **options,
            )
        atexit.register(self.stop)

    def wait(self, is_there, seconds=60):
        """Wait until it answers."""
        deadline = time.monotonic() + seconds
        while not is_there():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def signal(self, number):
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self):
        """End it, and forget its folder."""
        atexit.unregister(self.stop)
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis:
    """The Redis of ``NBCHANNELS_REDIS_URL``; without one, an empty one on this computer.

    Attributes:
        url: of it.
        is_ours: whether it was started here.
    """

    def __init__(self):
        self.url = os.environ.get("NBCHANNELS_REDIS_URL", "")
        self.is_ours = not self.url
        if not self.is_ours:
            return
        if shutil.which("redis-server") is None:
            raise RuntimeError(
                "there is no redis-server on this computer: install one (Debian, Ubuntu: apt "
                "install redis-server; macOS: brew install redis), or set NBCHANNELS_REDIS_URL"
            )
        port = _free_port()
        options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = _Process(["redis-server", *words])
        self._process.wait(lambda: _answers(port))
        self.url = f"redis://127.0.0.1:{port}/0"

    def pause(self):
        """It stands still: it keeps all it has, and answers nobody."""
        self._only_ours().signal(signal.SIGSTOP)

    def resume(self):
        """It goes on."""
        self._only_ours().signal(signal.SIGCONT)

    def stop(self):
        """End it, if it was started here."""
        if self.is_ours:
            self._process.stop()

    def _only_ours(self):
        if not self.is_ours:
            raise RuntimeError(f"{self.url} was there before this notebook: it is left alone")
        return self._process

    def __repr__(self):
        return f"<Redis at {self.url}, {'started here' if self.is_ours else 'yours'}>"


def _answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


class Server:
    """A second Jupyter server, as a colleague's: its default channel layer is a Redis.

    All that it is told of Redis is one environment variable.
    """

    def __init__(self, redis_url):
        self.port, self.token = _free_port(), secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{self.port}/"
        here = Path(__file__).resolve().parent
        command = [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}"),
            *(f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={here}"),
        ]
        environment = os.environ | {"NBCHANNELS_REDIS_URL": redis_url}
        for name in ("NBCHANNELS_URL", "NBCHANNELS_TOKEN", "JPY_PARENT_PID", "JPY_SESSION_NAME"):
            environment.pop(name, None)
        self._process = _Process(command, cwd=here, env=environment)
        self._process.wait(self._is_up)

    def _is_up(self):
        request = urllib.request.Request(
            f"{self.url}nbchannels/api/status", headers={"Authorization": f"token {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def kernel(self, code):
        """Start a kernel there and run ``code`` in it, as a notebook would."""
        return kernels.SecondKernel(self.url, self.token, code)

    def stop(self):
        """End it, with its kernels."""
        self._process.stop()

    def __repr__(self):
        return f"<Jupyter server at {self.url}>"


class Site:
    """The Django site of ``bakery.py``, and its worker; false where Django is not installed."""

    NEEDS = ("django", "channels", "channels_redis", "uvicorn")

    def __init__(self, redis_url):
        self.missing = [name for name in self.NEEDS if importlib.util.find_spec(name) is None]
        if self.missing:
            return
        here = Path(__file__).resolve().parent
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}/"
        environment = os.environ | {"BAKERY_REDIS_URL": redis_url}
        options = ["--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"]
        command = [sys.executable, "-m", "uvicorn", "bakery:application", *options]
        self._server = _Process(command, cwd=here, env=environment)
        self._worker = _Process([sys.executable, "bakery.py"], cwd=here, env=environment)
        self._server.wait(self._is_up)

    def _is_up(self):
        try:
            return self._ask("GET") is not None
        except (urllib.error.URLError, OSError):
            return False

    def order(self, loaves):
        """Order some, as a customer's browser does."""
        return self._ask("POST", {"loaves": loaves})

    def _ask(self, verb, body=None):
        request = urllib.request.Request(
            f"{self.url}orders", None if body is None else json.dumps(body).encode(), method=verb
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def stop(self):
        """End it, with its worker."""
        if self:
            self._server.stop()
            self._worker.stop()

    def __bool__(self):
        return not self.missing

    def __repr__(self):
        if self:
            return f"<Django site at {self.url}>"
        return (
            f"<no site: it needs {', '.join(self.missing)}; pip install 'nbchannels[django]' "
            "django uvicorn>"
        )
