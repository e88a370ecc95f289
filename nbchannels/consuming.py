"""``@consume``: put a consumer in service, in a notebook, a script or the server."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from nbchannels.bridge import bridge
from nbchannels.exceptions import ImproperlyConfigured
from nbchannels.inprocess import LocalServing
from nbchannels.layers.base import BaseChannelLayer
from nbchannels.layers.manager import DEFAULT_CHANNEL_LAYER, get_channel_layer
from nbchannels.layers.receiving import ReceivingLayer
from nbchannels.places import Place
from nbchannels.routes import Include, Route, Router, RoutingObject
from nbchannels.service import Service
from nbchannels.services import ServiceRouter, Services

__all__ = ["consume", "router_of", "services_of", "unconsume"]

C = TypeVar("C", bound=Callable[..., Any])


def services_of(layer: BaseChannelLayer) -> Services:
    """What this process has in service on a layer.

    Raises:
        ImproperlyConfigured: the layer has only Channels' specification, and no consumers.
    """
    found = getattr(layer, "services", None)
    if isinstance(found, Services):
        return found
    if not isinstance(layer, ReceivingLayer):
        raise ImproperlyConfigured(
            f"{type(layer).__name__} (layer {layer.alias!r}) brings no messages to consumers; "
            "run nbchannels.worker.Worker on it, or receive in a loop"
        )
    # They belong to the layer and end with it; of two threads that make them, one is faster.
    made: Services = vars(layer).setdefault("services", Services(LocalServing(layer)))
    return made


def router_of(layer: BaseChannelLayer) -> ServiceRouter:
    """The routes of this process on a layer: its services, and those of the configuration."""
    return ServiceRouter(services_of(layer), layer.routing)


def consume(
    channels: str | Iterable[Any],
    *,
    capacity: int | None = None,
    expiry: float | None = None,
    reply: bool = False,
    on: Place | None = None,
    alias: str = DEFAULT_CHANNEL_LAYER,
    channel_layer: BaseChannelLayer | None = None,
    **filters: str,
) -> Any:
    r"""Have a function called with each message of a channel.

    ::

        @nb.consume("work")
        def work(message):
            print(message["job"])

        nb.consume([nb.route("http.request", page, path=r"^/page$"), nb.include(others)])

    Of several kernels that consume one channel, each message goes to one. A message is settled when
    the function has returned: if the kernel dies before, another one gets it, marked
    ``message.redelivered``. A function that raises puts the message to the dead letters, with its
    traceback; `ConsumeLater` puts it to the back of its channel, 10 times at most. Running the cell
    again replaces what served the same channel with the same filters.

    A plain function runs on a thread of its own, one message at a time, also while cells run; a
    coroutine function runs on the notebook's loop, between cells. What it prints appears in its
    cell's output.

    Args:
        channels: a name, a glob such as ``sensor.*``, several of them; or a table of routes.
        capacity: from now on of these channels: messages that wait before `ChannelFull`.
        expiry: from now on of these channels: seconds that a message waits, before it goes to the
            dead letters.
        reply: whether what the function returns, a dict, is sent to the ``reply_channel``.
        on: ``"main"`` runs a plain function between cells, too; ``"thread"`` runs a coroutine
            function beside them.
        alias: of the layer.
        channel_layer: the layer itself, instead of an alias.
        filters: regular expressions on keys of the message; their named groups become keyword
            arguments: ``@consume("http.request", path=r"^/user/(?P<user>\w+)$")``.

    Returns:
        A decorator that gives back what it gets; ``None`` for a table of routes.

    Raises:
        ImproperlyConfigured: a name, pattern or filter that cannot be.
        LayerUnavailable, PermissionDenied: the server cannot be reached, or refuses.

    Source: the Channels 1.x Reference, "Consumers"; the decorator is our own.
    """
    options: dict[str, Any] = {
        "capacity": capacity,
        "expiry": expiry,
        "reply": reply,
        "on": on,
    }
    layer = channel_layer
    entries: Any = [channels] if isinstance(channels, (str, bytes)) else list(channels)
    if not all(isinstance(entry, (str, bytes)) for entry in entries):
        if filters:
            raise ImproperlyConfigured(
                f"filters ({', '.join(filters)}) beside a table of routes; write them into its "
                "routes: route(channel, consumer, path=…), or behind include(routes, path=…)"
            )
        made = [Service(route, known, **options) for route, known in _flat(Router(entries).routing)]
        services = services_of(layer if layer is not None else get_channel_layer(alias))
        for service in made:
            bridge.run(services.add(service))
        return None

    def put_in_service(consumer: C) -> C:
        if not callable(consumer):
            raise ImproperlyConfigured(f"@consume takes a function or a class, not {consumer!r}")
        services = services_of(layer if layer is not None else get_channel_layer(alias))
        service = Service(Route(entries, consumer, **filters), consumer, **options)
        bridge.run(services.add(service))
        return consumer

    return put_in_service


def unconsume(
    channel: str | None = None,
    *,
    alias: str = DEFAULT_CHANNEL_LAYER,
    channel_layer: BaseChannelLayer | None = None,
) -> int:
    """End the service of a channel in this process; what is being worked on is finished.

    Args:
        channel: as it was given to `consume`; ``None`` ends all.
        alias: of the layer.
        channel_layer: the layer itself, instead of an alias.

    Returns:
        How many were ended.
    """
    layer = channel_layer if channel_layer is not None else get_channel_layer(alias)
    return bridge.run(services_of(layer).remove(channel))


def _flat(entries: Iterable[RoutingObject]) -> Iterator[tuple[RoutingObject, Any]]:
    """The routes one by one in their order, each with its consumer if it is known."""
    for entry in entries:
        if isinstance(entry, Include):
            prefixes = {key: pattern.pattern for key, pattern in entry.prefixes.items()}
            for inner, consumer in _flat(entry.routing):
                yield Include([inner], **prefixes), consumer
        else:
            yield entry, getattr(entry, "consumer", None)
