"""The two layers that a user meets: the one of this process, and the one of a real server."""

import queue
from collections.abc import Iterator

import pytest

from nbchannels.bridge import bridge
from nbchannels.consuming import unconsume
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message
from tests.kernel.conftest import RunningServer, bridge_ends, no_server_of_this_computer

__all__ = ["bridge_ends", "no_server_of_this_computer"]

#: Seconds that anything may take.
PATIENCE = 20.0
MEMORY = "nbchannels.layers.memory.InMemoryChannelLayer"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("server"))
    yield running
    running.kill()


@pytest.fixture(
    params=["memory", pytest.param("server", marks=[pytest.mark.integration, pytest.mark.slow])]
)
def layer(request: pytest.FixtureRequest) -> Iterator[BaseChannelLayer]:
    """The default layer, empty."""
    made: BaseChannelLayer
    if request.param == "memory":
        made = InMemoryChannelLayer()
    else:
        made = KernelChannelLayer(find=request.getfixturevalue("server").found)
        bridge.run(made.flush())
    old = channel_layers.set("default", made)
    yield made
    unconsume(channel_layer=made)
    channel_layers.set("default", old)
    bridge.run(made.close())


@pytest.fixture
def two_layers() -> Iterator[None]:
    """A project with two layers, ``default`` and ``other``."""
    channel_layers.configure({"default": {"BACKEND": MEMORY}, "other": {"BACKEND": MEMORY}})
    yield
    for alias in ("default", "other"):
        unconsume(alias=alias)
    channel_layers.configure({})


class Taken:
    """A consumer that hands what it got to the test."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Message, dict[str, str]]] = queue.SimpleQueue()

    def __call__(self, message: Message, **kwargs: str) -> None:
        self._queue.put((message, kwargs))

    def next(self) -> Message:
        """The next message."""
        return self._queue.get(timeout=PATIENCE)[0]

    def next_with_kwargs(self) -> tuple[Message, dict[str, str]]:
        return self._queue.get(timeout=PATIENCE)

    @property
    def is_empty(self) -> bool:
        return self._queue.empty()


@pytest.fixture
def taken() -> Taken:
    return Taken()
