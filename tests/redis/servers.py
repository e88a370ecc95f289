"""Real Redis servers in processes of their own: killed, frozen, started again, watched.

Each listens on 127.0.0.1 only, on a port that stays its own, and lives in a temporary folder.
"""

import contextlib
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import redis

from tests.redis.monitor import Monitor
from tests.redis.ports import LOOPBACK, Port

__all__ = ["PATIENCE", "Certificate", "RedisServer", "until", "why_no_redis"]

#: Seconds that anything may take.
PATIENCE = 30.0
#: The value of an option: a word, or several.
Option = str | int | tuple[str | int, ...]
HOW_TO_INSTALL = (
    "redis-server is not on the PATH; `make test` installs it where it may, else: Debian, Ubuntu:"
    " apt install redis-server; macOS: brew install redis; to go without:"
    " NBCHANNELS_WITHOUT_REDIS=1"
)


def why_no_redis(environment: Mapping[str, str]) -> str | None:
    """Why the tests are skipped, or None.

    Raises:
        AssertionError: there is no Redis, and nobody has said that this is as it should be.
    """
    if all(
        shutil.which(name, path=environment.get("PATH")) for name in ("redis-server", "redis-cli")
    ):
        return None
    if environment.get("NBCHANNELS_WITHOUT_REDIS"):
        return "NBCHANNELS_WITHOUT_REDIS is set"
    raise AssertionError(HOW_TO_INSTALL)


