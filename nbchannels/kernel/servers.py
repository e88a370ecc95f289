"""The Jupyter servers of this user: their addresses, whether they have the extension, their Python.

Read from the runtime files that every Jupyter server writes. Jupyter's own reader of them would
import the whole server into every kernel, which takes longer than a first send may.
"""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_core.paths import jupyter_runtime_dir

from nbchannels.kernel.credentials import tls_options

__all__ = ["Server", "clean_url", "not_loaded", "probe", "running_server", "running_servers"]

#: Seconds for one look at a server.
PATIENCE = 2.0
# Hosts that a server listens on and nobody connects to.
_WILDCARDS = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
# Where the page's own part of an address begins, as people paste it from the browser.
_PAGES = ("lab", "tree", "notebooks", "doc", "edit", "consoles", "nbchannels")


class Server(NamedTuple):
    """A running Jupyter server.

    Attributes:
        url: with its base URL and a slash at the end; empty if it listens on a Unix socket.
        token: that it takes.
        pid: of its process.
    """

    url: str
    token: str
    pid: int


def running_server(pid: str | None) -> Server | None:
    """The Jupyter server with this process id, if it is one that is running."""
    try:
        number = int(pid or "")
        path = Path(jupyter_runtime_dir()) / f"jpserver-{number}.json"
        return _server(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def running_servers() -> list[Server]:
    """All running Jupyter servers of this user."""
    found = []
    for path in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        server = running_server(path.stem.removeprefix("jpserver-"))
        if server is not None:
            found.append(server)
    return found


def _server(info: dict[str, Any]) -> Server | None:
    pid = int(info["pid"])
    if not _is_running(pid):
        return None
    token = str(info.get("token") or "")
    if info.get("sock"):
        return Server("", token, pid)
    host = str(info.get("hostname", ""))
    if host not in _WILDCARDS:
        return Server(clean_url(str(info["url"]))[0], token, pid)
    scheme = "https" if info.get("secure") else "http"
    base = str(info.get("base_url") or "/")
    return Server(clean_url(f"{scheme}://0.0.0.0:{int(info['port'])}{base}")[0], token, pid)


def _is_running(pid: int) -> bool:
    if os.name == "nt":
        return True  # signal 0 would end it there; whoever is gone does not answer the probe
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def clean_url(url: str) -> tuple[str, str | None]:
    """The base URL of a server, as code and people write it, and the token that may be in it.

    ``http://0.0.0.0:8888/lab?token=abc`` → ``http://127.0.0.1:8888/`` and ``abc``.
    """
    parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
    token = urllib.parse.parse_qs(parts.query).get("token", [None])[0]
    kept: list[str] = []
    for name in parts.path.split("/"):
        if name in _PAGES:
            break
        if name:
            kept.append(name)
    host = parts.hostname or ""
    host = _WILDCARDS.get(host, host)
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    path = "/".join(["", *kept, ""])
    return f"{parts.scheme}://{host}{port}{path}", token


def probe(url: str, token: str | None = None) -> int | None:
    """The HTTP status of the extension's status page; ``None``: no answer.

    200: it is there and lets us in. 401, 403: it is there. 404: it is not.
    """
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(f"{url}nbchannels/api/status", headers=headers)
    # No proxy: the server is this user's own.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=tls_options(url).get("ssl_options")),
        _NoRedirect(),
    )
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        # A page that needs a login, and so is there.
        return 403 if error.code in (301, 302, 303, 307) else int(error.code)
    except (OSError, ValueError):
        return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """A redirection is an answer."""


def not_loaded(url: str, pid: int | None) -> str:
    """The sentence about a server without the extension: what to run, and where."""
    python = _python_of(pid)
    process = f"pid {pid}, " if pid else ""
    return (
        f"the Jupyter server ({process}{url}) has not loaded nbchannels. "
        f"In the environment of the server run: {python} -m pip install nbchannels && "
        f"{python} -m jupyter server extension enable nbchannels; then restart that server"
    )


def _python_of(pid: int | None) -> str:
    """The interpreter of a process, where the system tells it; else ``python``."""
    if pid is None:
        return "python"
    process = Path(f"/proc/{pid}")
    try:
        words = process.joinpath("cmdline").read_bytes().split(b"\0")
    except OSError:
        return "python"
    names = [Path(os.fsdecode(word)) for word in words[:2]]
    # As it was called, which is inside its environment; or beside the command that was called.
    for name in names:
        candidate = name if name.name.startswith("python") else name.parent / "python"
        if name.is_absolute() and candidate.exists():
            return str(candidate)
    try:
        return os.readlink(process / "exe")
    except OSError:
        return "python"
