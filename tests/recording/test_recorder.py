"""Recording: the round trip, the end, and what may go wrong."""

import asyncio
import datetime
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbchannels.bridge import bridge
from nbchannels.channel import Group
from nbchannels.diagnoses import recent
from nbchannels.encoding import Encoded, encode
from nbchannels.exceptions import (
    InvalidName,
    LayerUnavailable,
    PermissionDenied,
    RecordingError,
    WouldDeadlock,
)
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.recording.entries import Entry
from nbchannels.recording.reader import Recording
from nbchannels.recording.recorder import Recorder, arecord, record
from nbchannels.recording.replaying import replay
from tests.recording.conftest import submit

PATIENCE = 30.0

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(),
        st.binary(), st.dates(), st.datetimes(timezones=st.just(datetime.UTC)),
        st.lists(st.floats(width=32), max_size=5).map(lambda numbers: np.array(numbers, "f4")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip
bodies = st.one_of(
    st.dictionaries(st.text(max_size=5), values, max_size=4).map(encode),
    st.builds(Encoded, st.just(0), st.binary(max_size=200)),  # raw
    st.builds(Encoded, st.integers(1, 3), st.binary(max_size=50)),  # and what nobody can read
)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(["run", "other"]), bodies), max_size=25))
def test_what_was_sent_comes_back_byte_for_byte_in_order(tmp_path: Path, sent: Any):
    layer, again = InMemoryChannelLayer(), InMemoryChannelLayer()
    path = tmp_path / "run.mcap"
    with record(path, ["run", "other"], channel_layer=layer, overwrite=True) as recorder:
        for group, encoded in sent:
            submit(layer, encoded, group)
    assert (recorder.messages, recorder.gaps) == (len(sent), [])
    replay(path, speed=None, channel_layer=again).wait(PATIENCE)
    for group in ("run", "other"):
        pages = [bridge.run(of.read(group, "earliest", 100)) for of in (layer, again)]
        first, second = [
            [(r.sequence, r.codec, bytes(r.body)) for r in page.records] for page in pages
        ]
        assert (
            first
            == second
            == [
                (number, *encoded)
                for number, encoded in enumerate([e for name, e in sent if name == group], 1)
            ]
        )
        recorded = [e for e in Recording(path).entries() if e.group == group]
        assert [
            (e.epoch, e.offset, e.tag, e.time / 10**9, e.sender)
            for e in recorded
            if isinstance(e, Entry)
        ] == [
            (pages[0].anchor.epoch, r.sequence, r.tag, r.time, r.sender) for r in pages[0].records
        ]


def test_a_group_records_itself(run: Group, path: str):
    with run.record(path) as recorder:
        assert recorder.is_recording
        assert repr(recorder).startswith(f"<recording group 'run' into {path}: 0 messages, ")
        run.send({"n": 1})
        run.send({"n": 2})
    assert not recorder.is_recording
    assert (recorder.path, recorder.groups, recorder.messages) == (path, ["run"], 2)
    assert recorder.bytes == os.path.getsize(path)
    assert repr(recorder) == (
        f"<recorded group 'run' into {path}: 2 messages, {recorder.bytes:,} bytes>"
    )
    assert [message.content for message in Recording(path)] == [{"n": 1}, {"n": 2}]
    assert recorder.stop() is recorder  # idempotent


def test_what_was_sent_before_is_recorded_on_request(run: Group, path: str, tmp_path: Path):
    for n in range(5):
        run.send({"n": n})
    for history, expected in ((False, []), (0, []), (2, [3, 4]), (True, [0, 1, 2, 3, 4])):
        with run.record(path, history=history, overwrite=True):
            pass
        assert [message["n"] for message in Recording(path)] == expected
    with pytest.raises(ValueError, match="history is an int: -1; it takes True"):
        run.record(tmp_path / "other.mcap", history=-1)
    assert not (tmp_path / "other.mcap").exists()


