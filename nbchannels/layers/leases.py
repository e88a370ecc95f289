"""What a consumer holds while it works: one message, until it is settled."""

from typing import NamedTuple

from nbchannels.protocol.events import Outcome
from nbchannels.typing import MessageDict

__all__ = ["MOST_RETRIES", "MOST_RETURNS", "Lease", "Outcome"]

#: How often a message is put to the back before it goes to the dead letters: Channels 1.x' default.
MOST_RETRIES = 10
#: How often a message comes back from holders that died, before it goes to the dead letters.
MOST_RETURNS = 10


class Lease(NamedTuple):
    """One message in the hands of a consumer; `BaseChannelLayer.settle` ends it.

    Attributes:
        channel: it came from.
        number: of the lease.
        message: its content.
        time: when it was sent, in seconds since 1970.
        redelivered: somebody had it before, and did not settle it: it may have been worked on.
        retries: how often it was put to the back again (``ConsumeLater``).
    """

    channel: str
    number: int
    message: MessageDict
    time: float
    redelivered: bool = False
    retries: int = 0
