"""Scouts for tests: they remember what they are told, and take when they are asked to."""

from collections.abc import Hashable
from typing import Any

from nbchannels.layers.bindings import Binding


class FakeScout:
    """One route of one party."""

    def __init__(
        self, channel: str, *steps: tuple[str, str], party: Hashable = None, order: int = 0
    ) -> None:
        self.binding = Binding(channel, tuple(steps))
        self.order = order
        self.party = self if party is None else party
        self.news: list[Any] = []
        self.slow: list[float] = []
        self.refuses: set[str] = set()
        self.wants = 1

    def permits(self, channel: str) -> bool:
        return channel not in self.refuses

    def notify(self, channel: Any) -> None:
        self.news.append(channel)

    def too_slow(self, seconds: float) -> None:
        self.slow.append(seconds)

    def __repr__(self) -> str:
        return f"<{self.binding.channel} {self.binding.steps} of {self.party!r:.20}>"
