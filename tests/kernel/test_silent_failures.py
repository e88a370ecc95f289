"""Seven mistakes after which nothing happens elsewhere: here it arrives, or its cause is told.

Each is made on purpose in a notebook of a real kernel.
"""

from collections.abc import Iterator

import pytest

from tests.kernel.conftest import RunningServer
from tests.kernel.test_layer import Kernel

pytestmark = [pytest.mark.integration, pytest.mark.slow]

BEGIN = """
import asyncio, threading
import nbchannels as nb
from nbchannels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from nbchannels.testing import WebsocketCommunicator
layer = nb.get_channel_layer()

async def visit(consumer, *, sends=None, answers=0, then=None):
    browser = WebsocketCommunicator(consumer, "/index/")
    assert (await browser.connect())[0]
    if sends is not None:
        await browser.send_to(text_data=sends)
    if then is not None:
        then()
    for _ in range(answers):
        print(await browser.receive_from())
    if not answers:
        print("nothing" if await browser.receive_nothing(0.3) else "something")
    await browser.disconnect()

tick = lambda: nb.Group("index").send({"type": "index.tick", "y": 1})
"""


@pytest.fixture(scope="module")
def kernel(server: RunningServer) -> Iterator[Kernel]:
    found = Kernel(server)
    assert found.run(BEGIN) == ("", "")
    yield found
    found.end()


def test_1_a_coroutine_of_the_layer_that_a_synchronous_consumer_does_not_await(kernel):
    out, error = kernel.run(
        "class Index(WebsocketConsumer):\n"
        "    def connect(self):\n"
        "        self.channel_layer.group_add('index', self.channel_name)\n"
        "        self.accept()\n"
        "    def index_tick(self, event):\n"
        "        self.send(text_data='tick')\n"
        "await visit(Index, then=tick)"
    )
    assert out == "nothing\n"
    assert "un-awaited Index: channel_layer.group_add(...): nothing was done" in error
    assert "write async_to_sync(self.channel_layer.group_add)(...)" in error
    assert "line 3)" in error


def test_1_and_in_a_cell(kernel):
    _, error = kernel.run("nb.get_channel_layer().group_send('index', {'type': 'index.tick'})")
    assert "un-awaited channel_layer.group_send(...): nothing was done" in error
    assert "async_to_sync(channel_layer.group_send)(...)" in error
    assert 'Group("name").send({...})' in error


def test_2_a_group_without_members(kernel):
    out, error = kernel.run("print(nb.Group('empty').send({'type': 'index.tick'}))")
    assert "0 subscribers" in out
    assert "NobodyListens: no one listens to group 'empty' yet" in error
    assert "group 'empty' was sent to, and nobody listens" in doctor(kernel)


def test_3_a_type_that_no_handler_has_the_name_of(kernel):
    out, error = kernel.run(
        "class Index(AsyncWebsocketConsumer):\n"
        "    groups = ['index']\n"
        "    async def index_tock(self, event):\n"
        "        await self.send(text_data='tick')\n"
        "await visit(Index, then=tick)"
    )
    assert out == "nothing\n"
    assert "Index has no handler 'index_tick' for the type 'index.tick'" in error
    assert "did you mean type 'index.tock'? It calls index_tock" in error


def test_4_a_coroutine_on_a_synchronous_consumer_runs_and_is_told(kernel):
    out, error = kernel.run(
        "class Sync(WebsocketConsumer):\n"
        "    groups = ['index']\n"
        "    async def index_tick(self, event):\n"
        "        self.send(text_data='tick')\n"
        "await visit(Sync, then=tick, answers=1)"
    )
    assert out == "tick\n"
    assert "Sync.index_tick is an async def on a synchronous consumer" in error
    assert "write def, or derive Sync from AsyncWebsocketConsumer" in error


def test_4_a_plain_method_on_an_async_consumer_runs_and_is_told(kernel):
    out, error = kernel.run(
        "class Async(AsyncWebsocketConsumer):\n"
        "    groups = ['index']\n"
        "    def index_tick(self, event):\n"
        "        print('tick')\n"
        "await visit(Async, then=tick)"
    )
    assert out == "tick\nnothing\n"
    assert "Async.index_tick is a plain def on an async consumer" in error
    assert "write async def" in error


