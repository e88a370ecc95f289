"""The log of a group as Redis has it, page by page."""

from typing import NamedTuple

from nbchannels.encoding import encode
from nbchannels.exceptions import EncodingError
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.entries import Entry
from nbchannels.layers.redis.group_scripts import OLDER, RESUME

__all__ = ["PAGE", "PAGE_BYTES", "StoredLog", "StoredPage"]

#: Entries of one page at most, and their bytes.
PAGE, PAGE_BYTES = 512, 2**20


class StoredPage(NamedTuple):
    """Some entries, and the state of their log at that moment.

    Attributes:
        epoch: of the log.
        top: its newest offset.
        tag: of the newest entry.
        before: the epochs that `clear` ended, the newest last.
        first: the oldest offset kept; ``top + 1`` if none is.
        entries: in order.
    """

    epoch: str
    top: int
    tag: int
    before: tuple[str, ...]
    first: int
    entries: list[Entry]


class StoredLog:
    """One log.

    Args:
        backbone: the way to Redis.
        group: its name.
        group_expiry: seconds that it is kept after this use of it.
    """

    def __init__(self, backbone: Backbone, group: str, group_expiry: float) -> None:
        self._backbone = backbone
        self._keys = [backbone.keys.group(group, part) for part in ("log", "meta")]
        self._group_expiry = int(group_expiry)

    async def page(self, offset: int | None, count: int) -> StoredPage:
        """The entries from ``offset`` on, that one included; ``None``: only the state."""
        epoch, top, tag, before, first, *rest = await self._backbone.run(
            RESUME,
            self._keys,
            (
                self._backbone.random_epoch(),
                self._group_expiry,
                "" if offset is None else offset,
                count,
                PAGE_BYTES,
            ),
        )
        names = tuple(before.decode().split())
        return StoredPage(epoch.decode(), top, tag, names, first, _entries(rest))

    async def older(self, epoch: str, offset: int, count: int) -> list[Entry]:
        """The entries before ``offset``, the newest first; none if the epoch is another one."""
        count = min(count, PAGE)
        return _entries(
            await self._backbone.run(OLDER, self._keys, (epoch, offset, count, PAGE_BYTES))
        )


def _entries(pairs: list[bytes]) -> list[Entry]:
    return [_entry(int(offset), data) for offset, data in zip(pairs[::2], pairs[1::2], strict=True)]


def _entry(offset: int, data: bytes) -> Entry:
    """An entry; one that somebody else wrote keeps its place, and says so."""
    try:
        return Entry.unpack(offset, data)
    except EncodingError as error:
        unreadable = encode({"type": "nbchannels.unreadable", "error": str(error)})
        return Entry(offset, 0, 0.0, b"", 0, 0, unreadable)
