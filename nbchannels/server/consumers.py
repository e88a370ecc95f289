"""The consumers that kernels and scripts have registered, and how messages reach them.

A consumer is told which channels have news, takes from them as long as it has credit, and gets its
credit back when it settles. Its registration outlives a connection; it ends with its client.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from nbchannels.diagnoses import report
from nbchannels.exceptions import ChannelsError, ImproperlyConfigured
from nbchannels.inprocess import LocalConsumer
from nbchannels.layers.bindings import Binding
from nbchannels.layers.hosted import HostedLayer
from nbchannels.layers.mailbox import Letter
from nbchannels.layers.scouts import SLOW
from nbchannels.protocol.events import Outcome
from nbchannels.receipt import Receipt
from nbchannels.server.clients import Client, Lease

__all__ = ["Deliverer", "KernelConsumer", "Post", "describe_all", "read_consumer"]

#: Consumers of one client; deliveries that one consumer may hold; characters of its description.
MOST_CONSUMERS, MOST_CREDIT, MOST_TEXT = 500, 1_000, 300


class Deliverer(Protocol):
    """The connection of the client, while there is one."""

    @property
    def writable(self) -> bool:
        """Whether its socket takes more now."""

    @property
    def is_stalled(self) -> bool:
        """Whether its socket was found not to take more; from any thread."""

    def deliver(self, channel: str, letter: Letter, consumer: "KernelConsumer | None") -> None:
        """Hand one message over."""

    def complain(self, error: ChannelsError) -> None:
        """Tell the client of an error that answers nothing."""


class Source(Protocol):
    """Where messages for one consumer wait, if not in a channel of the layer."""

    def take(self, consumer: "KernelConsumer") -> tuple[str, Letter] | None:
        """The next message, if this consumer serves it."""

    def announce(self) -> None:
        """Tell the consumer that serves the next message, which may be another one by now."""


class Post(Protocol):
    """What consumers need of the hub."""

    layer: HostedLayer

    def connection_of(self, client: Client) -> Deliverer | None:
        """The client's connection; ``None`` while it is away."""

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function on the server's loop; from any thread."""


class KernelConsumer:
    """One consumer of a client, as the server serves it: a scout of the layer.

    Args:
        post: the hub.
        client: whose it is.
        number: that the client gave it; deliveries bear it.
        binding: which messages it takes.
        credit: messages that it holds at the same time.
        about: for people: ``function``, ``on``.
        may_read: whether the client may read a channel.
        capacity: that it wants for its channels.
        expiry: that it wants for its channels.

    Attributes:
        party: the client, whose consumers are considered in their order.
        order: its place among them.
        held: how many messages it has in hand.
        counts: ``taken``, ``done``, ``failed``, ``later``, ``returned``.
        slowest: the longest time between a delivery and its settlement, in seconds.
        error: the last sentence of a failure.
    """

    def __init__(
        self,
        post: Post,
        client: Client,
        number: int,
        binding: Binding,
        credit: int,
        about: dict[str, str],
        may_read: Callable[[str], bool],
        capacity: int | None = None,
        expiry: float | None = None,
    ) -> None:
        self.binding = binding
        self.party = client
        self.order = self.number = number
        self.credit = credit
        self.about = about
        self.held = 0
        self.counts = {"taken": 0, "done": 0, "failed": 0, "later": 0, "returned": 0}
        self.slowest = 0.0
        self.error = ""
        self._post = post
        self._may_read = may_read
        self.capacity = capacity
        self.expiry = expiry
        # Where there may be something; a dict keeps the order in which the news came. They come
        # from any thread, and are looked at on the server's loop.
        self._lock = threading.Lock()
        self._ready: dict[str | Source, None] = {}
        self._is_scheduled = False
        self._is_over = False

    # Getting messages.

    @property
    def wants(self) -> int:
        """See `Scout.wants`."""
        connection = self._post.connection_of(self.party)
        if self._is_over or connection is None or connection.is_stalled:
            return 0
        return max(0, self.credit - self.held)

    def permits(self, channel: str) -> bool:
        """See `Scout.permits`."""
        return self._may_read(channel)

    def notify(self, channel: "str | Source") -> None:
        """See `Scout.notify`."""
        with self._lock:
            self._ready[channel] = None
        if self.held < self.credit:
            self.schedule()

    def schedule(self) -> None:
        """Look for messages soon."""
        if not self._is_scheduled and not self._is_over:
            self._is_scheduled = True
            self._post.soon(self._pour)

    def resume(self) -> None:
        """There is credit, or a connection, that was not there before."""
        self.schedule()
        if not self._is_over:
            self._post.layer.wants_more(self)

    def _pour(self) -> None:
        self._is_scheduled = False
        connection = self._post.connection_of(self.party)
        while self.held < self.credit and not self._is_over:
            if connection is None or not connection.writable:
                return  # the connection calls `schedule` when it can
            source = self._next()
            if source is None:
                return
            found, again = self._take(source)
            if again:
                with self._lock:
                    self._ready[source] = None
            if found is not None:
                self.held += 1
                self.counts["taken"] += 1
                connection.deliver(*found, self)
            elif again:  # there is more to look at: others have their turn first
                self.schedule()
                return

    def _next(self) -> "str | Source | None":
        """Where to look next. Forgotten before: news that come meanwhile stand there again."""
        with self._lock:
            source = next(iter(self._ready), None)
            if source is not None:
                del self._ready[source]
            return source

    def _take(self, source: "str | Source") -> tuple[tuple[str, Letter] | None, bool]:
        """A message for this consumer, and whether to look there again."""
        if not isinstance(source, str):
            found = source.take(self)
            return found, found is not None
        letter, again = self._post.layer.take_for(self, source)
        return None if letter is None else (source, letter), again

    # What becomes of them.

    def settled(self, lease: Lease, outcome: Outcome, error: str) -> None:
        """A message is out of its hands."""
        self.held -= 1
        word = {"fail": "failed", "return": "returned"}.get(outcome, outcome)
        self.counts[word] += 1
        self.slowest = max(self.slowest, time.monotonic() - lease.since)
        if outcome == "fail":
            self.error = error
        self.resume()

    def is_same(self, other: "KernelConsumer") -> bool:
        """Whether this is the same registration, told again."""
        mine, its = (
            (one.binding, one.credit, one.about, one.capacity, one.expiry) for one in (self, other)
        )
        return mine == its

    def end(self) -> None:
        """It takes nothing more; what was announced to it is announced to others."""
        self._is_over = True
        self._post.layer.dismiss(self)
        with self._lock:
            left, self._ready = list(self._ready), {}
        for source in left:
            if not isinstance(source, str):
                source.announce()

    def too_slow(self, seconds: float) -> None:
        """See `Scout.too_slow`: it ends, as the server waits for its filters."""
        if not self._is_over:
            self._is_over = True
            self._post.soon(lambda: self._refuse(seconds))

    def _refuse(self, seconds: float) -> None:
        error = ImproperlyConfigured(
            f"the filters of channel {self.binding.channel!r} took {seconds:.1f} s for one "
            f"message, and the server waits for them no longer than {SLOW:g} s: this consumer has "
            "ended; write simpler expressions, and look closer in the consumer"
        )
        if self.party.consumers.get(self.number) is self:
            del self.party.consumers[self.number]
        if len(self.party.slow) < MOST_CONSUMERS:
            self.party.slow.add(self.binding)
        self.end()
        report("slow-filter", f"{self.shown}: {error}", subject=self.shown)
        connection = self._post.connection_of(self.party)
        if connection is not None:
            connection.complain(error)

    def __call__(self, message: Any) -> None:
        """Run for one message: puts it into its channel, from where it is delivered.

        A failure that is known only later is reported.

        Raises:
            ChannelFull: see `BaseChannelLayer.send`.
        """
        layer, channel = self._post.layer, message.channel.name
        result = layer.submit("channel", channel, layer.encode(message.content))
        if not isinstance(result, Receipt):
            result.add_done_callback(lambda done: _report_failure(channel, done))

    def describe(self) -> dict[str, Any]:
        """For the inspector, REST and ``%channels``."""
        return {
            "channel": self.binding.channel,
            "filters": [list(step) for step in self.binding.steps],
            "client": self.party.label or self.party.principal,
            "where": self.party.kind,
            "client_key": self.party.key,
            "connected": self.party.connection is not None,
            "number": self.number,
            "held": self.held,
            "credit": self.credit,
            "slowest": self.slowest,
            "error": self.error,
            **self.about,
            **self.counts,
        }

    @property
    def shown(self) -> str:
        """For people: the function, and where it runs."""
        function = self.about.get("function") or "a consumer"
        return f"{function} of {self.party.label or self.party.principal}"

    def __repr__(self) -> str:
        return f"<KernelConsumer {self.binding.channel!r}: {self.shown}>"


