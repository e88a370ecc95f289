"""A real Jupyter server with the extension in a process of its own, as kernels and scripts have it.

It has to be another process: a sync send waits for it, and would wait for itself otherwise.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from jupyter_core.utils import ensure_event_loop

from nbchannels.bridge import bridge
from nbchannels.kernel import discovery, servers
from nbchannels.kernel.credentials import Found
from nbchannels.kernel.layer import KernelChannelLayer

CONFIG = """
c.ServerApp.jpserver_extensions = {"nbchannels": True}
c.NbChannels.channel_layers = {"default": {
    "BACKEND": "nbchannels.layers.memory.InMemoryChannelLayer",
    "CONFIG": {"channel_capacity": {"small*": 5}, "channel_expiry": {"short*": 0.2}},
}}
c.NbChannels.window = 64
"""
PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class RunningServer:
    """A Jupyter server in a process; it can be killed, frozen and started again."""

    def __init__(self, folder: Path, *, extension: bool = True) -> None:
        self.folder = folder
        self.port = free_port()
        self.token = secrets.token_hex(8)
        self.url = f"http://127.0.0.1:{self.port}/base/"
        self.runtime = folder / "runtime"
        self.runtime.mkdir(parents=True)
        self.config = folder / "jupyter_server_config.py"
        self.config.write_text(CONFIG if extension else CONFIG.replace("True", "False"))
        self.start()

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "NBCHANNELS"))}
        folders = {
            "JUPYTER_CONFIG_DIR": self.folder / "config",
            "JUPYTER_DATA_DIR": self.folder / "data",
            "JUPYTER_RUNTIME_DIR": self.runtime,
            "IPYTHONDIR": self.folder / "ipython",
        }
        return kept | {name: str(path) for name, path in folders.items()}

    def start(self, *, wait: bool = True) -> None:
        options = [
            f"--config={self.config}",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
            "--ServerApp.base_url=/base/",
            f"--ServerApp.root_dir={self.folder}",
            "--no-browser",
            "--allow-root",
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", *options],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if wait:
            deadline = time.monotonic() + PATIENCE
            while servers.probe(self.url, self.token) is None:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)

    def kill(self) -> None:
        """As ``kill -9`` does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(PATIENCE)

    def freeze(self) -> None:
        """It holds its sockets and does nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def found(self) -> Found:
        return Found(self.url, self.token, None, "a test")


class Cable:
    """A way to the server that can be cut and mended."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = free_port()
        self._pairs: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.mend()

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Everything under way is lost, and nobody answers."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.drop()

    def drop(self) -> None:
        """The connections are lost; the next attempt comes through."""
        pairs, self._pairs = self._pairs, []
        for end in pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
                there = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._pairs += [here, there]
            for ends in ((here, there), (there, here)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("server"))
    yield running
    running.kill()


@pytest_asyncio.fixture
async def layer(server: RunningServer) -> AsyncIterator[KernelChannelLayer]:
    """An empty layer, connected."""
    found = KernelChannelLayer(find=server.found)
    await found.flush()
    yield found
    await found.close()


@pytest.fixture
def cable(server: RunningServer) -> Iterator[Cable]:
    found = Cable(server.port)
    yield found
    found.cut()


@pytest_asyncio.fixture
async def far(server: RunningServer, cable: Cable) -> AsyncIterator[KernelChannelLayer]:
    """An empty layer, connected over the cable."""
    url = f"http://127.0.0.1:{cable.port}/base/"
    found = KernelChannelLayer(find=lambda: Found(url, server.token, None, "far"))
    await found.flush()
    yield found
    await found.close()


@pytest.fixture(autouse=True)
def no_server_of_this_computer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing here looks at the servers that really run."""
    for name in ("NBCHANNELS_URL", "NBCHANNELS_TOKEN", "JPY_PARENT_PID", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(servers, "jupyter_runtime_dir", lambda: str(tmp_path / "runtime"))
    yield
    discovery.connect_to(None)


@pytest.fixture(scope="session", autouse=True)
def clients_loop() -> Iterator[None]:
    """The loop that blocking kernel clients run on: jupyter_core makes it and never closes it."""
    loop = ensure_event_loop()
    yield
    loop.close()


@pytest.fixture(scope="session", autouse=True)
def bridge_ends() -> Iterator[None]:
    yield
    bridge.stop()
