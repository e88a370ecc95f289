"""``api/consumers``, ``api/dead-letters``, ``api/diagnoses``: who works, and what went wrong."""

from typing import Any

from nbchannels.layers.deadletters import DeadLetter
from nbchannels.names import require_channel_name
from nbchannels.protocol.events import ENTRY, Record
from nbchannels.server.api import ApiHandler, BadRequest, NotFound, verb
from nbchannels.server.preview import describe

__all__ = [
    "ConsumersHandler",
    "DeadLetterHandler",
    "DeadLettersHandler",
    "DiagnosesHandler",
    "ResendHandler",
]

#: Dead letters in one answer, and characters of the traceback of each there.
PAGE, MOST, BRIEF = 100, 1_000, 1_000


class ConsumersHandler(ApiHandler):
    """``api/consumers``."""

    @verb("read", "layer")
    async def get(self) -> Any:
        """Who serves which channels."""
        may = self.host.policy.permits
        found = self.host.router.describe()
        return {"consumers": [c for c in found if may("read", "channel", c["channel"])]}


class DiagnosesHandler(ApiHandler):
    """``api/diagnoses``."""

    @verb("read", "layer")
    async def get(self) -> Any:
        """What went wrong in silence, newest first, at most 500."""
        return {"diagnoses": self.host.diagnoses.newest()}


class DeadLettersHandler(ApiHandler):
    """``api/dead-letters``."""

    @verb("read", "layer")
    async def get(self) -> Any:
        """What was given up, newest first."""
        text = self.get_query_argument("limit", str(PAGE))
        if not (_is_number(text) and 1 <= int(text) <= MOST):
            raise BadRequest(f"limit is {text[:50]!r}; it takes 1 to {MOST:,}")
        channel = self.get_query_argument("channel", None)
        if channel is not None:
            require_channel_name(channel)
        may = self.host.policy.permits
        return {
            "dead_letters": [
                _described(dead, BRIEF)
                for dead in await self.host.layer.dead(int(text), channel)
                if may("read", "channel", dead.channel)
            ]
        }


class _OneHandler(ApiHandler):
    """What is about one dead letter; its number stands in the path."""

    async def _find(self, action: str, name: str) -> int:
        """Its number, if it is there and the user may read or write its channel."""
        if not _is_number(name):
            raise BadRequest(f"a dead letter has a number, not {name[:50]!r}")
        number = int(name)
        channel = await self.host.layer.channel_of_dead(number)
        await self.host.policy.require(self.current_user, action, "channel", channel)
        return number


class DeadLetterHandler(_OneHandler):
    """``api/dead-letters/<number>``."""

    @verb("read", "layer")
    async def get(self, name: str) -> Any:
        """All that is known of it."""
        number = await self._find("read", name)
        for dead in await self.host.layer.dead(MOST):
            if dead.number == number:
                return _described(dead)
        raise NotFound(f"there is no dead letter {number} any more")

    @verb("write", "layer")
    async def delete(self, name: str) -> Any:
        """Forget it."""
        number = await self._find("write", name)
        await self.host.layer.discard(number)
        return {"discarded": number}


class ResendHandler(_OneHandler):
    """``api/dead-letters/<number>/resend``."""

    @verb("write", "layer")
    async def post(self, name: str) -> Any:
        """Put it back into its channel."""
        receipt = await self.host.layer.resend(await self._find("write", name))
        return receipt.to_wire() | {"text": repr(receipt)}


def _described(dead: DeadLetter, *traceback: int) -> dict[str, Any]:
    encoded = dead.letter.encoded
    shown = describe(
        Record(ENTRY, encoded.codec, 0, "", 0, 0, dead.number, dead.letter.time, 0, encoded.body)
    )
    kept = {key: shown[key] for key in ("codec", "message", "omitted")}
    return dead.describe(*traceback) | kept


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16
