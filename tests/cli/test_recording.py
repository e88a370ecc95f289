"""``record``, ``replay`` and ``info``: against a real server, as processes where that matters."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbchannels.bridge import bridge
from nbchannels.channel import Group
from nbchannels.cli.reaching import UsageError
from nbchannels.cli.recording import Wanted, info, into, record_groups, replay_file
from nbchannels.exceptions import RecordingError
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.recording.entries import Gap
from nbchannels.recording.reader import Recording
from nbchannels.recording.writer import RecordingFile
from tests.cli.conftest import PATIENCE, Run, Written, command, environment
from tests.kernel.conftest import RunningServer
from tests.recording.conftest import entry

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run.mcap")


@pytest.fixture
def recorded(path: str) -> str:
    file = RecordingFile(path, ["run", "sensors.a"])
    for n in range(1, 4):
        file.write(entry(n, 1_000 + n / 10))
    file.write(entry(1, 1_000.35, "sensors.a"))
    file.close({"gaps": []})
    return path


class Running:
    """``nbchannels record`` in a process, which has subscribed."""

    def __init__(self, server: RunningServer, layer: KernelChannelLayer, *arguments: str) -> None:
        self.process = subprocess.Popen(
            command("record", *arguments), env=environment(server), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()

    def end(self, number: int) -> tuple[str, str]:
        self.process.send_signal(number)
        out, complaints = self.process.communicate(timeout=PATIENCE)
        return out, complaints


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_recording_with_a_summary(
    server: RunningServer, layer: KernelChannelLayer, path: str, number: int
):
    running = Running(server, layer, "run", "sensors.a", "-o", path, "--redact", "*key*")
    assert running.said == f"nbchannels: recording run, sensors.a into {path}; Ctrl-C ends it\n"
    for n in range(20):
        Group("run", channel_layer=layer).send({"n": n, "api_key": "sesame"})
    Group("sensors.a", channel_layer=layer).send({"n": 0})
    out, complaints = running.end(number)
    assert (running.process.returncode, complaints) == (0, "")
    found = Recording(path)
    assert out.startswith(f"21 messages in {path}, ")
    assert (found.groups, found.is_complete) == ({"run": 20, "sensors.a": 1}, True)
    assert b"sesame" not in Path(path).read_bytes()
    assert found.redacted == ["*key*"]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[RunningServer, KernelChannelLayer]]:
    """A server that remembers a killed client for a minute, which is nobody else's business."""
    server = RunningServer(tmp_path / "server")
    layer = KernelChannelLayer(find=server.found)
    yield server, layer
    bridge.run(layer.close(), 10)
    server.kill()


def test_a_killed_recording_is_read_to_its_last_flush(
    own: tuple[RunningServer, KernelChannelLayer], path: str
):
    server, layer = own
    running = Running(server, layer, "run", "-o", path)
    deadline = time.monotonic() + PATIENCE
    sent = 0
    while Recording(path).messages < 20:
        assert time.monotonic() < deadline
        Group("run", channel_layer=layer).send({"n": sent})
        sent += 1
    running.end(signal.SIGKILL)
    assert running.process.returncode == -signal.SIGKILL

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), env=environment(server), text=True, capture_output=True,
            timeout=PATIENCE, check=False, encoding="utf-8",
        )  # fmt: skip

    done = run("info", path)
    assert done.returncode == 0
    assert "not closed: its recorder was killed" in done.stdout
    done = run("replay", path, "--into", "again", "--speed", "max")
    assert done.returncode == 0
    assert "was not closed" in done.stderr
    again = [message["n"] for message in Group("again", channel_layer=layer).history(10_000)]
    assert again == list(range(len(again)))
    assert len(again) >= 20
    assert done.stdout == f"{len(again):,} messages sent to 'again'\n"


def test_a_duration_ends_it(layer: KernelChannelLayer, out: Written, path: str):
    group = Group("run", channel_layer=layer)
    group.send({"n": 0})
    record_groups(layer, out, Wanted(["run"], path, 0.05, history=True), json=True)
    told = json.loads(out.text)
    assert told == {
        "path": path, "groups": ["run"], "messages": 1, "bytes": os.path.getsize(path),
        "gaps": 0, "lost": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        ({}, RecordingError, "is there already"),
        ({"overwrite": True, "redact": ["a, b"]}, UsageError, "'a, b' is no key"),
        ({"path": "/no/such/folder/run.mcap"}, RecordingError, "there is no folder"),
    ],
)
def test_what_cannot_be_recorded(
    layer: KernelChannelLayer, out: Written, recorded: str, wanted: Any, error: type, said: str
):
    with pytest.raises(error, match=said):
        record_groups(layer, out, Wanted(**{"groups": ["run"], "path": recorded} | wanted))


