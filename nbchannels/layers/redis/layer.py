"""The layer on Redis: many servers, kernels and scripts, one set of channels and groups.

What is read here is a mirror of what is in Redis, or was taken from there; the same local state as
in memory, so that whoever hosts this layer works on it in the same way. All input and output is on
the thread ``nbchannels``; other loops await.
"""

import contextlib
import itertools
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from nbchannels.bridge import bridge
from nbchannels.encoding import Encoded, encode
from nbchannels.exceptions import (
    ChannelsError,
    EncodingError,
    InvalidChannelLayerError,
    LayerUnavailable,
)
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.redis.entries import Entry, Keys
from nbchannels.layers.redis.following import FollowingLayer
from nbchannels.layers.redis.graveyard import Graveyard
from nbchannels.layers.redis.groups import Groups
from nbchannels.layers.redis.inboxes import Inboxes
from nbchannels.layers.redis.outbox import Outbox, Parcel
from nbchannels.layers.redis.posting import Posting
from nbchannels.layers.redis.presence import Presence
from nbchannels.layers.redis.queues import Queues
from nbchannels.layers.redis.sealing import Seal
from nbchannels.layers.redis.sending import SendingLayer
from nbchannels.layers.redis.taking import TakingLayer
from nbchannels.layers.redis.topology import ways
from nbchannels.layers.redis.upkeep import Upkeep
from nbchannels.layers.registry import Bounds

__all__ = ["RedisChannelLayer"]

T = TypeVar("T")

#: Seconds that an exit waits until what is in hand is given back.
EXIT = 1.0

log = logging.getLogger("nbchannels")


