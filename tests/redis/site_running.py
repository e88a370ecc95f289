"""The Django site of ``site/`` in processes of its own: a web server, and a worker if wanted."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tests.redis.ports import LOOPBACK, Port
from tests.redis.servers import PATIENCE, until

__all__ = ["ROOT", "RunningSite"]

ROOT = Path(__file__).resolve().parent.parent.parent


class RunningSite:
    """The site under uvicorn; ``with RunningSite(folder, redis_url) as site: …``.

    Args:
        folder: for its logs.
        redis_url: of the Redis that it shares with us.
        layer: ``core`` or ``pubsub``, the two of channels_redis.
        prefix: of its keys; ``asgi`` is what channels_redis has by default.

    Attributes:
        url: of its pages, with a slash at the end.
        orders: the URL of its WebSocket: everything that is sent to the group ``site.orders`` as
            ``{"type": "order", "order": …}``; the first message tells the consumer's channel.
    """

    def __init__(
        self,
        folder: Path,
        redis_url: str,
        *,
        layer: Literal["core", "pubsub"] = "core",
        prefix: str = "asgi",
    ) -> None:
        self._log = folder / "site.log"
        self._port = Port()
        self.url = f"http://{LOOPBACK}:{self._port.number}/"
        self.orders = f"ws://{LOOPBACK}:{self._port.number}/ws/orders"
        self._environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.redis.site.settings",
            "SITE_LAYER": layer,
            "SITE_REDIS_URL": redis_url,
            "SITE_PREFIX": prefix,
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "RunningSite":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def log(self) -> str:
        """The end of what it has written."""
        return self._log.read_text(errors="replace")[-3000:]

    def start(self) -> None:
        """Start the web server and wait until it answers."""
        options = ["--host", LOOPBACK, "--port", str(self._port.number), "--lifespan", "off"]
        server = self._run("uvicorn", "tests.redis.site.asgi:application", *options)

        def answers() -> bool:
            assert server.poll() is None, f"the site has ended:\n{self.log}"
            with contextlib.suppress(urllib.error.URLError):
                return self._ask("health") == b"well"
            return False

        until(answers, lambda: f"the site answers:\n{self.log}")

    @contextlib.contextmanager
    def worker(self) -> Iterator[None]:
        """A worker for the channel ``site.packing`` (``manage.py runworker``), while it lasts."""
        process = self._run("django", "runworker", "site.packing")
        try:
            yield
            assert process.poll() is None, f"the worker has ended:\n{self.log}"
        finally:
            self._end(process)

    def _run(self, *command: str) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def post(self, path: str, content: Any = None) -> None:
        """POST to one of its pages: ``orders`` with what to tell all, ``packing/<number>``."""
        self._ask(path, json.dumps(content).encode())

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        asked = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            found: bytes = answer.read()
            return found

    @staticmethod
    def _end(process: "subprocess.Popen[bytes]") -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(PATIENCE)

    def close(self) -> None:
        """End its processes."""
        for process in self.processes:
            self._end(process)
        self._port.close()
