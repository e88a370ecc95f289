"""The Jupyter servers of this user, from their runtime files; and one look at each."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nbchannels.kernel.servers import (
    Server,
    clean_url,
    not_loaded,
    probe,
    running_server,
    running_servers,
)
from tests.kernel.conftest import free_port

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a runtime file as a Jupyter server does."""
    folder = tmp_path / "runtime"
    folder.mkdir()

    def write_file(pid: int = os.getpid(), **info: Any) -> None:
        told = {"pid": pid, "url": "http://localhost:8888/", "hostname": "localhost", "port": 8888,
                "base_url": "/", "secure": False, "sock": "", "token": "t"}  # fmt: skip
        (folder / f"jpserver-{pid}.json").write_text(json.dumps(told | info))

    return write_file


@pytest.fixture
def answering() -> Iterator[Callable[[int], str]]:
    """Servers that answer everything with one status; they note the Authorization headers."""
    running = []

    def serve(status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = status
                if status == 200 and self.headers.get("Authorization") == "token wrong":
                    found = 403
                if self.path != "/base/nbchannels/api/status":
                    found = 500
                self.send_response(found)
                self.send_header("Location", "/login")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_port}/base/"

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


def test_a_running_server_is_found_by_its_process(write: Write) -> None:
    write(url="http://localhost:8899/base/")
    me = Server("http://localhost:8899/base/", "t", os.getpid())
    assert running_server(str(os.getpid())) == me
    assert running_servers() == [me]


@pytest.mark.parametrize("pid", [None, "", "x", "-5", "99999999"])
def test_whoever_wrote_no_file_is_no_server(write: Write, pid: str | None) -> None:
    assert running_server(pid) is None


def test_a_server_that_is_gone_is_not_found(write: Write) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    write(pid=done.pid)
    assert running_servers() == []


def test_a_damaged_file_is_no_server(write: Write, tmp_path: Path) -> None:
    (tmp_path / "runtime" / f"jpserver-{os.getpid()}.json").write_text("{")
    assert running_servers() == []


@pytest.mark.parametrize(
    ("info", "url"),
    [
        ({"hostname": "0.0.0.0", "url": "http://myhost:8888/x/", "base_url": "/x/"},
         "http://127.0.0.1:8888/x/"),
        ({"hostname": "", "url": "http://myhost:8888/"}, "http://127.0.0.1:8888/"),
        ({"hostname": "::", "url": "http://myhost:8888/"}, "http://127.0.0.1:8888/"),
        ({"hostname": "10.1.2.3", "url": "https://10.1.2.3:8888/", "secure": True},
         "https://10.1.2.3:8888/"),
        ({"hostname": "0.0.0.0", "secure": True}, "https://127.0.0.1:8888/"),
        ({"sock": "/run/x.sock", "url": "http+unix://%2Frun%2Fx.sock/"}, ""),
    ],
)  # fmt: skip
def test_addresses_that_can_be_connected_to(write: Write, info: Any, url: str) -> None:
    write(**info)
    (server,) = running_servers()
    assert server.url == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8888", ("http://127.0.0.1:8888/", None)),
        ("http://127.0.0.1:8888/base", ("http://127.0.0.1:8888/base/", None)),
        ("http://0.0.0.0:8888/lab?token=abc", ("http://127.0.0.1:8888/", "abc")),
        ("http://h/user/ada/lab/tree/x.ipynb", ("http://h/user/ada/", None)),
        ("127.0.0.1:8888/tree", ("http://127.0.0.1:8888/", None)),
        ("https://[::1]:8888/", ("https://[::1]:8888/", None)),
        ("https://hub.example.org/a%40b/", ("https://hub.example.org/a%40b/", None)),
    ],
)
def test_addresses_as_people_paste_them(url: str, expected: tuple[str, str | None]) -> None:
    assert clean_url(url) == expected


@pytest.mark.parametrize(
    ("status", "expected"), [(200, 200), (401, 401), (403, 403), (404, 404), (302, 403), (500, 500)]
)
def test_a_probe_tells_the_status(
    answering: Callable[[int], str], status: int, expected: int
) -> None:
    assert probe(answering(status), "token") == expected


def test_a_probe_shows_its_token(answering: Callable[[int], str]) -> None:
    url = answering(200)
    assert probe(url) == 200
    assert probe(url, "wrong") == 403


def test_a_probe_of_nobody_is_none() -> None:
    assert probe(f"http://127.0.0.1:{free_port()}/") is None
    assert probe("http://name.invalid/") is None


def test_a_probe_goes_past_proxies(
    answering: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert probe(answering(200)) == 200


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc here")
def test_the_sentence_names_the_python_of_the_server() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        sentence = not_loaded("http://127.0.0.1:8888/", process.pid)
    finally:
        process.communicate(b"\n")
    assert sentence == (
        f"the Jupyter server (pid {process.pid}, http://127.0.0.1:8888/) has not loaded "
        "nbchannels. In the environment of the server run: "
        f"{sys.executable} -m pip install nbchannels && "
        f"{sys.executable} -m jupyter server extension enable nbchannels; "
        "then restart that server"
    )


def test_the_sentence_without_a_process_says_python() -> None:
    assert "run: python -m pip install nbchannels" in not_loaded("http://127.0.0.1/", None)
    assert "run: python -m pip install nbchannels" in not_loaded("http://127.0.0.1/", 99999999)
