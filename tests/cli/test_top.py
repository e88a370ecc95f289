"""``top`` in a real terminal: a pseudo-terminal of its own, and tmux where it is installed."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from nbchannels.bridge import bridge
from nbchannels.cli.panels import Look
from nbchannels.cli.top import LATE, Model, top_once
from nbchannels.exceptions import LayerUnavailable, PermissionDenied
from nbchannels.kernel.layer import KernelChannelLayer
from tests.cli.conftest import Run, Written, command, environment
from tests.kernel.conftest import RunningServer

PATIENCE = 20.0
KEYS = {"left": b"\x1b[D", "down": b"\x1b[B"}


class Terminal:
    """The command in a pseudo-terminal; what it draws is kept as it comes."""

    def __init__(self, server: RunningServer, *arguments: str, rows: int = 30, **more: str) -> None:
        self.drawn = b""
        self.process, self.end = self._start(server, arguments, rows, more)

    @staticmethod
    def _start(server: RunningServer, arguments: Any, rows: int, more: Any) -> Any:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 120, 0, 0))
        process = subprocess.Popen(
            command("top", "--interval", "0.2", *arguments),
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env=environment(server, **{"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | more),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        return process, ours

    def wait_for(self, text: str) -> None:
        """Until this has been drawn."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.drawn:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.drawn[-3000:]!r}"
            self.read(0.2)

    def read(self, seconds: float) -> None:
        if select.select([self.end], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # Linux' way to say that the other end is closed
                self.drawn += os.read(self.end, 65536)

    def press(self, key: bytes) -> None:
        self.drawn = b""
        os.write(self.end, key)

    def code(self) -> int:
        """Its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self.read(0.05)
        self.read(0.05)
        return int(self.process.returncode)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self.end)


@pytest.fixture
def terminal(server: RunningServer, layer: KernelChannelLayer) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def begin(*arguments: str, **more: Any) -> Terminal:
        opened.append(Terminal(server, *arguments, **more))
        return opened[-1]

    bridge.run(layer.group_send("terminal", {"y": 1}))
    yield begin
    for one in opened:
        one.close()


@pytest.mark.integration
class TestTerminal:
    def test_it_draws_and_q_ends(self, terminal: Callable[..., Terminal]):
        seen = terminal()
        for text in ("nbchannels", "terminal", "RATE/S", "2 channels", "4 clients", "q quit"):
            seen.wait_for(text)
        seen.press(b"q")
        assert seen.code() == 0
        assert b"\x1b[?1049l" in seen.drawn  # the screen is as it was
        assert b"Traceback" not in seen.drawn

    def test_keys(self, terminal: Callable[..., Terminal]):
        seen = terminal()
        seen.wait_for("by rate/s")
        seen.press(KEYS["left"])
        seen.wait_for("group")
        seen.press(b"p")
        seen.wait_for("PAUSED")
        seen.press(b"\t")
        seen.wait_for("channels")
        seen.press(KEYS["down"])
        seen.press(b"q")
        assert seen.code() == 0

    def test_the_picture_is_live(
        self, terminal: Callable[..., Terminal], layer: KernelChannelLayer
    ):
        seen = terminal()
        seen.wait_for("q quit")
        bridge.run(layer.group_send("newcomer", {"y": 1}))
        seen.wait_for("newcomer")

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)]
    )
    def test_signals_leave_the_terminal_as_it_was(
        self, terminal: Callable[..., Terminal], number: int, code: int
    ):
        seen = terminal()
        seen.wait_for("q quit")
        seen.process.send_signal(number)
        assert seen.code() == code
        assert b"\x1b[?1049l" in seen.drawn
        assert b"Traceback" not in seen.drawn

    def test_another_size(self, terminal: Callable[..., Terminal]):
        seen = terminal()
        seen.wait_for("4 clients")
        seen.drawn = b""
        fcntl.ioctl(seen.end, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 40, 0, 0))
        seen.process.send_signal(signal.SIGWINCH)
        seen.wait_for("1 groups")
        seen.press(b"q")
        assert seen.code() == 0

    def test_no_colours_on_request(
        self, terminal: Callable[..., Terminal], layer: KernelChannelLayer
    ):
        bridge.run(layer.send("lonely", {}))
        plain = terminal(NO_COLOR="1")
        plain.wait_for("lonely")
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", plain.drawn)
        colourful = terminal()
        colourful.wait_for("lonely")
        assert re.search(rb"\x1b\[[0-9;]*33m", colourful.drawn)

    def test_a_terminal_that_cannot_be_drawn_on(self, terminal: Callable[..., Terminal]):
        seen = terminal(TERM="dumb")
        seen.wait_for("once, then")
        seen.wait_for("groups ")
        assert seen.code() == 0

    def test_no_server_is_said_before_the_screen(self, terminal: Callable[..., Terminal]):
        seen = terminal("--url", "http://127.0.0.1:1/")
        assert seen.code() == 1
        assert b"does not answer" in seen.drawn
        assert b"\x1b[?1049h" not in seen.drawn


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_in_tmux_the_numbers_are_those_of_ls(
    server: RunningServer, layer: KernelChannelLayer, run: Run, tmp_path: Path
):
    for n in range(37):
        bridge.run(layer.group_send("tmux.group", {"n": n}))
    bridge.run(layer.send("tmux.channel", {"n": 1}))
    found = json.loads(run("ls", "--json").stdout)
    (group,) = [row for row in found["groups"] if row["name"] == "tmux.group"]
    (channel,) = [row for row in found["channels"] if row["name"] == "tmux.channel"]

    def tmux(*words: str) -> str:
        told = ["tmux", "-S", str(tmp_path / "socket"), *words]
        variables = environment(server, TERM="xterm-256color", LC_ALL="C.UTF-8")
        return subprocess.run(
            told, env=variables, text=True, capture_output=True, timeout=PATIENCE, check=True
        ).stdout

    def screen_with(pattern: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            shown = tmux("capture-pane", "-p")
            if re.search(pattern, shown):
                return shown
            assert time.monotonic() < deadline, f"{pattern!r} is not in\n{shown}"
            time.sleep(0.1)

    tmux("new-session", "-d", "-x", "140", "-y", "40", " ".join(command("top")))
    try:
        shown = screen_with("tmux.group")
        (line,) = [line for line in shown.splitlines() if line.startswith("tmux.group")]
        assert line.split()[2:4] == [str(group["offset"]), str(group["messages"])]
        (line,) = [line for line in shown.splitlines() if line.startswith("tmux.channel")]
        assert line.split()[1] == str(channel["waiting"])
        tmux("send-keys", "Tab")
        screen_with(r"2 channels")
        tmux("send-keys", "p")
        screen_with(r"PAUSED")
        tmux("send-keys", "q")
        deadline = time.monotonic() + PATIENCE
        while True:  # its only window closes, and with it the session
            try:
                tmux("has-session")
            except subprocess.CalledProcessError:
                break
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.1)
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            tmux("kill-server")


def test_once(layer: KernelChannelLayer, out: Written):
    bridge.run(layer.group_send("once", {"y": 1}))
    top_once(layer, out, 0.05)
    lines = out.text.splitlines()
    assert lines[0].startswith("nbchannels  ")
    assert "messages/s" in lines[1]
    assert any(line.startswith("once ") for line in lines)


class Looker:
    """Answers when it is told to."""

    def __init__(self, model: Model) -> None:
        self.asked: list[Future[Look]] = []
        model._looker = self

    async def look(self) -> Any:
        raise NotImplementedError


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, layer: KernelChannelLayer) -> Any:
    found: Any = Model(layer, 1.0)
    found.asked = []

    def start(coroutine: Any) -> Future[Look]:
        coroutine.close()
        found.asked.append(Future())
        return found.asked[-1]

    monkeypatch.setattr("nbchannels.cli.top.bridge.start", start)
    return found


LOOK = Look(1.0, {}, {}, None)


def test_it_is_asked_once_in_an_interval(model: Any):
    assert not model.poll(100.0)
    assert not model.poll(100.1)
    model.asked[0].set_result(LOOK)
    assert model.poll(100.2)
    assert model.look is LOOK
    assert not model.poll(100.9)
    assert len(model.asked) == 1
    model.poll(101.1)
    assert len(model.asked) == 2


def test_an_answer_that_does_not_come_is_told(model: Any):
    model.poll(100.0)
    assert not model.poll(100.0 + LATE - 0.1)
    assert model.poll(100.0 + LATE)
    assert model.detail.startswith("no answer yet: ")
    assert not model.poll(100.0 + LATE + 0.1)
    model.asked[0].set_exception(LayerUnavailable("no answer within 10 s"))
    assert model.poll(110.0)
    assert model.detail == "no answer within 10 s"
    model.poll(111.0)
    model.asked[1].set_result(LOOK)
    assert model.poll(111.1)
    assert model.detail == ""


def test_a_refusal_ends_it(model: Any):
    model.poll(100.0)
    model.asked[0].set_exception(PermissionDenied("you may not"))
    with pytest.raises(PermissionDenied):
        model.poll(100.1)