def until(true: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Wait until ``true()``; connection errors on the way count as no."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            if true():
                return
        if time.monotonic() > deadline:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {PATIENCE:g} s: {told}")
        time.sleep(0.01)


class Certificate:
    """A self-made certificate for 127.0.0.1 and localhost, its own authority.

    Attributes:
        path: of the certificate, for ``ssl_ca_certs`` too.
        key: of its private key.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self.key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
            + ["-keyout", str(self.key), "-out", str(self.path)],
            check=True,
            capture_output=True,
            timeout=PATIENCE,
        )


class RedisServer:
    """One redis-server process.

    Args:
        folder: its own; is made.
        aof: every write is on the disk before it is acknowledged; else a restart forgets all.
        unix_socket: it listens on one too.
        certificate: it listens with TLS too.
        bus: keep the port of the cluster bus free.
        options: any others, by the names of redis.conf.

    Attributes:
        port: stays the same when it is started again.
        url: without a password.
        tls_url, unix_url: None unless asked for.
        process: of the last start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        aof: bool = False,
        unix_socket: bool = False,
        certificate: Certificate | None = None,
        bus: bool = False,
        options: Mapping[str, Option] | None = None,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._ports = [Port(bus=bus)]
        self.port = self._ports[0].number
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        self.tls_url: str | None = None
        self.unix_url: str | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._sockets: Path | None = None
        self.options: dict[str, Option] = {
            "port": self.port,
            "bind": LOOPBACK,
            "dir": str(folder),
            "save": "",
            "appendonly": "yes" if aof else "no",
            "appendfsync": "always",
        }
        if unix_socket:
            # In a folder of its own: the path of a socket has 107 bytes at most.
            self._sockets = Path(tempfile.mkdtemp(prefix="redis-"))
            self.options["unixsocket"] = str(self._sockets / "socket")
            self.unix_url = f"unix://{self._sockets / 'socket'}?db=0"
        if certificate:
            self._ports.append(Port())
            self.options |= {
                "tls-port": self._ports[1].number,
                "tls-cert-file": str(certificate.path),
                "tls-key-file": str(certificate.key),
                "tls-ca-cert-file": str(certificate.path),
                "tls-auth-clients": "no",
            }
            self.tls_url = (
                f"rediss://{LOOPBACK}:{self._ports[1].number}/0?ssl_ca_certs={certificate.path}"
            )
        self.options |= options or {}

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # Life and death.

    @property
    def log(self) -> str:
        """The end of what it has written."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else "(no log)"

    @property
    def is_running(self) -> bool:
        """Its process lives, frozen or not."""
        return self.process is not None and self.process.poll() is None

    def describe(self) -> str:
        """How it stands, for an error message."""
        return f"-- {self.url}, {'running' if self.is_running else 'ended'}:\n{self.log}"

    def start(self, *, wait: bool = True, **more: Option) -> None:
        """Start it.

        Args:
            wait: until it answers.
            more: options for this start only, with ``_`` for ``-``.
        """
        assert not self.is_running, f"{self.url} runs already"
        arguments: list[str] = []
        options = self.options | {name.replace("_", "-"): value for name, value in more.items()}
        for name, value in options.items():
            words = value if isinstance(value, tuple) else (value,)
            arguments += [f"--{name}", *(str(word) for word in words)]
        self._spawn(["redis-server", *arguments])
        if wait:
            self.wait()

    def _spawn(self, command: list[str]) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self) -> None:
        """Until it answers, its data loaded."""

        def answers() -> bool:
            assert self.is_running, f"redis-server {self.url} has ended:\n{self.log}"
            return bool(self.run("PING"))

        until(answers, lambda: f"{self.url} answers:\n{self.log}")

    def kill(self) -> None:
        """As ``kill -9`` does; what was not on the disk is lost."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(PATIENCE)

    def shut_down(self) -> None:
        """Ask it to end, as an administrator does: it closes its connections."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(PATIENCE)

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: it holds its connections, takes new ones, and answers nobody."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it for good."""
        self.kill()
        for port in self._ports:
            port.close()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)

    # What one says to it.

    @contextlib.contextmanager
    def client(self, **options: Any) -> Iterator["redis.Redis"]:
        """A client of its own, sync, that does not try again."""
        found = redis.Redis.from_url(
            self.url, socket_timeout=PATIENCE, decode_responses=True, retry=None, **options
        )
        try:
            yield found
        finally:
            found.close()

    def run(self, *command: Any) -> Any:
        """One command on a connection of its own; text comes back."""
        with self.client() as client:
            return client.execute_command(*command)

    def information(self, section: str) -> dict[str, Any]:
        """What INFO says."""
        with self.client() as client:
            found: dict[str, Any] = client.info(section)
            return found

    def keys(self, pattern: str = "*") -> set[str]:
        """The keys there are now."""
        with self.client() as client:
            return set(client.scan_iter(pattern, count=1000))

    def clients(self) -> list[dict[str, str]]:
        """The connections there are (CLIENT LIST), without the one that asks."""
        with self.client() as client:
            own = str(client.client_id())
            return [found for found in client.client_list() if found["id"] != own]

    def kill_clients(self, kind: str = "normal") -> int:
        """Cut connections: ``normal``, ``pubsub``, ``replica`` or ``master``; return how many."""
        return int(self.run("CLIENT", "KILL", "TYPE", kind))

    def flush_scripts(self) -> None:
        """From now on every EVALSHA is answered NOSCRIPT."""
        self.run("SCRIPT", "FLUSH", "SYNC")

    def monitor(self) -> Monitor:
        """A reader of all commands from now on: ``with server.monitor() as seen: …``."""
        return Monitor(self.port)

    def account(self, *rules: str, name: str = "minimal") -> str:
        """Make a user who may do just what the rules say; return the URL with the password.

        Args:
            rules: of ACL SETUSER, as in ``"~nbc:*", "&nbc:*", "+evalsha"``; nothing else is
                allowed.
            name: of the user; one that exists is made anew.
        """
        password = secrets.token_hex(8)
        self.run("ACL", "SETUSER", name, "reset", "on", f">{password}", *rules)
        self.run("ACL", "LOG", "RESET")
        return self.url.replace("redis://", f"redis://{name}:{password}@")

    def refusals(self) -> list[str]:
        """What the rules have refused since `account`, as in ``"command: config|get"``."""
        with self.client() as client:
            return [f"{entry['reason']}: {entry['object']}" for entry in client.acl_log()]