def _report_failure(channel: str, done: Future[Receipt]) -> None:
    error = done.exception() if not done.cancelled() else None
    if error is not None:
        report(
            "failed-send", f"a message for channel {channel!r} was not sent: {error}",
            subject=channel,
        )  # fmt: skip


def describe_all(layer: HostedLayer) -> list[dict[str, Any]]:
    """The consumers of a layer, those of the server and of clients, by channel and client."""
    found = [
        scout.describe()
        for scout in layer.enlisted()
        if isinstance(scout, (KernelConsumer, LocalConsumer))
    ]
    return sorted(found, key=lambda consumer: (consumer["channel"], consumer["client"]))


def read_consumer(
    post: Post, client: Client, wanted: dict[str, Any], may_read: Callable[[str], bool]
) -> KernelConsumer:
    """A consumer as a client describes it.

    Raises:
        ChannelsError: the description is not one.
    """
    number: Any = wanted.get("number")
    credit: Any = wanted.get("credit", 1)
    if not _is_count(number, 2**32) or not _is_count(credit, MOST_CREDIT):
        raise _bad(f"a consumer with number {number!r} and credit {credit!r}")
    if number not in client.consumers and len(client.consumers) >= MOST_CONSUMERS:
        raise _bad(f"{len(client.consumers)} consumers of one client, the limit")
    capacity, expiry = wanted.get("capacity"), wanted.get("expiry")
    if capacity is not None and not _is_count(capacity, 10**7):
        raise _bad(f"a capacity of {capacity!r}; it is a number of messages from 1 to 10,000,000")
    if expiry is not None and not (type(expiry) in (int, float) and 0 < expiry < 10**9):
        raise _bad(f"an expiry of {expiry!r}; it is a number of seconds above 0")
    binding = Binding.from_wire(wanted.get("binding"))
    if binding in client.slow:
        raise ImproperlyConfigured(
            f"the filters of channel {binding.channel!r} took longer than {SLOW:g} s for one "
            "message before; write simpler expressions, and look closer in the consumer"
        )
    about: dict[str, str] = {
        key: str(wanted[key])[:MOST_TEXT] for key in ("function", "on", "cell") if key in wanted
    }
    return KernelConsumer(post, client, number, binding, credit, about, may_read, capacity, expiry)


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 0 < value <= most


def _bad(message: str) -> ChannelsError:
    error = ChannelsError(message)
    error.code = "bad_request"
    return error