def test_an_error_while_recording_is_the_end_of_the_command(run: Run, layer: KernelChannelLayer):
    done = run("record", "run", "-o", "/dev/full", "--overwrite")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    done = run("record", "no name", "-o", "x.mcap")
    assert done.returncode == 2
    done = run("record", "run")
    assert done.returncode == 2
    assert "-o/--output" in done.stderr


def test_replay(layer: KernelChannelLayer, out: Written, recorded: str):
    replay_file(layer, out, recorded)
    assert out.text == "4 messages sent to 'run', 'sensors.a'\n"
    assert [m["n"] for m in Group("run", channel_layer=layer).history()] == [1, 2, 3]


def test_replay_of_a_part_for_machines(layer: KernelChannelLayer, out: Written, recorded: str):
    replay_file(
        layer, out, recorded, into={"run": "again"}, speed=None, json=True, groups=["run"],
        start=0.05, stop=None,
    )  # fmt: skip
    assert json.loads(out.text) == {
        "path": recorded, "groups": {"run": "again"}, "sent": 2, "total": None, "gaps": 0,
    }  # fmt: skip


def test_replay_says_what_is_missing(layer: KernelChannelLayer, out: Written, path: str):
    file = RecordingFile(path, ["run"])
    gap = Gap("run", "trimmed", 2, 2, 3)
    file.write(entry(1))
    file.gap(gap)
    file.close({"gaps": [gap.to_json()]})
    replay_file(layer, out, path)
    assert "2 messages are missing (offset 2 to 3)" in out.complaints
    assert out.text == "1 message sent to 'run'\n"


def test_ctrl_c_ends_a_replay_with_130(server: RunningServer, layer: KernelChannelLayer, path: str):
    file = RecordingFile(path, ["run"])
    for n in (1, 2, 10_000):
        file.write(entry(n))
    file.close({"gaps": []})
    with Group("run", channel_layer=layer).listen(timeout=PATIENCE) as heard:
        process = subprocess.Popen(
            command("replay", path, "--json"), env=environment(server), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert [next(heard)["n"], next(heard)["n"]] == [1, 2]
        process.send_signal(signal.SIGINT)
        told, complaints = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complaints) == (130, "")
    assert (json.loads(told)["sent"], json.loads(told)["total"]) == (2, 3)


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], None), (["a"], "a"), (["a=b"], {"a": "b"}), (["a=b", "/c=d"], {"a": "b", "/c": "d"})],
)
def test_where_to(words: list[str], expected: Any):
    assert into(words) == expected


def test_where_to_is_one_name_or_pairs():
    with pytest.raises(UsageError, match="--into is one NAME for all"):
        into(["a", "b=c"])


def test_info(out: Written, recorded: str):
    info(out, recorded)
    first, times, *groups = out.text.splitlines()
    assert first == f"{recorded}  {os.path.getsize(recorded) / 1024:.1f} KiB  4 messages"
    assert times.startswith("from 1970-01-01 ")
    assert times.endswith(", 0.2 s")
    assert [line.split() for line in groups] == [["run", "3"], ["sensors.a", "1"]]


def test_info_for_machines_asks_no_server(recorded: str, run: Run):
    done = run("info", recorded, "--json", NBCHANNELS_URL="http://127.0.0.1:1/")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["messages"], told["groups"], told["complete"], told["gaps"]) == (
        4, {"run": 3, "sensors.a": 1}, True, [],
    )  # fmt: skip


def test_names_in_a_file_control_no_terminal(out: Written, path: str):
    file = RecordingFile(path, ["run"], redacted=("\x1b[2J",))
    file.write(entry(1, group="\x1b[31mred"))
    file.close({"gaps": []})
    info(out, path)
    assert "\x1b" not in out.text
    assert r"\x1b[31mred" in out.text


def test_what_is_no_recording(run: Run, tmp_path: Path):
    (tmp_path / "x.mcap").write_text("something else, of some length")
    for arguments in (("info", str(tmp_path / "x.mcap")), ("replay", str(tmp_path / "x.mcap"))):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "is no MCAP file" in done.stderr
    done = run("info", "/no/such.mcap")
    assert "there is no file '/no/such.mcap'" in done.stderr
    for option in (("--speed", "0"), ("--speed", "fast"), ("--start", "-1")):
        assert run("replay", "x.mcap", *option).returncode == 2


def test_a_gap_is_told_while_it_records(
    layer: KernelChannelLayer, out: Written, path: str, monkeypatch: pytest.MonkeyPatch
):
    from nbchannels.recording import recorder as module  # noqa: PLC0415

    class Told(module.Recorder):
        gaps = [Gap("run", "trimmed", 3, 1, 3)]

    monkeypatch.setattr(module, "Recorder", Told)
    record_groups(layer, out, Wanted(["run"], path, 0.01))
    assert out.complaints.count("3 messages are missing (offset 1 to 3)") == 1
    assert out.text.rstrip().endswith("1 gap of 3 messages")
