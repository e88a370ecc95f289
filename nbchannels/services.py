"""The routes that this process has in service on one layer, and the router that shows them."""

import itertools
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from nbchannels.bridge import user_bridge
from nbchannels.layers.bindings import Binding
from nbchannels.message import Message
from nbchannels.routes import Match, Router
from nbchannels.service import Service

__all__ = ["Served", "Services", "ServiceRouter", "Serving"]


class Served(Protocol):
    """A layer on which consumers can be put in service."""

    @property
    def services(self) -> "Services":
        """Those of this process."""


class Serving(Protocol):
    """How messages get to a service: over a connection, or from the layer in this process."""

    async def begin(self, number: int, service: Service, binding: Binding) -> None:
        """From now on messages for the binding go to the service.

        Raises:
            ChannelsError: they cannot.
        """

    async def end(self, number: int) -> None:
        """No more of them; what is in hand is still worked on."""


class Services:
    """The services of this process on one layer: at most one for each binding.

    Args:
        serving: brings the messages.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._services: dict[int, tuple[Binding, Service]] = {}

    def __iter__(self) -> Iterator[Service]:
        with self._lock:
            return iter(list(dict.fromkeys(service for _, service in self._services.values())))

    def __len__(self) -> int:
        return len(self._services)

    def get(self, number: int) -> Service | None:
        """The service with this number of a binding."""
        found = self._services.get(number)
        return None if found is None else found[1]

    def items(self) -> Iterable[tuple[int, Binding, Service]]:
        """The numbers, bindings and services, in their order."""
        with self._lock:
            return [(number, *found) for number, found in self._services.items()]

    def on(self, channel: str) -> list[Service]:
        """The services of this process that may get a message of this channel."""
        return list(dict.fromkeys(service for _, b, service in self.items() if b.serves(channel)))

    async def add(self, service: Service) -> None:
        """Put a route in service; whoever served the same binding is replaced.

        The new one is there before the old one ends: no message meets a moment without either.

        Raises:
            ChannelsError: it cannot be; what was there before stays.
        """
        for binding in service.bindings:
            replaced = [number for number, known, _ in self.items() if known == binding]
            number = next(self._numbers)
            with self._lock:
                self._services[number] = (binding, service)
            try:
                await self._serving.begin(number, service, binding)
            except BaseException:
                with self._lock:
                    self._services.pop(number, None)
                raise
            for known_number in replaced:
                await self._remove(known_number)

    async def remove(self, channel: str | None = None) -> int:
        """Take the services of a channel (a name or glob as it was given), or all, out of service.

        Returns:
            How many bindings that were.
        """
        gone = [n for n, binding, _ in self.items() if channel in (None, binding.channel)]
        error: Exception | None = None
        for number in gone:
            try:
                await self._remove(number)
            except Exception as failed:  # the others end, too
                error = error or failed
        if error is not None:
            raise error
        return len(gone)

    async def _remove(self, number: int) -> None:
        with self._lock:
            _, gone = self._services.pop(number, (None, None))
            rest = any(service is gone for _, service in self._services.values())
        try:
            await self._serving.end(number)
        finally:
            if gone is not None and not rest:
                user_bridge.start(gone.end())


class ServiceRouter:
    """What ``channel_layers[alias].router`` is: the routes of this process on one layer.

    Args:
        services: those in service.
        routing: further routes, of the configuration.

    Source: the Channels 1.x Reference, "Channel Layer".
    """

    def __init__(self, services: Iterable[Service], routing: Any = None) -> None:
        self._services = services
        self._routing = Router(routing) if routing is not None else None

    @property
    def channels(self) -> set[str]:
        """The channels, and globs of channels, that have a consumer."""
        names = {name for service in self._services for name in service.channels}
        return names | (self._routing.channels if self._routing is not None else set())

    def match(self, message: Message) -> Match | None:
        """The consumer of a message and its keyword arguments, or ``None``: names before globs."""
        found = Router([service.route for service in self._services]).match(message)
        if found is None and self._routing is not None:
            found = self._routing.match(message)
        return found
