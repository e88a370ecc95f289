"""A real Jupyter server for these tests."""

import asyncio

import pytest
import pytest_asyncio

from tests.integration.doors import OPEN
from tests.kernel.conftest import RunningServer, bridge_ends

__all__ = ["bridge_ends", "close_sockets", "server"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = RunningServer(tmp_path_factory.mktemp("server"))
    yield running
    running.kill()


@pytest_asyncio.fixture
async def close_sockets():
    yield
    while OPEN:
        socket = OPEN.pop()
        socket.close()
        if socket.protocol is not None:  # nobody waits for the server's answer
            socket.protocol.stream.close()
    await asyncio.sleep(0)  # its reader sees it