def test_what_is_hidden_is_told(run: Group, path: str):
    with run.record(path, redact=["*password*"]) as recorder:
        run.send({"my_password": "sesame", "n": 1})
        assert "hidden: *password*" in repr(recorder)
    found = Recording(path)
    assert found.redacted == ["*password*"]
    assert "hidden: *password*" in repr(found)
    assert [message.content for message in found] == [{"my_password": "•••", "n": 1}]


def test_what_cannot_begin_leaves_nothing_behind(
    run: Group, layer: InMemoryChannelLayer, path: str
):
    Path(path).write_bytes(b"there")
    with pytest.raises(RecordingError, match="is not overwritten"):
        run.record(path)
    with pytest.raises(ValueError, match="is no key"):
        run.record(path, redact=["a, b"], overwrite=True)
    with pytest.raises(InvalidName):
        record(path, ["no name"], overwrite=True, channel_layer=layer)
    with pytest.raises(ValueError, match="no group is named"):
        record(path, [], overwrite=True, channel_layer=layer)
    assert Path(path).read_bytes() == b"there"
    assert bridge.run(layer.group_statistics("run"))["subscribers"] == 0


def test_the_end_gives_the_subscription_back(run: Group, layer: InMemoryChannelLayer, path: str):
    with run.record(path):
        assert bridge.run(layer.group_statistics("run"))["subscribers"] == 1
    assert bridge.run(layer.group_statistics("run"))["subscribers"] == 0


def test_the_async_twins(run: Group, layer: InMemoryChannelLayer, path: str):
    async def story() -> Recorder:
        async with await run.arecord(path) as recorder:
            await run.asend({"n": 1})
        other = await arecord(path, "run", channel_layer=layer, history=True, overwrite=True)
        assert await other.astop() is other
        return recorder

    recorder = asyncio.run(story())
    assert recorder.messages == 1
    assert Recording(path).messages == 1


def test_on_the_connections_own_thread_it_says_what_to_do(run: Group, path: str):
    recorder = run.record(path)

    async def stop() -> None:
        recorder.stop()

    with pytest.raises(WouldDeadlock):
        bridge.run(stop())
    run.send({"n": 1})
    assert recorder.is_recording
    assert recorder.stop().messages == 1


def test_it_goes_on_when_nobody_holds_the_handle(run: Group, path: str):
    run.record(path)
    gc.collect()
    run.send({"n": 1})
    deadline = time.monotonic() + PATIENCE
    while not Recording(path).messages:  # with the next flush
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (thread,) = [t for t in threading.enumerate() if t.name.startswith("nbchannels recording")]
    recorder = thread._target.__self__  # type: ignore[attr-defined]
    recorder.stop()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_disk_that_is_full_from_the_beginning(run: Group):
    with pytest.raises(RecordingError, match="/dev/full cannot be written: No space left"):
        run.record("/dev/full", overwrite=True)


