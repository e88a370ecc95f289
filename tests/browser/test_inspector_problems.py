"""Problems show without being looked for: the sidebar is closed, and nothing is asked for them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, WebSocket

from tests.browser.conftest import serving, visiting
from tests.browser.driving import PATIENCE, click
from tests.browser.jupyter import Jupyter
from tests.browser.sidebar import BADGE, Sidebar

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

BEGIN = """
import nbchannels as nb
from nbchannels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from nbchannels.testing import WebsocketCommunicator
layer = nb.get_channel_layer()
nb.Group("begun").history(1)

async def visit(consumer, *, sends=None, answers=0, then=None):
    browser = WebsocketCommunicator(consumer, "/index/")
    assert (await browser.connect())[0]
    if sends is not None:
        await browser.send_to(text_data=sends)
    if then is not None:
        then()
    for _ in range(answers):
        await browser.receive_from()
    if not answers:
        await browser.receive_nothing(0.3)
    await browser.disconnect()

tick = lambda: nb.Group("index").send({"type": "index.tick", "y": 1})
"""
#: The mistakes that can still be made, each with the words that its diagnosis has. The sixth,
#: async_to_sync on another thread, works here.
SILENT = {
    "1-not-awaited-in-a-consumer": (
        (
            "class Waits(WebsocketConsumer):\n"
            "    def connect(self):\n"
            "        self.channel_layer.group_add('index', self.channel_name)\n"
            "        self.accept()\n"
            "    def index_tick(self, event):\n"
            "        pass\n"
            "await visit(Waits, then=tick)"
        ),
        "channel_layer.group_add(...): nothing was done",
    ),
    "1-not-awaited-in-a-cell": (
        "nb.get_channel_layer().group_send('index', {'type': 'index.tick'})",
        "channel_layer.group_send(...): nothing was done",
    ),
    "2-nobody-listens": (
        "nb.Group('empty').send({'type': 'index.tick'})",
        "no one listens to group 'empty'",
    ),
    "3-no-handler": (
        (
            "class Misnamed(AsyncWebsocketConsumer):\n"
            "    groups = ['index']\n"
            "    async def index_tock(self, event):\n"
            "        pass\n"
            "await visit(Misnamed, then=tick)"
        ),
        "Misnamed has no handler 'index_tick'",
    ),
    "4-async-on-a-sync-consumer": (
        (
            "class Sync(WebsocketConsumer):\n"
            "    groups = ['index']\n"
            "    async def index_tick(self, event):\n"
            "        self.send(text_data='tick')\n"
            "await visit(Sync, then=tick, answers=1)"
        ),
        "Sync.index_tick is an async def on a synchronous consumer",
    ),
    "4-plain-on-an-async-consumer": (
        (
            "class Async(AsyncWebsocketConsumer):\n"
            "    groups = ['index']\n"
            "    def index_tick(self, event):\n"
            "        pass\n"
            "await visit(Async, then=tick)"
        ),
        "Async.index_tick is a plain def on an async consumer",
    ),
    "5-private-layer": (
        (
            "nb.channel_layers.configure({'private': {\n"
            "    'BACKEND': 'nbchannels.layers.memory.InMemoryChannelLayer'}})\n"
            "nb.Group('index', alias='private').send({'y': 1})\n"
            "nb.channel_layers.configure({})\n"
            "nb.channel_layers.set('default', layer)"
        ),
        "layer 'private' is an InMemoryChannelLayer of this kernel",
    ),
    "7-returned-but-not-awaited": (
        (
            "class Returns(AsyncWebsocketConsumer):\n"
            "    async def websocket_receive(self, message):\n"
            "        return super().websocket_receive(message)\n"
            "    async def receive(self, text_data=None, bytes_data=None):\n"
            "        await self.send(text_data='x')\n"
            "await visit(Returns, sends='hello', answers=1)"
        ),
        "Returns.websocket_receive returned a coroutine",
    ),
    "7-dropped": (
        (
            "class Drops(AsyncWebsocketConsumer):\n"
            "    async def websocket_receive(self, message):\n"
            "        super().websocket_receive(message)\n"
            "    async def receive(self, text_data=None, bytes_data=None):\n"
            "        await self.send(text_data='x')\n"
            "await visit(Drops, sends='hello')"
        ),
        "un-awaited AsyncWebsocketConsumer.websocket_receive(...): nothing was done",
    ),
}
CELLS = {
    "begin": BEGIN,
    "consume": '@nb.consume("failing.work")\n'
    "def measure(message):\n"
    "    raise ValueError(f\"cannot measure {message['n']}\")\n",
    "fail": 'nb.Channel("failing.work").send({"n": 7, "deep": {"two": [2, 3]}})',
    "listen": 'ear = nb.Group("empty").subscribe(print)',
} | {name: source for name, (source, _) in SILENT.items()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """Its own: the problems of other tests are none of these."""
    with serving(tmp_path_factory.mktemp("problems")) as server:
        server.write_notebook("problems.ipynb", CELLS)
        server.write_notebook("late.ipynb", {"a": ""})
        yield server


@pytest.fixture(scope="module")
def sidebar(browser: Browser, server: Jupyter) -> Iterator[Sidebar]:
    with visiting(browser, server) as visitor:
        notebook = visitor.open("problems.ipynb")
        found = Sidebar(notebook)
        notebook.run("begin")
        found.wait_for_chip("Channels live")
        yield found


@pytest.fixture
def closed(sidebar: Sidebar) -> Iterator[Sidebar]:
    """The sidebar is closed, and there are no problems."""
    if sidebar.element.is_visible():
        sidebar.notebook.command("application:toggle-right-area")
    sidebar.element.wait_for(state="hidden")
    sidebar.call("dismiss", all=True)
    for letter in sidebar.notebook.server.ask("GET", "nbchannels/api/dead-letters")["dead_letters"]:
        sidebar.call("discard", number=letter["number"])
    sidebar.wait_for_badge("")
    sidebar.wait_for_chip("Channels live")
    return sidebar


def diagnoses(server: Jupyter) -> list[dict[str, Any]]:
    return server.ask("GET", "nbchannels/api/diagnoses")["diagnoses"]


@pytest.mark.parametrize("mistake", SILENT)
def test_a_silent_failure_is_a_number_at_the_icon(closed: Sidebar, server: Jupyter, mistake: str):
    closed.notebook.run(mistake)
    closed.wait_for_badge()
    closed.notebook.wait("() => document.querySelector('.nbc-status-chip').dataset.tone === 'bad'")
    assert not closed.element.is_visible()
    tab = closed.page.locator(".lm-TabBar-tab.nbc-badged")
    assert tab.is_visible()
    assert "problem" in (tab.get_attribute("title") or "")
    assert any(SILENT[mistake][1] in told["sentence"] for told in diagnoses(server)), mistake


def test_who_listens_at_last_solves_it(closed: Sidebar, server: Jupyter):
    # The hint is said once for a name.
    source = "nb.Group('still.empty').send({'y': 1})"
    closed.page.evaluate(
        "source => nbtest.cell('2-nobody-listens').model.sharedModel.setSource(source)", source
    )
    closed.notebook.run("2-nobody-listens")
    closed.wait_for_badge("1")
    closed.page.evaluate(
        "source => nbtest.cell('listen').model.sharedModel.setSource(source)",
        "ear = nb.Group('still.empty').subscribe(print)",
    )
    closed.notebook.run("listen")
    closed.wait_for_badge("")
    closed.wait_for_chip("Channels live")
    assert diagnoses(server) == []


def test_a_consumer_that_fails_is_told_of_and_its_message_can_be_seen(
    closed: Sidebar, browser: Browser, server: Jupyter
):
    closed.notebook.reload()  # one notice in 30 seconds: those of other tests are forgotten
    closed.notebook.page.evaluate("async () => { await jupyterapp.restored; }")
    if closed.element.is_visible():
        closed.notebook.command("application:toggle-right-area")
    closed.wait_until_told()
    closed.notebook.run("consume", "fail")
    closed.wait_for_badge()
    toast = closed.page.locator(".Toastify__toast", has_text="cannot measure 7")
    toast.wait_for(timeout=PATIENCE)
    closed.notebook.picture("inspector-told-of-a-failure")
    # It goes by itself after a while.
    toast.locator("button", has_text="Show").click()
    row = closed.row("problems", "failing.work #")
    row.wait_for(timeout=PATIENCE)

    # Who comes late is told how it stands, and not that it has just happened.
    with visiting(browser, server) as late:
        page = Sidebar(late.open("late.ipynb"))
        page.wait_for_badge(closed.page.evaluate(BADGE))
        assert page.page.locator(".Toastify__toast").count() == 0

    asked = "() => asked.filter(one => one === 'inspect_dead').length"
    closed.page.evaluate(
        """() => {
          const client = nbtest.client();
          const original = client.call.bind(client);
          globalThis.asked = [];
          client.call = (method, args) => { asked.push(method); return original(method, args); };
        }"""
    )
    click(row)
    detail = closed.section("problems").locator(".nbc-detail")
    tree = detail.locator(".nbc-letter [role=tree]")
    tree.wait_for(timeout=PATIENCE)
    assert "deep" in tree.inner_text()
    assert "ValueError: cannot measure 7" in detail.locator(".nbc-trace").first.inner_text()
    assert closed.page.evaluate(asked) == 1
    tree.scroll_into_view_if_needed()
    closed.notebook.picture("inspector-dead-letter")

    # At its consumer it is fetched when it is opened.
    closed.open("consumers")
    closed.pick("consumers", "failing.work")
    letter = closed.section("consumers").locator(".nbc-letter")
    letter.wait_for(timeout=PATIENCE)
    assert closed.page.evaluate(asked) == 1
    letter.locator("summary").first.click()
    letter.locator("[role=tree]").wait_for(timeout=PATIENCE)
    assert closed.page.evaluate(asked) == 2
    closed.notebook.picture("inspector-consumer-dead-letter")

    # What is dismissed and discarded is no number any more.
    closed.section("consumers").locator(".nbc-action", has_text="Discard…").click()
    closed.page.locator(".jp-Dialog button", has_text="Discard").last.click()
    letter.wait_for(state="detached", timeout=PATIENCE)
    closed.open("problems")
    closed.section("problems").locator(".nbc-detail-head button").click()
    row.wait_for(state="detached", timeout=PATIENCE)
    while closed.section("problems").locator(".nbc-row:visible").count():
        first = closed.section("problems").locator(".nbc-row:visible").first
        text = first.inner_text()
        click(first)
        closed.section("problems").locator(".nbc-action", has_text="Dismiss").click()
        closed.notebook.wait(
            "text => ![...document.querySelectorAll('#nbchannels-section-problems .nbc-row')]"
            ".some(row => row.offsetHeight > 0 && row.innerText === text)",
            text,
        )
    closed.wait_for_badge("")


def test_closed_it_asks_nothing_and_hears_nothing(closed: Sidebar, server: Jupyter):
    notebook = closed.notebook
    requests: list[str] = []
    frames: list[str | bytes] = []

    def hear(socket: WebSocket) -> None:
        if "/nbchannels/" in socket.url:
            socket.on("framereceived", lambda frame: frames.append(frame))
            socket.on("framesent", lambda frame: frames.append(frame))

    notebook.page.on("request", lambda request: requests.append(request.url))
    notebook.page.on("websocket", hear)
    notebook.reload()
    notebook.page.evaluate("async () => { await jupyterapp.restored; }")
    if closed.element.is_visible():  # the layout of a moment ago
        notebook.command("application:toggle-right-area")
    closed.element.wait_for(state="hidden")
    closed.wait_until_told()
    # And it has acknowledged, which also shows that frames are heard.
    while not any(isinstance(frame, str) and '"ack"' in frame for frame in frames):
        notebook.page.wait_for_timeout(100)
    frames.clear()
    requests.clear()
    notebook.page.wait_for_timeout(10_000)  # nothing may come, however long one waits
    spoken = [frame for frame in frames if not is_heartbeat(frame)]
    assert spoken == []
    assert [url for url in requests if "/nbchannels/" in url] == []
    # And it is still there to hear.
    server.ask("POST", "nbchannels/api/groups/any", {"y": 1})
    notebook.run("begin", "consume", "fail")
    closed.wait_for_badge()
    assert [url for url in requests if "/nbchannels/" in url] == []


def is_heartbeat(frame: str | bytes) -> bool:
    return isinstance(frame, str) and json.loads(frame)["op"] == "heartbeat"
