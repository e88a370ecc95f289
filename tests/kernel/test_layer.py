"""Kernels and scripts as users have them: real processes, from their start to their end."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.cursor import Anchor, Missing
from nbchannels.protocol.events import Position
from nbchannels.testing.reading import contents, drain, next_items
from tests.kernel.conftest import RunningServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]
PATIENCE = 20.0


class Kernel:
    """A kernel of the server; `run` runs a cell and returns what it printed."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.id = self.rest("POST", "api/kernels", {})["id"]
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(server.runtime / f"kernel-{self.id}.json"))
        # By its heartbeat one that is slow would be taken for dead after a second.
        self.client.start_channels(hb=False)
        self.client.wait_for_ready(PATIENCE)

    def rest(self, verb: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.server.url + path,
            method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.server.token}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def run(self, code: str) -> tuple[str, str]:
        """What the cell printed, and what it wrote to stderr or raised."""
        out: dict[str, str] = {"stdout": "", "stderr": ""}

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                out[content["name"]] += content["text"]
            elif message["msg_type"] == "error":
                out["stderr"] += f"{content['ename']}: {content['evalue']}"

        self.client.execute_interactive(code, timeout=PATIENCE, output_hook=take)
        return out["stdout"], out["stderr"]

    def end(self) -> None:
        self.client.stop_channels()
        self.rest("DELETE", f"api/kernels/{self.id}")


@pytest.fixture
def kernel(server: RunningServer, layer: KernelChannelLayer) -> Iterator[Kernel]:
    found = Kernel(server)
    yield found
    found.end()


def clients(server: RunningServer) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{server.url}nbchannels/api/clients", headers={"Authorization": f"token {server.token}"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        found = json.loads(answer.read())
    return [client for client in found["clients"] if client["connection"] is not None]


def kernels(server: RunningServer) -> list[dict[str, Any]]:
    return [client for client in clients(server) if client["kind"] == "kernel"]


