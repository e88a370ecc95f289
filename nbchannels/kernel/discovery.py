"""Which server this process belongs to, and how it shows who it is.

In order: what `connect` was told; ``NBCHANNELS_URL`` with ``NBCHANNELS_TOKEN``; in a kernel the
server that started it (it proves itself with the kernel's connection key, so the address is no
secret); in a script the only running server of this user that has the extension.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.serverapp import list_running_servers

from nbchannels.exceptions import ServerNotFound
from nbchannels.protocol.client import KernelIdentity

__all__ = ["Found", "connect_to", "find_server", "kernel_identity"]

#: Seconds for one look at a server.
PATIENCE = 2.0

_explicit: dict[str, str | None] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """A server with the extension, and our credentials for it.

    Attributes:
        url: of the server, with its base URL and a slash at the end.
        token: for the ``Authorization`` header; ``None`` in a kernel.
        kernel: who this kernel is; ``None`` in a script.
        label: what this process calls itself.
        tls: options of tornado's client for https.
    """

    url: str
    token: str | None = None
    kernel: KernelIdentity | None = None
    label: str | None = None
    tls: Mapping[str, Any] = field(default_factory=dict)

    @property
    def socket_url(self) -> str:
        """Of the WebSocket."""
        path = "nbchannels/kernel" if self.kernel else "nbchannels/ws"
        return f"ws{self.url.removeprefix('http')}{path}"

    @property
    def what(self) -> str:
        """What this process is, in a sentence."""
        return "kernel" if self.kernel else "script"

    @property
    def remedy(self) -> str:
        """What to do when it is refused."""
        if self.kernel:
            return "restart the kernel; if that does not help, restart the Jupyter server"
        return "give a valid token: set NBCHANNELS_TOKEN, or %channels connect URL TOKEN"


def connect_to(url: str | None, token: str | None = None) -> None:
    """Say which server it shall be; ``None`` goes back to finding it."""
    _explicit.clear()
    if url is not None:
        _explicit.update(url=url, token=token)


def find_server() -> Found:
    """The server of this process.

    Raises:
        ServerNotFound: there is none; the sentence says what to run, and where.
    """
    label = _label()
    url = _explicit.get("url") or os.environ.get("NBCHANNELS_URL")
    token = _explicit.get("token") or os.environ.get("NBCHANNELS_TOKEN")
    identity = kernel_identity()
    if url and (token or identity is None or _explicit.get("url")):
        url = _slash(url)
        _require_extension(url, token, "NBCHANNELS_URL")
        return Found(url, token, None, label, _tls(url))
    if identity is not None:
        return _of_kernel(url, identity, label)
    return _of_script(label)


def kernel_identity() -> KernelIdentity | None:
    """Who this kernel is, if this process is one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return None
    key = getattr(getattr(kernel, "session", None), "key", b"")
    app = sys.modules.get("ipykernel.kernelapp")
    path = ""
    if app is not None and app.IPKernelApp.initialized():
        path = str(app.IPKernelApp.instance().abs_connection_file)
    name = Path(path).stem
    if not key or not name.startswith("kernel-"):
        return None
    return KernelIdentity(name.removeprefix("kernel-"), bytes(key))


def _of_kernel(url: str | None, identity: KernelIdentity, label: str | None) -> Found:
    if url:
        url = _slash(url)
        status = _probe(url, None)
        if status in (200, 401, 403):
            return Found(url, None, identity, label, _tls(url))
        if status is not None:
            raise ServerNotFound(_not_loaded(url, os.environ.get("JPY_PARENT_PID")))
        raise ServerNotFound(
            f"the Jupyter server at {url} does not answer; is it still running? "
            "If it was started again at another address, restart this kernel"
        )
    pid = os.environ.get("JPY_PARENT_PID")
    info = _runtime_file(pid)
    if info is None:
        raise ServerNotFound(
            "this kernel was not started by a Jupyter server that nbchannels knows; "
            "set NBCHANNELS_URL and NBCHANNELS_TOKEN, or: %channels connect URL TOKEN"
        )
    url = _slash(str(info["url"]))
    if _probe(url, None) in (200, 401, 403):
        return Found(url, None, identity, label, _tls(url))
    raise ServerNotFound(_not_loaded(url, pid))


def _of_script(label: str | None) -> Found:
    servers = list(list_running_servers())
    having, lacking = [], []
    for server in servers:
        url, token = _slash(str(server["url"])), str(server.get("token") or "")
        status = _probe(url, token)
        if status == 200:
            having.append((url, token))
        elif status is not None:
            lacking.append(f"{url} ({'no extension' if status == 404 else f'answers {status}'})")
    if len(having) == 1:
        url, token = having[0]
        return Found(url, token, None, label, _tls(url))
    remedy = "set NBCHANNELS_URL and NBCHANNELS_TOKEN to choose one"
    if having:
        found = ", ".join(url for url, _ in having)
        raise ServerNotFound(
            f"{len(having)} running Jupyter servers have nbchannels: {found}; {remedy}"
        )
    if lacking:
        raise ServerNotFound(
            f"no running Jupyter server of this user has nbchannels: {', '.join(lacking)}; in the "
            "environment of one of them run: python -m pip install nbchannels, and restart it; "
            f"or, for a server elsewhere, {remedy}"
        )
    raise ServerNotFound(
        "no Jupyter server of this user is running; start one where nbchannels is installed "
        f"(jupyter lab); or, for a server elsewhere, {remedy}"
    )


def _not_loaded(url: str, pid: str | None) -> str:
    python = _python_of(pid)
    return (
        f"the Jupyter server {'(process ' + pid + ') ' if pid else ''}at {url} has not loaded "
        f"nbchannels. In the environment of the server run: {python} -m pip install nbchannels, "
        f"then {python} -m jupyter server extension enable nbchannels, and restart that server"
    )


def _python_of(pid: str | None) -> str:
    """The interpreter of the server, where the system tells it."""
    try:
        words = Path(f"/proc/{int(pid or '')}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return "python"
    name = words[0].decode(errors="replace")
    return name if Path(name).name.startswith("python") else "python"


def _require_extension(url: str, token: str | None, source: str) -> None:
    status = _probe(url, token)
    if status is None:
        raise ServerNotFound(f"the server at {url} ({source}) does not answer; is it running?")
    if status == 404:
        raise ServerNotFound(_not_loaded(url, None))


def _probe(url: str, token: str | None) -> int | None:
    """The HTTP status of the extension's status page; ``None``: no answer."""
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(f"{url}nbchannels/api/status", headers=headers)
    context = _tls(url).get("ssl_options")
    # No proxy: the server is this user's own.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
    )
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        # A server without the extension sends a page that is not known to its login.
        return 403 if error.code in (301, 302) else int(error.code)
    except (OSError, ValueError):
        return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """A redirection is an answer."""


def _tls(url: str) -> dict[str, Any]:
    if not url.startswith("https:"):
        return {}
    bundle = os.environ.get("NBCHANNELS_CA") or os.environ.get("SSL_CERT_FILE")
    return {"ssl_options": ssl.create_default_context(cafile=bundle)}


def _runtime_file(pid: str | None) -> dict[str, Any] | None:
    try:
        path = Path(jupyter_runtime_dir()) / f"jpserver-{int(pid or '')}.json"
        info: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return info


def _label() -> str | None:
    path = os.environ.get("JPY_SESSION_NAME")
    return path or (Path(sys.argv[0]).name if sys.argv and sys.argv[0] else None)


def _slash(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"
