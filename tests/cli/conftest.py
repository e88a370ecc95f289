"""One real server for all tests of the command, and the command as a process of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbchannels.bridge import bridge
from nbchannels.cli.writing import Output
from nbchannels.kernel import discovery
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.manager import channel_layers
from tests.kernel.conftest import RunningServer, bridge_ends, no_server_of_this_computer

__all__ = ["bridge_ends", "no_server_of_this_computer"]

ROOT = Path(__file__).resolve().parents[2]
#: Seconds for a command that ends by itself.
PATIENCE = 30.0

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("server"))
    yield running
    running.kill()


@pytest.fixture
def layer(server: RunningServer) -> Iterator[KernelChannelLayer]:
    """The server's layer, empty; what a command reaches."""
    found = KernelChannelLayer(find=server.found)
    before = channel_layers.set("default", found)
    bridge.run(found.flush(), 10)
    yield found
    channel_layers.set("default", before)
    bridge.run(found.close(), 10)
    discovery.connect_to(None)


class Written(Output):
    """Output that is kept."""

    def __init__(self) -> None:
        self.kept, self.said = io.StringIO(), io.StringIO()
        super().__init__(self.kept, self.said)
        self.is_unicode = True

    @property
    def text(self) -> str:
        return self.kept.getvalue()

    @property
    def complaints(self) -> str:
        return self.said.getvalue()


@pytest.fixture
def out() -> Written:
    return Written()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nbchannels", *arguments]


def environment(server: RunningServer, **more: str) -> dict[str, str]:
    found = server.environment | {"NBCHANNELS_URL": server.url, "NBCHANNELS_TOKEN": server.token}
    kept = {name: value for name, value in found.items() if name not in ("NO_COLOR", "COLUMNS")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"} | more


@pytest.fixture
def run(server: RunningServer) -> Run:
    """``run("ls", "--json")``: the command, to its end."""

    def started(
        *arguments: str, stdin: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), env=environment(server, **more), input=stdin, text=True,
            capture_output=True, timeout=PATIENCE, check=False, encoding="utf-8", cwd=os.sep,
        )  # fmt: skip

    return started