class RedisChannelLayer(SendingLayer, FollowingLayer, TakingLayer):
    """Channels and groups on Redis.

    ::

        {"BACKEND": "nbchannels.layers.RedisChannelLayer", "CONFIG": {"hosts": ["redis://…"]}}

    An acknowledgement means: on the Redis primary. A failover may lose what was acknowledged;
    subscribers are told. ``options`` are the bounds that `InMemoryChannelLayer` takes.

    Args:
        hosts: one Redis: ``["redis://host:6379/0"]``, ``rediss://`` or ``unix://``; a tuple
            ``(host, port)``; or a dict, with options of redis-py's connections (``username``,
            ``password``, ``ssl``, ``ssl_ca_certs``, …): ``{"address": URL, …}``,
            ``{"sentinels": [(host, port), …], "master_name": name, …}`` or, for a Redis Cluster,
            some of its nodes: ``{"cluster": [(host, port), …], …}``.
        prefix: of all keys; deployments with different ones know nothing of each other.
        expiry: see `BaseChannelLayer`.
        group_expiry: see `BaseChannelLayer`.
        capacity: see `BaseChannelLayer`.
        channel_capacity: see `BaseChannelLayer`.
        symmetric_encryption_keys: see `Seal`.
        channel_expiry: other expiries, by glob or compiled pattern of the channel's name.
        patience: seconds that a call waits for Redis, before it fails with `LayerUnavailable`.
        lease: seconds after which a process that gives no sign of life counts as dead: what it had
            in hand goes to others, and its people are gone. At least 3.

    Source: the options of channels_redis; section 9 of the design.
    """

    backend = "redis"

    def __init__(
        self,
        hosts: Any = None,
        prefix: str = "nbchannels",
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, Any] | None = None,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        *,
        channel_expiry: Mapping[Any, Any] | None = None,
        patience: float = 4.0,
        lease: float = 60.0,
        history: int = Bounds().history,
        history_bytes: int = Bounds().history_bytes,
        total_history_bytes: int = Bounds().total_history_bytes,
        mailbox_bytes: int = Bounds().mailbox_bytes,
        max_groups: int = Bounds().groups,
        max_channels: int = Bounds().channels,
    ) -> None:
        super().__init__(
            expiry, capacity, channel_capacity, group_expiry, channel_expiry=channel_expiry,
            bounds=Bounds(history, history_bytes, total_history_bytes, mailbox_bytes, max_groups,
                          max_channels),
        )  # fmt: skip
        self.require_positive("patience", patience)
        self.require_positive("lease", lease)
        if lease < 3:
            raise InvalidChannelLayerError(f"lease is {lease!r}; it must be at least 3 seconds")
        self._lease = float(lease)
        self._way, self._keys, self._patience = ways(hosts), Keys(prefix), patience
        self.seal = Seal(symmetric_encryption_keys)
        # What a fork left to the parent: alive, for whoever ends it ends it for both.
        self._left: list[Any] = []
        self._begin()
        bridge.listen(self)

    def _begin(self) -> None:
        #: The local state, and what guards it.
        self.registry, self.lock = self._registry, self._lock
        way = self._way
        self.backbone = way.backbone(self._keys, self._connected, self._patience)
        self.backbone.lease, self.backbone.renewal = self._lease, self._lease / 3
        self.graveyard = Graveyard(self.backbone)
        self._groups = Groups(self)
        self._queues = Queues(self)
        self._posting = Posting(self, self._queues.news)
        self._inboxes = Inboxes(self)
        self._presence = Presence(self)
        self._upkeep = Upkeep(
            self.backbone, self._groups, self._queues, self._inboxes, self._presence, self
        )
        self._outbox = Outbox(self.soon, self._publish, self._put, way.where)
        self._sequences = itertools.count(1)
        self._is_closed = False

    def forked(self) -> None:
        """After a fork, in the child: connections, and what is in hand, stayed with the parent."""
        self._left.append((self.backbone, self._groups, self._queues, self._inboxes, self._upkeep))
        self._left.append((self._outbox, self._registry, self._held, self._presence))
        self._forget()
        self._begin()

    def exiting(self) -> None:
        """The interpreter ends: what is in hand goes back, for up to 1 s."""
        if self.backbone.is_used and not self._is_closed:
            with contextlib.suppress(TimeoutError, ChannelsError):
                bridge.run(self.close(), EXIT)

    def open(self) -> None:
        """See `HostedLayer.open`: the connection is made."""
        self.soon(self._upkeep.open)

    # What the parts need of their layer.

    @property
    def trouble(self) -> str | None:  # type: ignore[override]
        """Why Redis does not answer now, in a sentence; ``None`` while it does."""
        return self.backbone.trouble or None

    @property
    def where(self) -> str:  # type: ignore[override]
        """See `HostedLayer.where`."""
        return f"Redis at {self.backbone.where}"

    @property
    def word(self) -> str | None:  # type: ignore[override]
        """See `HostedLayer.word`."""
        return self._upkeep.word

    async def commons(self) -> str:
        """See `HostedLayer.commons`: of this Redis and this prefix."""
        return await self._on_loop(self._upkeep.commons())

    def new_log(self, epoch: str, before: tuple[str, ...], top: int = 0, edge: int = 0) -> Any:
        """An empty log with a number of its own."""
        return self._registry.new_log(epoch, before, top, edge)

    def random_tag(self) -> int:
        """32 random bits."""
        return secrets.randbits(32)

    def sealed(self, parcel: Parcel) -> Encoded:
        """Its message, encrypted where that is wanted."""
        return self.seal.seal(parcel.encoded)

    def opened(self, entry: Entry) -> Encoded:
        """The message of an entry. One that cannot be read keeps its place, and says so."""
        try:
            return self.seal.open(entry.encoded)
        except EncodingError as error:
            self.backbone.lose(str(error), "symmetric_encryption_keys")
            return encode({"type": "nbchannels.unreadable", "error": str(error)})

    def opened_letter(self, letter: Letter) -> Letter:
        """A letter, decrypted."""
        return letter._replace(encoded=self.seal.open(letter.encoded))

    def _connected(self) -> None:
        """A connection was made: what was told meanwhile is not known."""
        self._groups.doubt_all()
        self._queues.doubt_all()
        self._inboxes.doubt_all()
        self._upkeep.connected()

    # The layer as a whole.

    def sweep(self) -> None:
        """Forget what has expired in this process; Redis is looked after on its own."""
        with self._lock:
            self._registry.expire_all(self._clock())
        self.tell_lost()

    async def names(self) -> dict[str, list[str]]:
        """See `BaseChannelLayer.names`; of all that share this Redis."""
        return await self._on_loop(self._upkeep.names())

    async def statistics(self) -> dict[str, Any]:
        """The counters of this process, and how much there is in Redis, while it answers."""
        here = await super().statistics()
        if not self.trouble:
            with contextlib.suppress(LayerUnavailable):
                here |= await self._on_loop(self._upkeep.totals())
        return here

    async def flush(self) -> None:
        """See `BaseChannelLayer.flush`; for all that share this Redis and this prefix."""
        await self._on_loop(self._upkeep.flush())
        await super().flush()

    async def close(self) -> None:
        """Give back what is in hand, and end the connections; what is in Redis stays."""
        if self._is_closed:
            return
        await self._on_loop(self._close())

    async def _close(self) -> None:
        await self._upkeep.finish()  # what failed is buried, and must not go back besides
        is_clean = await self._queues.close()
        self._is_closed = True
        await self._outbox.close()
        await self._upkeep.close(lives_on=not is_clean)
        await self._presence.close()
        self._groups.close()
        self._inboxes.close()
        await self.backbone.close()
