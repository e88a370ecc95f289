"""Who this process is to a server, and how it shows that.

A kernel proves that it knows its own connection key: nothing secret is handed to it, and the proof
dies with it. A script has Jupyter's token.
"""

import ipaddress
import os
import ssl
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbchannels.protocol.client import KernelIdentity

__all__ = ["Found", "is_loopback", "kernel_identity", "label", "tls_options"]


@dataclass(frozen=True, slots=True)
class Found:
    """A server with the extension, and our credentials for it.

    Attributes:
        url: of the server, with its base URL and a slash at the end.
        token: for the ``Authorization`` header; ``None`` in a kernel. Never shown.
        kernel: who this kernel is; ``None`` in a script. Never shown.
        label: what this process calls itself.
        tls: options of tornado's client for https.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    kernel: KernelIdentity | None = field(default=None, repr=False)
    label: str | None = None
    tls: Mapping[str, Any] = field(default_factory=dict, repr=False)

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


def label() -> str | None:
    """What people call this process: its notebook, or its script."""
    path = os.environ.get("JPY_SESSION_NAME")
    return path or (Path(sys.argv[0]).name if sys.argv and sys.argv[0] else None)


def tls_options(url: str) -> dict[str, Any]:
    """How tornado shall look at the certificate of a server.

    A server on this machine usually has one that it signed itself, and nobody stands between: it is
    not checked there. Elsewhere it is, against ``NBCHANNELS_CA`` or ``SSL_CERT_FILE`` if they are
    set.
    """
    if not url.startswith("https:"):
        return {}
    context = ssl.create_default_context(
        cafile=os.environ.get("NBCHANNELS_CA") or os.environ.get("SSL_CERT_FILE")
    )
    if is_loopback(urllib.parse.urlsplit(url).hostname or ""):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl_options": context}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, whatever the network says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