def test_5_a_layer_in_memory_of_this_kernel_only(kernel, server):
    kernel.run("nb.Group('index').messages")  # the server's layer stays as it is
    out, error = kernel.run(
        "nb.channel_layers.configure({'private': {\n"
        "    'BACKEND': 'nbchannels.layers.memory.InMemoryChannelLayer'}})\n"
        "nb.Group('index', alias='private').send({'y': 1})"
    )
    assert "channel layer 'private' is an InMemoryChannelLayer of this kernel" in error
    assert "neither the server nor other notebooks see it" in error
    assert "nbchannels.kernel.layer.KernelChannelLayer" in error
    _, error = kernel.run("nb.Group('index', alias='private').send({'y': 1})")
    assert error == ""  # told once
    findings = doctor(kernel, "private")
    kernel.run("nb.channel_layers.configure({})\nnb.channel_layers.set('default', layer)")
    assert "layer 'private' is an InMemoryChannelLayer of this process" in findings


@pytest.mark.parametrize("whose", ["nb.async_to_sync", "asgiref.sync.async_to_sync"])
def test_6_async_to_sync_from_another_thread_arrives(kernel, whose):
    out, error = kernel.run(
        "import asgiref.sync\n"
        "class Index(AsyncWebsocketConsumer):\n"
        "    groups = ['index']\n"
        "    async def index_tick(self, event):\n"
        "        await self.send(text_data=event['y'])\n"
        "def other():\n"
        f"    {whose}(layer.group_send)('index', {{'type': 'index.tick', 'y': {whose!r}}})\n"
        "await visit(Index, then=lambda: threading.Thread(target=other).start(), answers=1)"
    )
    assert (out, error) == (f"{whose}\n", "")


def test_6_and_in_a_cell_ours_works(kernel):
    out, error = kernel.run(
        "print(nb.async_to_sync(layer.group_send)('cells', {'y': 1}).offset)\n"
        "import warnings; warnings.simplefilter('ignore', nb.channel.NobodyListens)"
    )
    assert (out, error) == ("1\n", "")


@pytest.mark.parametrize(("colour", "told"), [("def", False), ("async def", True)])
def test_7_a_receive_that_returns_what_it_should_await(kernel, colour, told):
    out, error = kernel.run(
        "class Index(AsyncWebsocketConsumer):\n"
        f"    {colour} websocket_receive(self, message):\n"
        "        return super().websocket_receive(message)\n"
        "    async def receive(self, text_data=None, bytes_data=None):\n"
        "        await self.send(text_data=text_data.upper())\n"
        "await visit(Index, sends='hello', answers=1)"
    )
    assert out == "HELLO\n"
    assert ("Index.websocket_receive returned a coroutine that it did not await" in error) is told
    assert ("write await in front of the call" in error) is told


def test_7_a_receive_that_drops_it_is_told(kernel):
    out, error = kernel.run(
        "class Index(AsyncWebsocketConsumer):\n"
        "    async def websocket_receive(self, message):\n"
        "        super().websocket_receive(message)\n"
        "    async def receive(self, text_data=None, bytes_data=None):\n"
        "        await self.send(text_data=text_data.upper())\n"
        "await visit(Index, sends='hello')"
    )
    assert out == "nothing\n"
    assert "websocket_receive" in error
    assert "never awaited" in error
    assert "super().websocket_receive(message)" in error
    out, _ = kernel.run(
        "from nbchannels.diagnoses import recent\n"
        "print(*[told.sentence for told in recent()], sep='\\n')"
    )
    assert "un-awaited AsyncWebsocketConsumer.websocket_receive(...): nothing was done" in out
    assert error.count("nothing was done") == 0  # Python has said it


def doctor(kernel: Kernel, alias: str = "default") -> str:
    """What the doctor finds, as text."""
    out, error = kernel.run(
        "from nbchannels.kernel.doctor import examine\nprint('\\n'.join(map(str, examine())))"
    )
    assert error == ""
    return out
