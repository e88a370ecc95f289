"""What the handlers share: one `Host` per server process, in ``settings["nbchannels"]``."""

import importlib.metadata
import logging
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from nbchannels.diagnoses import listen
from nbchannels.encoding import MAX_MESSAGE
from nbchannels.layers.hosted import HostedLayer
from nbchannels.server.asgi.mount import Mount
from nbchannels.server.hub import Hub
from nbchannels.server.policy import KernelUser, Policy
from nbchannels.server.router import Router
from nbchannels.server.tickets import Tickets

__all__ = ["Host", "Limits", "installed_version"]

log = logging.getLogger("nbchannels")


def installed_version() -> str:
    """The version of nbchannels in this environment."""
    try:
        return importlib.metadata.version("nbchannels")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server, user, connection or request may ask for at most.

    Attributes:
        message: bytes of one encoded message, and of one HTTP body.
        batch: messages in one HTTP body.
        connections: open WebSockets of this server.
        connections_per_user: of them by one user.
        subscriptions: of one connection.
        window: messages that a subscription holds unacknowledged.
        window_bytes: of them together.
        heartbeat: seconds between two heartbeats.
        upload: bytes of one body that goes on to a consumer, in chunks.
        http_timeout: seconds that a consumer has for a reply, and for the next one.
        handshake_timeout: seconds that a consumer has to accept a WebSocket.
    """

    message: int = MAX_MESSAGE
    batch: int = 10_000
    connections: int = 10_000
    connections_per_user: int = 1_000
    subscriptions: int = 256
    window: int = 512
    window_bytes: int = 2**20
    heartbeat: float = 20.0
    upload: int = 256 * 2**20
    http_timeout: float = 120.0
    handshake_timeout: float = 5.0


class Host:
    """The state of the extension in one server process.

    Args:
        layer: the groups and channels that this server hosts.
        policy: who may do what.
        limits: what is held at most.
        kernel_manager: Jupyter's; ``None`` knows no kernels.
        root_dir: that notebook paths are told from.
        counts_as_activity: whether clients and requests keep an idle server from being culled.

    Attributes:
        server_id: random, of this process; clients see by it that the server is a new one.
        version: of nbchannels.
        tickets: for pages.
        hub: of the WebSocket connections.
        router: which consumer gets which message.
        diagnoses: what went wrong in silence, here and at clients.
        started: when, in seconds since 1970.
        url: where kernels reach this server; ``None`` if they cannot, or not yet.
        mount: the ASGI application; ``None`` if there is none.
        sockets: open WebSockets of consumers.
        reader: the thread that reads large HTTP bodies, one at a time: their memory is bounded.
    """

    def __init__(
        self,
        layer: HostedLayer,
        policy: Policy | None = None,
        limits: Limits | None = None,
        *,
        kernel_manager: Any = None,
        root_dir: str = "",
        counts_as_activity: bool = False,
    ) -> None:
        self.layer = layer
        self.policy = policy or Policy()
        self.limits = limits or Limits()
        self.counts_as_activity = counts_as_activity
        self.server_id = secrets.token_hex(16)
        self.version = installed_version()
        self.tickets = Tickets()
        self.hub = Hub(layer, self.limits.heartbeat, self.version)
        self.router = layer.router = Router(layer, self.hub)
        self.diagnoses = self.hub.diagnoses
        self._listening = listen(self.diagnoses.note_own)
        self.sockets: set[Any] = set()
        #: HTTP requests that were answered: by ``api``, ``http``, ``app``, and class of status.
        self.answered: Counter[tuple[str, str]] = Counter()
        self.started = time.time()
        self.url: str | None = None
        self.mount: Mount | None = None
        self.reader = ThreadPoolExecutor(1, "nbchannels-reader")
        self._kernels = kernel_manager
        self._root_dir = root_dir
        # Kernels that were asked for, until they are gone.
        self._watched: set[str] = set()
        # Their processes: another one under the same id is a restart.
        self._processes: dict[str, int | None] = {}
        self._on_kernel_gone: list[Callable[[str], Any]] = []
        self._on_kernel_restarted: list[Callable[[str], Any]] = []

    @property
    def layer_state(self) -> dict[str, Any]:
        """Of the layer ``alias`` and ``backend``; and ``trouble``: why it does not answer now."""
        layer = self.layer
        return {"alias": layer.alias, "backend": layer.backend, "trouble": layer.trouble or None}

    def count_answer(self, door: str, status: int) -> None:
        """An HTTP request was answered."""
        self.answered[door, f"{status // 100}xx"] += 1

    # Kernels.

    def is_kernel_alive(self, kernel_id: str) -> bool:
        """Whether this server runs this kernel; one that restarts is alive."""
        kernels = self._kernels
        if kernels is None or kernel_id not in kernels:
            return False
        return getattr(kernels.get_kernel(kernel_id), "execution_state", "") != "dead"

    def kernel_key(self, kernel_id: str) -> bytes | None:
        """The connection key of a kernel that is alive; from now on the kernel is watched."""
        if not self.is_kernel_alive(kernel_id):
            return None
        session = getattr(self._kernels.get_kernel(kernel_id), "session", None)
        key = getattr(session, "key", None)
        if not isinstance(key, bytes) or not key:
            return None
        self._watched.add(kernel_id)
        self._processes.setdefault(kernel_id, self._process(kernel_id))
        return key

    def _process(self, kernel_id: str) -> int | None:
        """The process id of a kernel, if Jupyter's provisioner tells it."""
        provisioner = getattr(self._kernels.get_kernel(kernel_id), "provisioner", None)
        pid = getattr(provisioner, "pid", None)
        return pid if isinstance(pid, int) else None

    def kernel_path(self, kernel_id: str) -> str | None:
        """The notebook of a kernel, below the server's root if it is there; ``None``: not known."""
        if self._kernels is None or kernel_id not in self._kernels:
            return None
        # Jupyter tells a session's kernel its notebook by this variable, and updates it.
        arguments = getattr(self._kernels.get_kernel(kernel_id), "_launch_args", None) or {}
        path = str((arguments.get("env") or {}).get("JPY_SESSION_NAME") or "")
        if not path or not self._root_dir:
            return path or None
        relative = os.path.relpath(path, self._root_dir)
        if relative == os.curdir:  # a session without a name
            return None
        return path if relative.startswith(os.pardir) else relative

    def kernel_user(self, kernel_id: str) -> KernelUser:
        """Who a kernel is for the policy."""
        return KernelUser(kernel_id)

    def when_kernel_gone(self, callback: Callable[[str], Any]) -> None:
        """Have ``callback`` called with the id of each watched kernel that is gone.

        It may be a coroutine function.
        """
        self._on_kernel_gone.append(callback)

    def when_kernel_restarted(self, callback: Callable[[str], Any]) -> None:
        """Have ``callback`` called with the id of each watched kernel that is another process now.

        It may be a coroutine function.
        """
        self._on_kernel_restarted.append(callback)

    async def sweep_kernels(self) -> None:
        """Tell of the kernels that are gone or were restarted; to be called each second or so."""
        for kernel_id in list(self._watched):
            if not self.is_kernel_alive(kernel_id):
                self._watched.discard(kernel_id)
                self._processes.pop(kernel_id, None)
                await _tell(self._on_kernel_gone, kernel_id, "gone")
                continue
            process = self._process(kernel_id)
            if process is not None and process != self._processes.get(kernel_id):
                self._processes[kernel_id] = process
                await _tell(self._on_kernel_restarted, kernel_id, "restarted")

    # The host as a whole.

    async def status(self) -> dict[str, Any]:
        """What ``GET api/status`` answers."""
        statistics = await self.layer.statistics()
        return {
            "version": self.version,
            "protocol": "nbchannels.v1",
            "server": self.server_id,
            "uptime": max(0.0, time.time() - self.started),
            "layer": self.layer_state,
            "counts": {
                "groups": statistics["groups"],
                "channels": statistics["channels"],
                "connections": len(self.hub.connections),
                "clients": len(self.hub.clients),
            },
        }

    async def close(self) -> None:
        """Send everyone away, and end the layer: of one that lives elsewhere nothing is dropped."""
        self._listening()
        for socket in list(self.sockets):
            socket.close(1001, "the server stops")
        if self.mount is not None:  # it may use the layer to the last
            await self.mount.close()
        self.hub.shut_down()
        self.reader.shutdown(wait=False, cancel_futures=True)
        await self.layer.close()


async def _tell(callbacks: list[Callable[[str], Any]], kernel_id: str, what: str) -> None:
    for callback in callbacks:
        try:
            result = callback(kernel_id)
            if hasattr(result, "__await__"):
                await result
        except Exception:
            log.exception("kernel %s is %s, and telling of it failed", kernel_id, what)
