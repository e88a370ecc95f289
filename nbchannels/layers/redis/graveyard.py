"""The dead letters of a layer on Redis: the same for all that share it."""

import json
import struct
from typing import Any

from nbchannels.encoding import Encoded
from nbchannels.layers.deadletters import MOST_ERROR, MOST_TRACEBACK, DeadLetter, Reason
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.redis.backbone import Backbone
from nbchannels.layers.redis.process_scripts import BURY, EXHUME

__all__ = ["Graveyard"]

#: Letters that are kept, and their bytes.
MOST, MOST_BYTES = 1_000, 16 * 2**20
_HEAD = struct.Struct("<I")


class Graveyard:
    """What nobody worked on. Works on the loop of the layer."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    async def bury(
        self,
        channel: str,
        letter: Letter,
        reason: Reason,
        now: float,
        error: str,
        traceback: str,
        consumer: str,
    ) -> None:
        """Keep a letter; once, however often this is called for it."""
        about = {
            "channel": channel, "reason": reason, "error": error[:MOST_ERROR],
            "traceback": traceback[-MOST_TRACEBACK:], "consumer": consumer[:MOST_ERROR],
            "time": now, "sent": letter.time, "sender": letter.sender, "retries": letter.retries,
            "returns": letter.returns, "codec": letter.encoded.codec,
        }  # fmt: skip
        head = json.dumps(about).encode()
        source = f"{channel} {letter.posted.id.decode()}" if letter.posted else repr(id(letter))
        await self._backbone.run(
            BURY,
            self._backbone.keys.dead,
            (MOST, MOST_BYTES, source, _HEAD.pack(len(head)) + head + letter.encoded.body),
        )

    async def newest(self, limit: int, channel: str | None) -> list[DeadLetter]:
        """The newest, newest first; of one channel if it is named."""
        order, letters, *_ = self._backbone.keys.dead
        numbers = await self._backbone.command(order, "ZREVRANGE", 0, MOST)
        found: list[DeadLetter] = []
        for start in range(0, len(numbers), 50):
            some = numbers[start : start + 50]
            kept = await self._backbone.command(letters, "HMGET", *some)
            for number, data in zip(some, kept, strict=True):
                dead = _read(int(number), data) if data is not None else None
                if dead is not None and (channel is None or dead.channel == channel):
                    found.append(dead)
            if len(found) >= limit:
                break
        return found[:limit]

    async def get(self, number: int) -> DeadLetter | None:
        """The one of this number."""
        data = await self._backbone.command(self._backbone.keys.dead[1], "HGET", number)
        return _read(number, data) if data is not None else None

    async def take(self, number: int) -> tuple[DeadLetter, bytes] | None:
        """Remove one; what `put_back` needs comes with it."""
        data = await self._backbone.run(EXHUME, self._backbone.keys.dead[:3], (number, b""))
        return (_read(number, data), data) if data is not None else None

    async def put_back(self, number: int, data: bytes) -> None:
        """It stands again where it stood."""
        await self._backbone.run(EXHUME, self._backbone.keys.dead[:3], (number, data))

    async def count(self) -> int:
        """How many there are."""
        found: Any = await self._backbone.command(self._backbone.keys.dead[0], "ZCARD")
        return int(found)


def _read(number: int, data: bytes) -> DeadLetter:
    (size,) = _HEAD.unpack_from(data)
    about: dict[str, Any] = json.loads(data[_HEAD.size : _HEAD.size + size])
    letter = Letter(
        Encoded(about["codec"], data[_HEAD.size + size :]), about["sent"], float("inf"),
        about["sender"], True, about["retries"], about["returns"],
    )  # fmt: skip
    return DeadLetter(
        number, about["channel"], letter, about["reason"], about["error"], about["traceback"],
        about["consumer"], about["time"],
    )  # fmt: skip
