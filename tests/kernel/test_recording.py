"""Recording and replay over a connection, which is lost in between."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nbchannels.bridge import bridge
from nbchannels.channel import Group
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.recording.reader import Recording
from nbchannels.recording.replaying import replay
from tests.kernel.conftest import Cable, RunningServer

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens"),
]
PATIENCE = 30.0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a thread makes it true
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_it_goes_on_after_a_reconnect_where_it_stopped(
    layer: KernelChannelLayer, far: KernelChannelLayer, cable: Cable, tmp_path: Path
):
    path = tmp_path / "run.mcap"
    async with await Group("recorded", channel_layer=far).arecord(path) as recorder:
        near = Group("recorded", channel_layer=layer)
        for n in range(50):
            await near.asend({"n": n})
        await until(lambda: recorder.messages == 50)
        cable.cut()
        for n in range(50, 400):  # more than one page of the log
            await near.asend({"n": n})
        assert recorder.messages == 50
        cable.mend()
        await until(lambda: recorder.messages == 400)
    assert recorder.gaps == []
    found = Recording(path)
    assert [message["n"] for message in found] == list(range(400))
    assert [message.offset for message in found] == list(range(1, 401))
    page = await layer.read("recorded", "earliest", 1)
    first = next(found.entries())
    assert (first.epoch, first.tag, first.time / 10**9) == (  # type: ignore[union-attr]
        page.anchor.epoch, page.records[0].tag, page.records[0].time,
    )  # fmt: skip


@pytest.mark.asyncio
async def test_what_the_server_no_longer_keeps_is_a_gap(
    server: RunningServer, far: KernelChannelLayer, layer: KernelChannelLayer, cable: Cable,
    tmp_path: Path,
):  # fmt: skip
    path = tmp_path / "run.mcap"
    async with await Group("trimmed", channel_layer=far).arecord(path) as recorder:
        near = Group("trimmed", channel_layer=layer)
        await near.asend({"n": 0})
        await until(lambda: recorder.messages == 1)
        cable.cut()
        async with near.batch(PATIENCE) as out:
            for n in range(1, 10_201):  # it keeps 10,000
                await layer._has_room(layer.encode({"n": n}))
                out.send({"n": n})
        cable.mend()
        await until(lambda: recorder.messages + sum(g.lost or 0 for g in recorder.gaps) == 10_201)
    found = Recording(path)
    (gap,) = found.gaps
    assert (gap.reason, gap.first, gap.lost) == ("trimmed", 2, 200)
    numbers = [message["n"] for message in found]
    assert numbers == [0, *range(201, 10_201)]
    assert repr(recorder).count("1 gap of 200 messages") == 1


@pytest.mark.asyncio
async def test_an_end_without_a_connection_is_told(
    layer: KernelChannelLayer, far: KernelChannelLayer, cable: Cable, tmp_path: Path
):
    recorder = await Group("away", channel_layer=far).arecord(tmp_path / "run.mcap")
    await Group("away", channel_layer=layer).asend({"n": 1})
    await until(lambda: recorder.messages == 1)
    cable.cut()
    await recorder.astop(timeout=0.2)
    (gap,) = Recording(tmp_path / "run.mcap").gaps
    assert gap.reason == "unasked"


SCRIPT = """
import sys, nbchannels as nb
nb.Group("exits").record(sys.argv[1])
for n in range(20):
    nb.Group("exits").send({"n": n})
"""


def test_a_script_that_ends_has_recorded_what_it_sent(server: RunningServer, tmp_path: Path):
    path = str(tmp_path / "run.mcap")
    named = {"NBCHANNELS_URL": server.url, "NBCHANNELS_TOKEN": server.token}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, path], text=True, capture_output=True,
        env=server.environment | named | {"PYTHONPATH": str(Path.cwd())}, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = Recording(path)
    assert (found.is_complete, found.gaps) == (True, [])
    assert [message["n"] for message in found] == list(range(20))


def test_a_replay_reaches_the_server_and_waits_for_it(server: RunningServer, tmp_path: Path):
    layer = KernelChannelLayer(find=server.found)
    try:
        sent, again = Group("first", channel_layer=layer), Group("again", channel_layer=layer)
        with sent.record(tmp_path / "run.mcap") as recorder, sent.batch() as out:
            for n in range(3_000):  # more than wait for their acknowledgement
                out.send({"n": n})
        assert recorder.messages == 3_000
        handle = replay(tmp_path / "run.mcap", again, speed=None, channel_layer=layer)
        assert handle.wait(PATIENCE).receipts["again"].offset == 1
        assert [message["n"] for message in again.history(3_000)] == list(range(3_000))
        assert time.time() >= again.history(1)[0].time > recorder._since
    finally:
        bridge.run(layer.close())
