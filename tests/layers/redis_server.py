"""A Redis of one's own, on a free port of this machine, that keeps nothing."""

import contextlib
import shutil
import socket
import subprocess
import time


class RedisServer:
    """A ``redis-server``; ``stop`` and ``start`` again as often as wanted."""

    def __init__(self, folder) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = None
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "these tests need redis-server on PATH"
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        self._process = subprocess.Popen(
            [program, *arguments, "--dir", str(self._folder)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, "redis-server has ended"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), self._connected() as there:
            there.sendall(b"PING\r\n")
            return there.recv(7) == b"+PONG\r\n"
        return False

    def _connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def ask(self, *words: str) -> list[str]:
        """The answer to a command, line by line, in Redis' own protocol."""
        with self._connected() as there:
            there.sendall(" ".join(words).encode() + b"\r\nQUIT\r\n")
            answer = b""
            while part := there.recv(65536):
                answer += part
        return answer.decode().split("\r\n")[:-2]

    def clear(self) -> None:
        """Forget everything."""
        assert self.ask("FLUSHALL") == ["+OK"]

    def subscribers(self, channel: str) -> int:
        """How many connections subscribe to a channel of pub/sub."""
        return int(self.ask("PUBSUB", "NUMSUB", channel)[-1].removeprefix(":"))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