def script(server: RunningServer, code: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        env=server.environment | {"PYTHONPATH": str(Path.cwd())} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


# --- A kernel ---


def test_presence_is_taken_from_the_live_connections(
    server: RunningServer, kernel: Kernel, layer: KernelChannelLayer
) -> None:
    """A kernel with its notebook, and this script; whoever ends is gone at once."""
    kernel.run(
        "import os; os.environ['JPY_SESSION_NAME'] = 'work/a.ipynb'\n"
        "import nbchannels as nb\n"
        "heard = nb.Group('attended').subscribe(print)\n"
    )
    out, error = kernel.run(
        "import asyncio, json\n"
        "nb.Group('attended').add('work')\n"
        "async with asyncio.timeout(10):\n"
        "    while len(found := await nb.Group('attended').apresence()) < 2:\n"
        "        await asyncio.sleep(0.05)\n"
        "assert found == nb.Group('attended').presence()\n"
        "print(json.dumps(found))\n"
    )
    assert error == ""
    one, member = json.loads(out)
    assert (one["kind"], one["label"], one["as"]) == ("kernel", "work/a.ipynb", "subscriber")
    assert (member["kind"], member["channel"]) == ("channel", "work")
    out, error = kernel.run("%load_ext nbchannels\n%channels who attended\n")
    assert out.split()[:2] == ["kernel", "work/a.ipynb"]
    code, _, _ = script(
        server, "import nbchannels as nb; nb.Group('attended').history()",
        NBCHANNELS_URL=server.url, NBCHANNELS_TOKEN=server.token,
    )  # fmt: skip
    assert code == 0
    assert not [client for client in clients(server) if client["label"] == "-c"]
    kernel.run("heard.close()")
    kernel.run("nb.Group('attended').discard('work')")
    out, _ = kernel.run("print(nb.Group('attended').presence())")
    assert out.strip() == "[]"


def test_a_cell_sends_and_reads_at_once(server: RunningServer, kernel: Kernel) -> None:
    out, error = kernel.run(
        "import nbchannels as nb, random, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "random.seed(0)\n"
        "receipt = nb.Group('index').send({'y': 1})\n"
        "print(receipt.offset, nb.Group('index').history()[0]['y'])\n"
        "print(await nb.Group('index').asend({'y': 2}) and len(nb.Group('index').history()))\n"
        "print(random.random() == random.Random(0).random())\n"
        "import threading; print([t.name for t in threading.enumerate()].count('nbchannels'))"
    )
    assert (out, error) == ("1 1\n2\nTrue\n1\n", "")
    (client,) = kernels(server)
    assert client["user"] == f"kernel:{kernel.id}"


def test_the_kernel_has_no_secret_in_its_environment(server: RunningServer, kernel: Kernel) -> None:
    out, _ = kernel.run("import os; print({k: v for k, v in os.environ.items() if 'NBCH' in k})")
    assert out == f"{{'NBCHANNELS_URL': '{server.url}'}}\n"


def test_loading_twice_and_reloading_makes_no_second_connection(
    server: RunningServer, kernel: Kernel
) -> None:
    out, error = kernel.run(
        "%load_ext nbchannels\n"
        "%load_ext nbchannels\n"
        "%reload_ext nbchannels\n"
        "import nbchannels as nb, threading, importlib, nbchannels.bridge\n"
        "nb.Group('index').history()\n"
        "importlib.reload(nbchannels.bridge)\n"
        "nb.Group('index').history()\n"
        "print([t.name for t in threading.enumerate()].count('nbchannels'))"
    )
    assert out.endswith("1\n")
    assert "Traceback" not in error
    assert len(kernels(server)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_in_a_kernel_leaves_its_connection_alone(
    server: RunningServer, kernel: Kernel
) -> None:
    out, error = kernel.run(
        "import nbchannels as nb, os, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "nb.Group('index').send({'n': 1})\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    code = 1\n"
        "    try:\n"
        "        code = 0 if nb.Group('index').send({'n': 2}).offset == 2 else 2\n"
        "    finally:\n"
        "        os._exit(code)\n"
        "print(os.waitpid(child, 0)[1])\n"
        "print(nb.Group('index').send({'n': 3}).offset)"
    )
    assert (out, error) == ("0\n3\n", "")


def test_a_restarted_kernel_begins_anew_and_a_dead_one_leaves_nothing(
    server: RunningServer, kernel: Kernel
) -> None:
    cell = "import nbchannels as nb, warnings; warnings.simplefilter('ignore')\n"
    listen = cell + "s = nb.Group('index').subscribe(lambda m: None); print(len(nb.Group('index')))"
    assert kernel.run(listen) == ("0\n", "")
    kernel.rest("POST", f"api/kernels/{kernel.id}/restart", {})
    kernel.client.wait_for_ready(PATIENCE)
    assert kernel.run(listen) == ("0\n", "")
    assert sum("index" in client["groups"] for client in kernels(server)) == 1
    other = Kernel(server)
    other.run(listen)
    assert len(kernels(server)) == 2
    other.end()
    deadline = time.monotonic() + PATIENCE
    while len(kernels(server)) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_the_extension_the_first_send_says_what_to_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = RunningServer(tmp_path_factory.mktemp("without"), extension=False)
    try:
        kernel = Kernel(server)
        began = time.monotonic()
        out, error = kernel.run("import nbchannels as nb; nb.Group('index').send({'y': 1})")
        assert time.monotonic() - began < 20
        assert out == ""
        assert "ServerNotFound: the Jupyter server (pid" in error
        assert f"{sys.executable} -m pip install nbchannels" in error
        assert "restart that server" in error
        kernel.end()
    finally:
        server.kill()


# --- A script ---

SEND = """
import nbchannels as nb, warnings
warnings.simplefilter("ignore")
with nb.Group("index").batch() as out:
    for n in range(2000):
        out.send({"n": n})
nb.Group("index").send({"n": 2000}, wait=False)
print(nb.Group("index").history(1)[0]["n"])
subscription = nb.Group("index").subscribe(print)
"""


def test_a_script_finds_its_server_and_ends_without_a_word(
    server: RunningServer, layer: KernelChannelLayer
) -> None:
    assert script(server, SEND) == (0, "2000\n", "")


def test_what_is_queued_at_the_end_of_a_script_arrives(
    server: RunningServer, layer: KernelChannelLayer
) -> None:
    code = (
        "import nbchannels as nb\n"
        "for n in range(500): nb.Group('index').send({'n': n}, wait=False)\n"
    )
    status, _, error = script(server, code)
    assert (status, error) == (0, "")
    read = asyncio.run(layer.group_statistics("index"))
    assert read["offset"] == 500


def test_a_script_with_two_servers_must_choose(
    server: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = RunningServer(tmp_path_factory.mktemp("other"))
    code = "import nbchannels as nb; print(nb.Group('g').send({'n': 1}).name)"
    try:
        for path in other.runtime.glob("jpserver-*.json"):
            (server.runtime / path.name).write_text(path.read_text())
        status, _, error = script(server, code)
        assert status == 1
        assert "2 running Jupyter servers have nbchannels" in error
        assert f":{server.port}/base/ (pid {server.process.pid})" in error
        assert f":{other.port}/base/ (pid {other.process.pid})" in error
        named = {"NBCHANNELS_URL": other.url, "NBCHANNELS_TOKEN": other.token}
        chosen = script(
            server, f"import warnings; warnings.simplefilter('ignore'); {code}", **named
        )
        assert chosen == (0, "g\n", "")
    finally:
        other.kill()


def test_a_script_without_a_server_is_told_so(server: RunningServer, tmp_path: Path) -> None:
    code = "import nbchannels as nb; nb.Group('index').send({'n': 1})"
    status, _, error = script(server, code, JUPYTER_RUNTIME_DIR=str(tmp_path))
    assert status == 1
    assert error.splitlines()[-1].startswith(
        "nbchannels.exceptions.ServerNotFound: no Jupyter server of this user is running"
    )


# --- Readers in one process ---


@pytest.mark.asyncio
async def test_many_cursors_share_one_subscription_and_a_slow_one_stalls_nobody(
    layer: KernelChannelLayer,
) -> None:
    fast, slow = await layer.subscribe("index"), await layer.subscribe("index")
    total = 6000
    seen: list[Any] = []
    for start in range(0, total, 500):
        for n in range(start, start + 500):
            await asyncio.to_thread(
                layer.submit, "group", "index", layer.encode({"n": n}), receipt=False
            ) if n % 100 == 0 else layer.submit(
                "group", "index", layer.encode({"n": n}), receipt=False
            )
        seen += contents(layer, await next_items(fast, 500))
    assert seen == [{"n": n} for n in range(total)]
    assert len(layer._streams["index"].items) < total / 2
    assert (await layer.group_statistics("index"))["subscribers"] == 1
    items = await drain(slow, total)
    assert not [item for item in items if isinstance(item, (Missing, Anchor))]
    assert contents(layer, items) == seen
    fast.close()
    slow.close()
    async with asyncio.timeout(PATIENCE):
        while (await layer.group_statistics("index"))["subscribers"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_now_is_after_everything_sent_before(layer: KernelChannelLayer) -> None:
    first = await layer.subscribe("index")
    for n in range(200):
        await layer.group_send("index", {"n": n})
    # A stream that lags, as one does whose window is full.
    layer._streams["index"].position = Position(first.anchor.epoch, 100, 0)
    second = await layer.subscribe("index")
    assert second.anchor.offset == 200
    await layer.group_send("index", {"n": 200})
    assert contents(layer, await next_items(second, 1)) == [{"n": 200}]
    assert len(await next_items(first, 201)) == 201


@pytest.mark.asyncio
async def test_a_process_with_too_many_subscriptions_is_told_so(
    layer: KernelChannelLayer,
) -> None:
    cursors = [await layer.subscribe(f"g{i}") for i in range(256)]
    with pytest.raises(Exception, match="256"):
        await layer.subscribe("one.more")
    cursors.pop().close()
    await layer.names()
    (await layer.subscribe("one.more")).close()
    for cursor in cursors:
        cursor.close()
