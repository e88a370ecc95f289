"""Somebody else's project: what `nbchannels.testing` offers is used there, by public names only."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]

FILES = {
    "pyproject.toml": """
        [project]
        name = "theirs"
        version = "1"

        [tool.pytest.ini_options]
        asyncio_mode = "strict"
        asyncio_default_fixture_loop_scope = "function"
        filterwarnings = ["error"]
        pythonpath = ["."]
        """,
    "theirs.py": """
        from nbchannels.generic.http import AsyncHttpConsumer
        from nbchannels.generic.websocket import AsyncJsonWebsocketConsumer
        from nbchannels.layers import BaseChannelLayer, InMemoryChannelLayer
        from nbchannels.routing import ProtocolTypeRouter, URLRouter, path


        class CountingLayer(InMemoryChannelLayer):
            '''A layer of theirs: it counts what is sent.'''

            def __init__(self, **options):
                super().__init__(**options)
                self.count = 0

            def submit(self, kind, name, encoded, **options):
                self.count += 1
                return super().submit(kind, name, encoded, **options)


        class Room(AsyncJsonWebsocketConsumer):
            groups = ["room"]

            async def receive_json(self, content):
                await self.channel_layer.group_send("room", {"type": "room.said", "said": content})

            async def room_said(self, event):
                await self.send_json(event["said"])


        class Ingest(AsyncHttpConsumer):
            async def handle(self, body):
                await self.channel_layer.group_send(
                    "room", {"type": "room.said", "said": body.decode()}
                )
                await self.send_response(201, b"sent", headers={"X-Theirs": "yes"})


        application = ProtocolTypeRouter(
            {
                "http": URLRouter([path("ingest/", Ingest)]),
                "websocket": URLRouter([path("rooms/", Room)]),
            }
        )
        """,
    "conftest.py": """
        import pytest

        from nbchannels.layers import channel_layers
        from theirs import CountingLayer


        @pytest.fixture
        def layer():
            layer = CountingLayer(channel_capacity={"small*": 5}, channel_expiry={"short*": 0.1})
            channel_layers.set("default", layer)
            yield layer
            channel_layers.set("default", None)
        """,
    "test_application.py": """
        import pytest

        from nbchannels.testing import (
            ApplicationCommunicator,
            HttpCommunicator,
            WebsocketCommunicator,
        )
        from theirs import Ingest, Room, application

        pytestmark = pytest.mark.asyncio


        async def test_a_browser(layer):
            browser = WebsocketCommunicator(application, "/rooms/")
            assert await browser.connect() == (True, None)
            await browser.send_json_to({"hello": "world"})
            assert await browser.receive_json_from() == {"hello": "world"}
            assert await browser.receive_nothing()
            await browser.disconnect()
            assert await layer.group_channels("room") == []


        async def test_a_post_reaches_the_browser(layer):
            browser = WebsocketCommunicator(Room.as_asgi(), "/rooms/")
            await browser.connect()
            answer = await HttpCommunicator(application, "POST", "/ingest/", b"news").get_response()
            assert answer == {"status": 201, "headers": [(b"X-Theirs", b"yes")], "body": b"sent"}
            assert await browser.receive_json_from() == "news"
            await browser.disconnect()
            assert layer.count == 1


        async def test_events_by_hand(layer):
            events = ApplicationCommunicator(Ingest.as_asgi(), {"type": "http", "method": "POST"})
            await events.send_input({"type": "http.request", "body": b"ne", "more_body": True})
            assert await events.receive_nothing()
            await events.send_input({"type": "http.request", "body": b"ws"})
            assert (await events.receive_output())["status"] == 201
            assert (await events.receive_output())["body"] == b"sent"
            await events.wait()


        async def test_an_error_of_the_application_is_the_tests(layer):
            browser = WebsocketCommunicator(Room, "/rooms/")
            await browser.connect()
            await browser.send_to(text_data="no JSON")
            with pytest.raises(ValueError, match="Expecting value"):
                await browser.receive_from()
        """,
    "test_layer.py": """
        from nbchannels.testing.layers import LayerContract


        class TestTheirs(LayerContract):
            pass
        """,
}

#: What can be wrong with a layer, and the tests that must say so.
BROKEN = {
    "loses": (
        """
        async def receive(self, channel):
            message = await super().receive(channel)
            return await super().receive(channel) if message.get("n") == 7 else message
        """,
        {"test_order_is_kept", "test_direct_and_group_sends_keep_their_order"},
    ),
    "mixes_up": (
        """
        def take(self, channel, waiter, **options):
            letter = super().take(channel, waiter, **options)
            second = None if letter is None else super().take(channel, None)
            if second is None:
                return letter
            self.give_back(channel, letter)
            return second
        """,
        {"test_order_is_kept", "test_direct_and_group_sends_keep_their_order"},
    ),
    "sends_twice": (
        """
        def submit(self, kind, name, encoded, **options):
            super().submit(kind, name, encoded, **options)
            return super().submit(kind, name, encoded, **options)
        """,
        {"test_a_subscriber_gets_everything_in_order", "test_history_for_late_joiners"},
    ),
    "hides_that_it_is_full": (
        """
        async def send(self, channel, message):
            try:
                return await super().send(channel, message)
            except self.ChannelFull:
                return None
        """,
        {"test_full"},
    ),
    "knows_one_member": (
        """
        async def group_channels(self, group):
            return (await super().group_channels(group))[:1]
        """,
        {"test_group_add_and_discard_are_idempotent"},
    ),
    "takes_any_name": (
        """
        async def receive(self, channel):
            name = "".join(c for c in str(channel) if c.isascii() and c.isalnum()) or "x"
            return await super().receive(name)
        """,
        {"test_bad_names_are_refused"},
    ),
    "forgets_what_failed": (
        """
        async def settle(self, lease, outcome="done", error="", traceback=""):
            await super().settle(lease, "done")
        """,
        {"test_a_failure_is_kept_with_its_error_and_traceback"},
    ),
    "keeps_what_was_cleared": (
        """
        async def clear(self, group):
            pass
        """,
        {"test_clear_starts_a_new_epoch_and_says_so"},
    ),
}


def project(folder: Path, **more: str) -> None:
    for name, text in {**FILES, **more}.items():
        (folder / name).write_text(textwrap.dedent(text).lstrip())


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run their tests, away from this checkout's own settings."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and "PYTEST" not in k}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-ra",
            "--timeout=20",
            "-p",
            "no:cacheprovider",
            *arguments,
        ],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_their_tests_pass(tmp_path):
    project(tmp_path)
    status, out = run(tmp_path)
    assert status == 0, out
    passed = re.search(r"(\d+) passed in", out)
    assert passed, f"something was skipped:\n{out}"
    assert int(passed[1]) > 60


@pytest.fixture(scope="module")
def broken_failed(tmp_path_factory):
    """One run of all the broken layers; the tests that failed, by what is broken."""
    folder = tmp_path_factory.mktemp("broken")
    layers = "from theirs import CountingLayer\n"
    tests = (
        "import pytest\n\nimport broken\n"
        "from nbchannels.testing import lease_contract, reading\n"
        "from nbchannels.testing.layers import LayerContract\n\n"
        "lease_contract.PATIENCE = reading.PATIENCE = 0.3\n"
    )
    for how, (body, _) in BROKEN.items():
        layers += f"\n\nclass {how}(CountingLayer):\n" + textwrap.indent(
            textwrap.dedent(body), "    "
        )
        tests += textwrap.dedent(f"""

            class Test_{how}(LayerContract):
                @pytest.fixture
                def layer(self):
                    return broken.{how}(channel_capacity={{"small*": 5}})
            """)
    project(folder, **{"broken.py": layers, "test_layer.py": tests})
    status, out = run(
        folder,
        *(f"test_layer.py::Test_{how}::{t}" for how, (_, ts) in BROKEN.items() for t in ts),
    )
    assert status == 1, out
    return set(re.findall(r"^FAILED \S+::Test_(\w+)::(\w+)", out, re.MULTILINE))


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_layer_of_theirs_fails(broken_failed, how):
    assert {test for broken, test in broken_failed if broken == how} == BROKEN[how][1]


def test_a_layer_without_a_small_channel_is_told_what_was_not_tested(tmp_path):
    plain = FILES["conftest.py"].replace('channel_capacity={"small*": 5}, ', "")
    project(tmp_path, **{"conftest.py": plain})
    status, out = run(tmp_path, "test_layer.py", "-k", "full")
    assert status == 0, out
    assert "2 skipped" in out
    assert "channel 'small' has the capacity 100, not 5: channel_capacity={'small*': 5}" in out


def test_no_private_name_is_used():
    imported = re.findall(r"from (nbchannels[\w.]*) import", "".join(FILES.values()))
    assert imported
    for text in FILES.values():
        assert not re.search(r"nbchannels[\w.]*\._|import _", text)
    public = {
        "nbchannels.generic.http",
        "nbchannels.generic.websocket",
        "nbchannels.layers",
        "nbchannels.routing",
        "nbchannels.testing",
        "nbchannels.testing.layers",
    }
    assert set(imported) == public
