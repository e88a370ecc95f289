"""A real Jupyter server for these tests."""

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
        OPEN.pop().close()
