"""``Response``: an HTTP response that no handler has written."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Response"]

Headers: TypeAlias = (
    Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]
)


@dataclass
class Response:
    """A response that no handler has written.

    Attributes:
        status: of HTTP.
        headers: a mapping, or pairs, of ``str`` or ``bytes``; the case of the names is kept.
        body: all of it, or its parts one by one; a ``str`` is sent as UTF-8.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes | str | Iterable[bytes | str] = b""

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """The headers as they travel, in their order."""
        headers = self.headers
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return [(_latin(name), _latin(value)) for name, value in pairs]

    def parts(self) -> bytes | Iterator[bytes]:
        """The body: all of it, or its parts one by one."""
        body = self.body
        if isinstance(body, (bytes, str)):
            return _utf8(body)
        return (_utf8(part) for part in body)


def _utf8(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _latin(value: bytes | str) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else bytes(value)
