"""What a Redis server is told, command by command, those inside scripts too."""

import contextlib
import re
import secrets
import socket
import threading
from dataclasses import dataclass

import redis

from tests.redis.ports import LOOPBACK

__all__ = ["Command", "Monitor"]

PATIENCE = 30.0
_LINE = re.compile(rb"\+(\d+\.\d+) \[(\d+) ([^\]]*)\] ?(.*)")
_ARGUMENT = re.compile(rb'"((?:\\.|[^"\\])*)"')
_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)")
_MEANING = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        time: when, in seconds since 1970, by the server's clock.
        source: ``address:port`` of the client, ``lua`` inside a script, or ``unix:path``.
        arguments: the name first, then the rest, as they came.
    """

    time: float
    source: str
    arguments: tuple[bytes, ...]

    @property
    def name(self) -> str:
        """In capitals."""
        return self.arguments[0].decode("latin-1").upper()

    def __str__(self) -> str:
        shown = " ".join(repr(argument)[1:] for argument in self.arguments[:12])
        return f"{self.source}: {shown}"


def _plain(escaped: bytes) -> bytes:
    def meant(found: re.Match[bytes]) -> bytes:
        text = found[1]
        return bytes([int(text[1:], 16)]) if len(text) == 3 else _MEANING.get(text, text)

    return _ESCAPE.sub(meant, escaped)


def parsed(line: bytes) -> Command | None:
    """A line of MONITOR's answer, or None if it is none."""
    found = _LINE.fullmatch(line)
    if not found:
        return None
    arguments = tuple(_plain(argument) for argument in _ARGUMENT.findall(found[4]))
    return Command(float(found[1]), found[3].decode(), arguments)


class Monitor:
    """All commands that a server gets while the ``with`` lasts; leaving waits for the last one.

    If the server dies meanwhile, they are those up to its death.

    Attributes:
        commands: as they were executed. Redis itself leaves out AUTH, HELLO and the like.
    """

    def __init__(self, port: int) -> None:
        self.commands: list[Command] = []
        self._port = port
        self._last = secrets.token_hex(8)
        self._ended = threading.Event()

    def __enter__(self) -> "Monitor":
        self._socket = socket.create_connection((LOOPBACK, self._port), PATIENCE)
        self._socket.sendall(b"MONITOR\r\n")
        self._lines = self._socket.makefile("rb")
        assert self._lines.readline() == b"+OK\r\n"
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            with (
                contextlib.suppress(redis.ConnectionError),
                redis.Redis(LOOPBACK, self._port, retry=None, socket_timeout=PATIENCE) as own,
            ):
                own.echo(self._last)
            assert self._ended.wait(PATIENCE), "MONITOR did not show our own command"
        finally:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(PATIENCE)
            self._lines.close()
            self._socket.close()

    def _read(self) -> None:
        last = self._last.encode()
        try:
            for line in self._lines:
                command = parsed(line.rstrip(b"\r\n"))
                if command is None:
                    continue
                if command.arguments == (b"ECHO", last):
                    break
                self.commands.append(command)
        except OSError:
            pass  # the server is gone
        self._ended.set()

    def keys(self) -> set[str]:
        """Every key that a command named, and every channel that one published to or listened on.

        Redis itself says which arguments are keys (COMMAND GETKEYS).
        """
        found: set[str] = set()
        with redis.Redis(LOOPBACK, self._port, retry=None, socket_timeout=PATIENCE) as own:
            for command in {command.arguments for command in self.commands}:
                name = command[0].upper()
                if name in {b"PUBLISH", b"SPUBLISH"}:
                    found.add(_text(command[1]))
                elif name.endswith(b"SUBSCRIBE"):
                    found.update(map(_text, command[1:]))
                else:
                    try:
                        found.update(own.command_getkeys(*command))
                    except redis.ResponseError:
                        continue  # a command without keys
        return found


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
