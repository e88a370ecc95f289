"""Metrics on Jupyter's own ``/metrics``, for Prometheus.

Everything is read when it is scraped, from counters that are there anyway: nothing is added to the
way of a message. No label holds a name that users choose, so the number of series is bounded.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Protocol, get_args

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from nbchannels.layers import survey
from nbchannels.layers.deadletters import Reason
from nbchannels.layers.hosted import HostedLayer
from nbchannels.server.hub import Hub

__all__ = ["KINDS", "Metrics"]

#: Of clients.
KINDS = ("page", "kernel", "script")
#: What answers HTTP requests, and the classes of its answers.
DOORS, CLASSES = ("api", "http", "app"), ("1xx", "2xx", "3xx", "4xx", "5xx")

log = logging.getLogger("nbchannels")


class Counted(Protocol):
    """The host.

    Attributes:
        answered: HTTP requests by door and class of status.
    """

    layer: HostedLayer
    hub: Hub
    answered: Counter[tuple[str, str]]


class Metrics:
    """What Prometheus' client asks; see its documentation on custom collectors.

    Args:
        host: whose counters are told.
        registry: Jupyter's ``/metrics`` shows the default one.
    """

    def __init__(self, host: Counted, registry: CollectorRegistry = REGISTRY) -> None:
        self._host = host
        self._registry = registry
        self._is_registered = False

    def start(self) -> None:
        """Be asked from now on. Of two servers in one process the first is told of."""
        try:
            self._registry.register(self)
        except ValueError:
            log.warning("nbchannels: another server in this process has its metrics on /metrics")
        else:
            self._is_registered = True

    def stop(self) -> None:
        """Be asked no more. Idempotent."""
        if self._is_registered:
            self._is_registered = False
            self._registry.unregister(self)

    def describe(self) -> Iterator[Metric]:
        """The metrics without numbers: their names are taken then."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        totals = survey.totals(self._host.layer)
        yield from self._messages(totals)
        yield from self._held(totals)
        yield from self._people()
        yield from self._failures(totals)
        yield _gauge(
            "loop_delay_seconds", "How late the server's loop was, last time", self._host.hub.delay
        )
        requests = CounterMetricFamily(
            "nbchannels_http_requests",
            "HTTP requests answered: REST, consumers (http), the ASGI application (app)",
            labels=["door", "status"],
        )
        for door in DOORS:
            for status in CLASSES:
                requests.add_metric([door, status], self._host.answered[door, status])
        yield requests

    def _messages(self, totals: dict[str, int]) -> Iterator[Metric]:
        sent = CounterMetricFamily(
            "nbchannels_messages_sent", "Messages sent to groups and channels", labels=["kind"]
        )
        sent.add_metric(["group"], totals["group_sent"])
        sent.add_metric(["channel"], totals["sent"])
        yield sent
        yield _counter(
            "messages_dropped", "Messages that a full member, or a closed channel, did not get",
            totals["dropped"],
        )  # fmt: skip
        yield _counter(
            "messages_expired", "Messages that nobody took in time", totals["expired"]
        )  # fmt: skip
        yield _counter(
            "messages_refused", "Messages refused since a channel was full", totals["refused"]
        )

    def _held(self, totals: dict[str, int]) -> Iterator[Metric]:
        yield _gauge("groups", "Groups", totals["groups"])
        yield _gauge("channels", "Channels", totals["channels"])
        yield _gauge("history_bytes", "Bytes in the logs of all groups", totals["history_bytes"])
        yield _gauge("waiting_bytes", "Bytes waiting in all channels", totals["waiting_bytes"])
        leases = totals["leased"] + sum(len(client.leases) for client in self._host.hub.clients)
        yield _gauge("leases", "Messages in somebody's hands, not settled", leases)
        yield _gauge("dead_letters_held", "Dead letters that are kept", totals["dead"])

    def _people(self) -> Iterator[Metric]:
        hub = self._host.hub
        connections: Counter[str] = Counter(c.client.kind for c in list(hub.connections.values()))
        clients: Counter[str] = Counter(client.kind for client in hub.clients)
        yield _by_kind("connections", "Open WebSockets", connections)
        yield _by_kind("clients", "Clients, those away for less than a minute too", clients)
        yield _counter("connections_opened", "WebSockets let in", hub.counters["connected"])
        yield _counter("connections_refused", "WebSockets refused", hub.counters["refused"])
        yield _counter(
            "connections_stalled", "WebSockets closed since they left their data unread",
            hub.counters["stalled"],
        )  # fmt: skip
        yield _counter(
            "protocol_errors", "WebSockets closed since they broke the protocol",
            hub.counters["protocol_errors"],
        )  # fmt: skip

    def _failures(self, totals: dict[str, int]) -> Iterator[Metric]:
        yield _counter("consumer_failures", "Messages on which a consumer failed", totals["failed"])
        _, reasons = survey.buried(self._host.layer)
        dead = CounterMetricFamily(
            "nbchannels_dead_letters", "Messages that were given up", labels=["reason"]
        )
        for reason in get_args(Reason):
            dead.add_metric([reason], reasons.get(reason, 0))
        yield dead


def _counter(name: str, said: str, value: float) -> Metric:
    return CounterMetricFamily(f"nbchannels_{name}", said, value=value)


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"nbchannels_{name}", said, value=value)


def _by_kind(name: str, said: str, numbers: Counter[str]) -> Metric:
    family = GaugeMetricFamily(f"nbchannels_{name}", said, labels=["kind"])
    for kind in KINDS:
        family.add_metric([kind], numbers[kind])
    return family
