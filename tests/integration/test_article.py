"""The site of tests/article.py in a real Jupyter server, from whatever sends the article's line."""

import contextlib
import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.integration.doors import Browser
from tests.kernel.conftest import CONFIG, RunningServer, clients_loop
from tests.kernel.test_layer import Kernel, script

__all__ = ["clients_loop"]

pytestmark = [pytest.mark.integration, pytest.mark.slow]
PATIENCE = 15.0
ROOT = Path(__file__).parents[2]
MORE = """
c.ServerApp.jpserver_extensions = {"nbchannels": True, "tests.article": True}
c.NbChannels.asgi_application = "tests.article:%s"
"""
#: The article's line, with what stands around it.
LINE = """
from nbchannels.layers import get_channel_layer
from nbchannels import async_to_sync

channel_layer = get_channel_layer()
text = [1, 2, 3]
async_to_sync(channel_layer.group_send)(
    'index', {
        'type': 'websocket.ingest',
        'text': text
    }
)
"""


class Site(RunningServer):
    """A Jupyter server with one of the applications."""

    application = "article"

    @property
    def environment(self):
        return super().environment | {"PYTHONPATH": str(ROOT)}

    def start(self, *, wait=True):
        self.config.write_text(CONFIG + MORE % self.application)
        super().start(wait=wait)

    def post(self, path):
        """The answer to a POST with the token."""
        request = urllib.request.Request(
            self.url + path, data=b"", headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def members(self, group):
        request = urllib.request.Request(
            f"{self.url}nbchannels/api/groups/{group}",
            headers={"Authorization": f"token {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.loads(answer.read())["members"]
        except urllib.error.HTTPError as refused:  # nobody knows the group
            refused.close()
            if refused.code != 404:
                raise
            return 0


class Chat(Site):
    """The one with the tutorial's chat."""

    application = "chat"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    running = Site(tmp_path_factory.mktemp("article"))
    yield running
    running.kill()


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    running = Chat(tmp_path_factory.mktemp("chat"))
    yield running
    running.kill()


@pytest.fixture
def browse():
    """``browse(server, path)``: a page of the server, logged in, its WebSocket open."""
    with contextlib.ExitStack() as opened:

        def browse(server, path):
            address = f"ws://127.0.0.1:{server.port}/base/nbchannels/app/{path}"
            origin = f"http://127.0.0.1:{server.port}"
            cookie = {"Cookie": Browser(server).cookie}
            page = connect(address, origin=origin, additional_headers=cookie, proxy=None)
            return opened.enter_context(page)

        yield browse


def heard(socket):
    return json.loads(socket.recv(PATIENCE))


def joined(server, group, count):
    """Wait until the group has so many members: a consumer may accept before it joins."""
    deadline = time.monotonic() + PATIENCE
    while (members := server.members(group)) != count:
        assert time.monotonic() < deadline, f"{members} members, not {count}"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "path", ["nbchannels/app/ingest/", "nbchannels/app/wsgi/ingest/", "site/ingest"]
)
def test_a_post_reaches_the_page(site, browse, path):
    page = browse(site, "index/")
    joined(site, "index", 1)
    answer = site.post(path)
    text = answer["text"] if isinstance(answer, dict) else answer
    assert heard(page) == {"type": "websocket.ingest", "text": text}
    assert len(text) == 7


def test_the_line_in_a_notebooks_cell(site, browse):
    page = browse(site, "index/")
    joined(site, "index", 1)
    kernel = Kernel(site)
    try:
        assert kernel.run(LINE) == ("", "")
        assert heard(page) == {"type": "websocket.ingest", "text": [1, 2, 3]}
        # The two short ways.
        short = "import nbchannels as nb\nnb.Group('index').send({'type': 'websocket.ingest'});\n"
        awaited = "await channel_layer.group_send('index', {'type': 'websocket.ingest'});"
        assert kernel.run(short + awaited) == ("", "")
        assert [heard(page) for _ in range(2)] == [{"type": "websocket.ingest"}] * 2
    finally:
        kernel.end()


@pytest.mark.parametrize("package", ["nbchannels", "asgiref.sync"])
def test_the_line_in_a_script(site, browse, package):
    page = browse(site, "index/")
    joined(site, "index", 1)
    told = {"NBCHANNELS_URL": site.url, "NBCHANNELS_TOKEN": site.token}
    assert script(site, LINE.replace("nbchannels import", f"{package} import"), **told) == (
        0,
        "",
        "",
    )
    assert heard(page) == {"type": "websocket.ingest", "text": [1, 2, 3]}


def test_frames_of_the_page_come_through_and_it_is_removed_at_the_end(site, browse):
    page = browse(site, "index/")
    joined(site, "index", 1)
    page.send(json.dumps({"frame": 1}))
    site.post("nbchannels/app/ingest/")
    assert heard(page)["type"] == "websocket.ingest"
    page.close()
    joined(site, "index", 0)
    log = (site.folder / "log").read_text()
    assert "IndexConsumer.websocket_receive returned a coroutine that it did not await" in log
    assert "removed specific." in log
    assert "Traceback" not in log


def test_the_synchronous_consumer(rooms, browse):
    page = browse(rooms, "sync/index/")
    joined(rooms, "index", 1)
    answer = rooms.post("site/ingest")
    assert heard(page) == {"type": "websocket.ingest", **answer}
    page.send('{"frame": 1}')
    assert heard(page) == {"echo": {"frame": 1}}


@pytest.mark.parametrize("path", ["ws/chat/lobby/", "ws/async_chat/lobby/"])
def test_the_chat_of_the_tutorial(rooms, browse, path):
    pages = [browse(rooms, path) for _ in range(3)]
    elsewhere = browse(rooms, path.replace("lobby", "kitchen"))
    for n, page in enumerate(pages):
        page.send(json.dumps({"message": f"hello from {n}"}))
        for each in pages:
            assert heard(each) == {"message": f"hello from {n}"}
    elsewhere.send('{"message": "alone"}')
    assert heard(elsewhere) == {"message": "alone"}
    for page in pages:
        page.close()
    joined(rooms, "chat_lobby", 0)
    assert "Traceback" not in (rooms.folder / "log").read_text()
