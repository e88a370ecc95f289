"""The command as a process: what it prints where, and what it ends with."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import tomllib

import pytest

from nbchannels.bridge import bridge
from nbchannels.cli.main import main
from nbchannels.kernel.layer import KernelChannelLayer
from tests.cli.conftest import PATIENCE, ROOT, Run, command, environment
from tests.kernel.conftest import RunningServer

pytestmark = pytest.mark.integration


def test_ls(run: Run, layer: KernelChannelLayer):
    bridge.run(layer.group_send("listed", {"y": 1}))
    done = run("ls", "groups", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "listed" in [row["name"] for row in json.loads(done.stdout)["groups"]]
    done = run("ls")
    assert done.returncode == 0
    assert "\nlisted" in done.stdout
    assert "\x1b" not in done.stdout


def test_send_and_its_refusals(run: Run, layer: KernelChannelLayer):
    done = run("send", "sent", '{"value": 1}')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sent to group 'sent', 0 subscribers, offset 1, in memory\n")
    done = run("send", "small.command", "-", "--channel", stdin="{}\n" * 9)
    assert (done.returncode, done.stdout) == (1, "")
    assert "channel 'small.command' is full" in done.stderr
    assert done.stderr.count("\n") == 1
    done = run("send", "sent", "-", "--json", stdin='{"n": 1}\n{"n": 2}\n')
    assert json.loads(done.stdout)["sent"] == 2


def test_whoever_has_ended_is_no_client_any_more(run: Run, layer: KernelChannelLayer):
    for _ in range(3):
        run("send", "sent", "{}")
    clients = json.loads(run("ls", "clients", "--json").stdout)["clients"]
    assert [c["connected"] for c in clients if c["label"] == "nbchannels"] == [True]


def test_who_and_doctor(run: Run, layer: KernelChannelLayer):
    bridge.run(layer.subscribe("attended"), 10)
    done = run("who", "attended", "--json")
    assert [found["kind"] for found in json.loads(done.stdout)] == ["script"]
    done = run("doctor")
    assert done.returncode == 0
    assert "connected to" in done.stdout
    done = run("doctor", NBCHANNELS_URL="http://127.0.0.1:1/")
    assert done.returncode == 1
    assert "does not answer" in done.stdout


def test_tail_follows_and_ctrl_c_ends_it(server: RunningServer, layer: KernelChannelLayer):
    with subprocess.Popen(
        command("tail", "followed", "--json"), env=environment(server), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not bridge.run(layer.connection.call("inspect_layer", {}))["connections"] > 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        sent = 0
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        line = ""
        while not line:
            bridge.run(layer.group_send("followed", {"n": sent}))
            sent += 1
            assert time.monotonic() < deadline
            time.sleep(0.05)
            line = process.stdout.readline()
        assert json.loads(line)["name"] == "followed"
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complaints) == (0, "")


def test_a_count_ends_tail(server: RunningServer, layer: KernelChannelLayer):
    with subprocess.Popen(
        command("tail", "counted", "-n", "1"), env=environment(server), stdout=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None:
            bridge.run(layer.group_send("counted", {}))
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert process.returncode == 0


@pytest.mark.parametrize("arguments", [("ls",), ("top", "--once", "--interval", "0.1")])
def test_a_reader_that_has_gone_is_no_trouble(server: RunningServer, arguments: tuple[str, ...]):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        command(*arguments), env=environment(server), stdout=write, stderr=subprocess.PIPE,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_without_a_terminal_top_is_a_table(run: Run, layer: KernelChannelLayer):
    bridge.run(layer.group_send("tabled", {"y": 1}))
    done = run("top", "--interval", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\ntabled " in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "the following arguments are required: COMMAND; nbchannels --help shows"),
        (("frob",), "invalid choice: 'frob'"),
        (("ls", "goups"), "invalid choice: 'goups'"),
        (("tail", "-n", "0"), "'0' is no number above 0"),
        (("tail", "-n", "many"), "'many' is no number above 0"),
        (("top", "--interval", "0"), "'0' is not from 0.05 to 3600 seconds"),
        (("top", "--interval", "nan"), "'nan' is not from 0.05 to 3600 seconds"),
        (("send", "index", "{}", "--timeout", "soon"), "'soon' is not from 0.05 to 3600"),
        (("send", "index", "{"), "the message is no JSON"),
        (("send", "a/b", "{}"), "group name 'a/b' has '/'"),
        (("send", "a\x1b[2J", "{}"), r"group name 'a\x1b[2J' has '\x1b'"),
        (("who", "a/b"), "group name 'a/b' has '/'"),
    ],
)
def test_wrong_use(run: Run, arguments: tuple[str, ...], said: str):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("nbchannels: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_wrong_token_is_one_sentence(run: Run):
    done = run("ls", NBCHANNELS_TOKEN="wrong")
    assert done.returncode == 1
    assert "refused this script (HTTP 403)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_several_servers_are_listed(run: Run, server: RunningServer):
    # Its runtime file has been read by discovery since it runs; a second one of another port.
    (path,) = server.runtime.glob("jpserver-*.json")
    info = json.loads(path.read_text())
    done = run("ls", "clients", NBCHANNELS_URL="", NBCHANNELS_TOKEN="")
    assert done.returncode == 0  # the only one
    other = server.runtime / f"jpserver-{os.getpid()}.json"
    other.write_text(json.dumps(info | {"pid": os.getpid()}))
    try:
        done = run("ls", NBCHANNELS_URL="", NBCHANNELS_TOKEN="")
    finally:
        other.unlink()
    assert done.returncode == 1
    assert "2 running Jupyter servers have nbchannels" in done.stderr


def test_help_and_version(run: Run):
    assert "--url" in run("ls", "--help").stdout
    assert run("--version").stdout.startswith("nbchannels ")
    helped = run("--help").stdout
    assert all(name in helped for name in ("ls", "who", "tail", "send", "top", "doctor"))


def test_options_of_the_server_stand_before_and_behind_the_command(run: Run, server: RunningServer):
    named = ("--url", server.url, "--token", server.token)
    for arguments in ((*named, "ls", "clients"), ("ls", "clients", *named)):
        assert run(*arguments, NBCHANNELS_URL="", NBCHANNELS_TOKEN="").returncode == 0


def test_it_is_installed_as_a_script():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["scripts"]["nbchannels"].partition(":")
    assert getattr(importlib.import_module(module), name) is main


def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch):
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nbchannels.cli.main.reach", interrupted)
    assert main(["ls"]) == 130


def test_it_starts_fast(server: RunningServer):
    """It is typed by hand: nothing heavy is loaded for it."""
    heavy = "IPython", "ipywidgets", "jupyter_server", "numpy", "pandas"
    told = (
        "import sys, nbchannels.cli.main;"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, env=environment(server),
        check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"