def _fails(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on its disk is full."""

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recorder._file._out, "flush", full)


def test_an_error_while_recording_is_told_and_raised_at_the_end(
    run: Group, path: str, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(RecordingError, match=r"of 'run' has ended: .*No space left") as caught:  # noqa: PT012
        with run.record(path) as recorder:
            _fails(recorder, monkeypatch)
            run.send({"n": 1})
    assert recorder.error is caught.value
    assert "make room" in str(caught.value)
    (told,) = recent()
    assert (told.kind, told.sentence) == ("recording", str(caught.value))
    assert "No space left" in told.detail
    assert repr(recorder).startswith("<ended early: group 'run'")
    assert recorder.stop() is recorder  # it was raised once
    found = Recording(path)  # its beginning can be read
    assert (found.messages, found.is_complete) == (0, False)


def test_an_error_in_the_block_is_the_one_that_is_raised(
    run: Group, path: str, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(KeyError):  # noqa: PT012
        with run.record(path) as recorder:
            _fails(recorder, monkeypatch)
            run.send({"n": 1})
            raise KeyError
    assert not recorder.is_recording
    assert recorder.error is not None


def test_a_subscription_that_ends_is_told(
    run: Group, layer: InMemoryChannelLayer, path: str, monkeypatch: pytest.MonkeyPatch
):
    recorder = run.record(path)
    run.send({"n": 1})

    def refused(limit: int = 256) -> list[Any]:
        raise PermissionDenied("not yours any more")

    deadline = time.monotonic() + PATIENCE
    while not recorder.messages:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    monkeypatch.setattr(recorder._intake.sources[0].cursor, "take", refused)
    run.send({"n": 2})
    bridge.wait(recorder._done, PATIENCE)
    with pytest.raises(PermissionDenied, match="not yours any more"):
        recorder.stop()
    found = Recording(path)
    assert (found.messages, found.is_complete, found.gaps[0].reason) == (1, True, "ended")


def test_an_end_that_the_server_does_not_tell_is_a_gap(
    run: Group, layer: InMemoryChannelLayer, path: str, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: Any) -> None:
        raise LayerUnavailable("the server is away")

    recorder = run.record(path)
    run.send({"n": 1})
    monkeypatch.setattr(layer, "read", away)
    recorder.stop()
    assert [gap.reason for gap in recorder.gaps] == ["unasked"]
    assert "the server is away" in str(Recording(path).gaps[0])


def test_an_interrupt_while_it_ends_ends_it(
    run: Group, layer: InMemoryChannelLayer, path: str, monkeypatch: pytest.MonkeyPatch
):
    async def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    recorder = run.record(path)
    monkeypatch.setattr(Recorder, "_find_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recorder.stop()
    bridge.wait(recorder._done, PATIENCE)
    assert Recording(path).is_complete


SCRIPT = """
import sys, time, nbchannels as nb
from nbchannels.layers.memory import InMemoryChannelLayer
run = nb.Group("run", channel_layer=InMemoryChannelLayer())
recorder = run.record(sys.argv[1])
n = 0
while n < int(sys.argv[2]):
    run.send({"n": n, "text": "x" * 2000})
    n += 1
    while n - recorder.messages > 1000:  # what it does not keep up with would be a gap
        time.sleep(0.001)
    if n % 500 == 0:
        print(n, flush=True)
"""


def _script(path: str, most: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, path, str(most)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_what_was_flushed_survives_kill_9(path: str, layer: InMemoryChannelLayer):
    with _script(path, 10**9) as process:
        assert process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while not (os.path.exists(path) and _readable(path) >= 2_000):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            process.stdout.readline()
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    found = Recording(path)
    assert not found.is_complete
    numbers = [message["n"] for message in found]
    assert numbers == list(range(found.messages))
    assert found.messages >= 2_000
    with pytest.warns(UserWarning, match="was not closed: its recorder was killed, or still rec"):
        handle = replay(path, speed=None, channel_layer=layer)
    assert handle.wait(PATIENCE).sent == found.messages
    page = bridge.run(layer.read("run", "earliest", 1))
    assert page.anchor.top == found.messages


def _readable(path: str) -> int:
    try:
        return Recording(path).messages
    except RecordingError:  # the header is not there yet
        return 0


def test_a_process_that_ends_closes_its_recording(path: str):
    with _script(path, 100) as process:
        _, complaints = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complaints) == (0, "")
    found = Recording(path)
    assert (found.is_complete, found.gaps) == (True, [])
    assert [message["n"] for message in found] == list(range(100))


FORK = """
import os, sys, warnings, nbchannels as nb
from nbchannels.layers.memory import InMemoryChannelLayer
warnings.simplefilter("ignore")
run = nb.Group("run", channel_layer=InMemoryChannelLayer())
with run.record(sys.argv[1]) as recorder:
    run.send({"n": 1})
    child = os.fork()
    if not child:
        print(recorder.is_recording, recorder.stop() is recorder, repr(recorder)[:32], flush=True)
        sys.exit()
    os.waitpid(child, 0)
    run.send({"n": 2})
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_leaves_the_recording_with_its_parent(path: str):
    done = subprocess.run(
        [sys.executable, "-c", FORK, path], text=True, capture_output=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "False True <recorded by the parent process:\n"
    found = Recording(path)
    assert ([message["n"] for message in found], found.is_complete) == ([1, 2], True)
