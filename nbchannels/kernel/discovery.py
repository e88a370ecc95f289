"""Which server this process belongs to.

In order: what `connect_to` was told; ``NBCHANNELS_URL`` with ``NBCHANNELS_TOKEN``; in a kernel the
server that started it (it proves itself with the kernel's connection key, so the address is no
secret); in a script the only running server of this user that has the extension.

Looking takes some network: milliseconds, or 2 s for each server that does not answer.
"""

import os
import urllib.parse

from nbchannels.exceptions import ServerNotFound
from nbchannels.kernel.credentials import Found, kernel_identity, label, tls_options
from nbchannels.kernel.servers import (
    Server,
    clean_url,
    not_loaded,
    probe,
    running_server,
    running_servers,
)
from nbchannels.protocol.client import KernelIdentity

__all__ = ["Found", "connect_to", "find_server", "kernel_identity"]

_THERE = (200, 401, 403)
_CHOOSE = "set NBCHANNELS_URL and NBCHANNELS_TOKEN to choose one"

_explicit: dict[str, str | None] = {}


def connect_to(
    url: str | None, token: str | None = None, *, source: str = "%channels connect"
) -> None:
    """Say which server it shall be; ``None`` goes back to finding it.

    Args:
        url: of the server.
        token: that it takes.
        source: where the user said so, for sentences.
    """
    _explicit.clear()
    if url is not None:
        _explicit.update(url=url, token=token, source=source)


def find_server() -> Found:
    """The server of this process.

    Raises:
        ServerNotFound: there is none; the sentence says what to run, and where.
    """
    chosen = _explicit.get("url")
    source = (_explicit.get("source") if chosen else None) or "NBCHANNELS_URL"
    url = chosen or os.environ.get("NBCHANNELS_URL")
    token = _explicit.get("token") if chosen else os.environ.get("NBCHANNELS_TOKEN")
    identity = kernel_identity()
    parent = running_server(os.environ.get("JPY_PARENT_PID")) if identity else None
    if url:
        url, pasted = clean_url(url)
        token = token or pasted
        if token or identity is None:
            return _by_token(url, token, source)
        return _by_proof(identity, [url, *([parent.url] if parent else [])], parent)
    if identity is not None and parent is not None:
        if not parent.url:
            raise ServerNotFound(
                f"the Jupyter server of this kernel (pid {parent.pid}) listens on a Unix socket, "
                "which kernels cannot reach: set c.NbChannels.public_url on the server"
            )
        return _by_proof(identity, [parent.url], parent)
    return _only_server()


def _by_token(url: str, token: str | None, source: str) -> Found:
    """A server that was named."""
    if token is None:  # it may be one of this user's own
        token = next((s.token for s in running_servers() if _same_server(s.url, url)), None)
    status = probe(url, token)
    if status is None:
        raise ServerNotFound(
            f"the server at {url} (from {source}) does not answer; is it running? "
            "An address looks like http://127.0.0.1:8888/"
        )
    if status == 404:
        pid = next((s.pid for s in running_servers() if _same_server(s.url, url)), None)
        raise ServerNotFound(not_loaded(url, pid))
    return Found(url, token, None, label(), tls_options(url))


def _by_proof(identity: KernelIdentity, urls: list[str], parent: Server | None) -> Found:
    """The server that started this kernel: where we were told, else where its own file says.

    The address in the environment is inherited; it can be that of another server.
    """
    answers = {url: probe(url) for url in dict.fromkeys(filter(None, urls))}
    for url, status in answers.items():
        if status in _THERE:
            return Found(url, None, identity, label(), tls_options(url))
    for url, status in answers.items():
        if status is not None:
            pid = parent.pid if parent and _same_server(parent.url, url) else None
            raise ServerNotFound(not_loaded(url, pid))
    raise ServerNotFound(
        f"the Jupyter server at {' or '.join(answers)} does not answer; is it still running? "
        "If it was started again, restart this kernel"
    )


def _only_server() -> Found:
    """The only running server with the extension."""
    having: list[Server] = []
    lacking: list[str] = []
    for server in running_servers():
        status = probe(server.url, server.token) if server.url else None
        if status == 200:
            having.append(server)
        elif status is not None:
            answer = "without nbchannels" if status == 404 else f"answers HTTP {status}"
            lacking.append(f"{server.url} (pid {server.pid}, {answer})")
        elif not server.url:
            lacking.append(f"pid {server.pid} (on a Unix socket)")
    if len(having) == 1:
        url = having[0].url
        return Found(url, having[0].token or None, None, label(), tls_options(url))
    if having:
        urls = ", ".join(f"{server.url} (pid {server.pid})" for server in having)
        raise ServerNotFound(
            f"{len(having)} running Jupyter servers have nbchannels: {urls}; {_CHOOSE}"
        )
    if lacking:
        raise ServerNotFound(
            f"no running Jupyter server of this user has nbchannels: {', '.join(lacking)}. In the "
            "environment of one of them run: python -m pip install nbchannels && python -m jupyter "
            "server extension enable nbchannels; then restart it. For a server elsewhere set "
            "NBCHANNELS_URL and NBCHANNELS_TOKEN"
        )
    raise ServerNotFound(
        "no Jupyter server of this user is running; start one where nbchannels is installed: "
        "jupyter lab. For a server elsewhere set NBCHANNELS_URL and NBCHANNELS_TOKEN"
    )


def _same_server(one: str, other: str) -> bool:
    """Whether two addresses are of one server; ``localhost`` is 127.0.0.1."""
    first, second = (urllib.parse.urlsplit(url.replace("//localhost", "//127.0.0.1", 1))
                     for url in (one, other))  # fmt: skip
    return first[:3] == second[:3]
