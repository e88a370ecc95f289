"""``track``: how far a loop is, on every screen that watches."""

import numbers
import operator
import secrets
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

from nbchannels.bridges.outlets import PACE, Outlet, Parcel
from nbchannels.channel import Group
from nbchannels.exceptions import shown
from nbchannels.names import require_group_name

__all__ = ["Track", "track"]

T = TypeVar("T")
#: Seconds between two messages, if nothing else is said.
EVERY = 0.1
#: Messages that the rate is taken from.
RECENT = 50


class _News(Outlet):
    """The newest state of a loop; what is older is not worth sending any more."""

    word = "state"

    def __init__(self, group: Group, pace: float, of: "Track[Any]") -> None:
        self.pace = pace
        self._of = of
        super().__init__(group)

    def begin_anew(self) -> None:
        super().begin_anew()
        self._has_news = False

    def put(self) -> None:
        self._has_news = True
        if not self.is_announced:
            self.announce()

    @property
    def is_empty(self) -> bool:
        return not self._has_news

    def take(self) -> list[Parcel]:
        if not self._has_news:
            return []
        self._has_news = False
        return [Parcel(self._of.content())]


class Track(Generic[T]):
    """A loop, and how far it is; made by `track`.

    Attributes:
        group: that it tells.
        n: how much is done.
        total: of how much; ``None`` if that is not known.
        state: ``"waiting"``, ``"running"``, ``"finished"``, ``"stopped"`` or ``"failed"``.
        error: what it failed with, in a sentence.
    """

    def __init__(
        self, group: Group, iterable: Any, total: float | None, every: float, label: str
    ) -> None:
        self.group = group
        self.n: float = 0
        self.total = total
        self.state = "waiting"
        self.error = ""
        self.label = label
        self._iterable = iterable
        self._id = secrets.token_hex(8)
        self._begun = self._ended = 0.0
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT)
        self._news = _News(group, every, self)

    # As it goes on.

    def begin(self) -> None:
        """It runs now. Idempotent.

        Raises:
            ChannelsError: nothing can be sent.
        """
        if self.state != "running":
            self.n, self.state, self.error = 0, "running", ""
            self._begun = time.monotonic()
            self._recent.clear()
            self._news.put()

    def update(self, n: float = 1) -> None:
        """So much more is done; begins if it has not. What cannot be sent is told, not raised."""
        if self.state == "waiting":
            self.begin()
        self.n += n
        news = self._news
        if not news._has_news:
            news.put()

    def end(self, state: str = "finished", error: str = "") -> None:
        """It has ended; the first end counts."""
        if self.state == "running":
            self._ended = time.monotonic()
            self.state, self.error = state, error
            self._news.put()

    @property
    def elapsed(self) -> float:
        """Seconds since it began, until it ended."""
        if self.state == "waiting":
            return 0.0
        return (time.monotonic() if self.state == "running" else self._ended) - self._begun

    @property
    def rate(self) -> float | None:
        """So much a second, of late; ``None`` before anything is done."""
        elapsed = self.elapsed
        then, done = 0.0, 0.0
        if self.state == "running" and self._recent:
            then, done = self._recent[0]
        if not self.n or elapsed <= then:
            return None
        return (self.n - done) / (elapsed - then)

    @property
    def remaining(self) -> float | None:
        """Seconds it will still take, if all goes on so; ``None`` if that cannot be said."""
        rate = self.rate
        if self.total is None or not rate or self.state != "running":
            return None
        return max(self.total - self.n, 0) / rate

    def content(self) -> dict[str, Any]:
        """The message that tells how far it is."""
        elapsed, rate, remaining = self.elapsed, self.rate, self.remaining
        self._recent.append((elapsed, self.n))
        found = {
            "type": "nbchannels.progress",
            "id": self._id,
            "n": self.n,
            "total": self.total,
            "rate": rate,
            "remaining": remaining,
            "elapsed": elapsed,
            "done": self.state not in ("waiting", "running"),
            "state": self.state,
        }
        if self.label:
            found["label"] = self.label
        if self.error:
            found["error"] = self.error
        return found

    # As a loop.

    def __iter__(self) -> Iterator[T]:
        if not hasattr(self._iterable, "__iter__"):
            raise TypeError(
                f"track({self.group.name!r}, {shown(self._iterable)}): {self._for_instead}"
            )
        is_outer = self.state != "running"
        self.begin()
        done, error = "stopped", ""  # a break, or an exception of the body
        try:
            for item in self._iterable:
                yield item
                self.update()
            done = "finished"
        except Exception as raised:  # of the iterable
            done, error = "failed", _sentence(raised)
            raise
        finally:
            if is_outer or done != "stopped":  # inside a with, its end knows better
                self.end(done, error)

    async def __aiter__(self) -> AsyncIterator[T]:
        if not hasattr(self._iterable, "__aiter__"):
            for item in self:
                yield item
            return
        is_outer = self.state != "running"
        self.begin()
        done, error = "stopped", ""
        try:
            async for item in self._iterable:
                yield item
                self.update()
            done = "finished"
        except Exception as raised:
            done, error = "failed", _sentence(raised)
            raise
        finally:
            if is_outer or done != "stopped":
                self.end(done, error)

    @property
    def _for_instead(self) -> str:
        if hasattr(self._iterable, "__aiter__"):
            return "it is asynchronous; write async for"
        return (
            f"there is nothing to iterate over; write with nb.track({self.group.name!r}, "
            "total=100) as bar: bar.update()"
        )

    def __enter__(self) -> "Track[T]":
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            is_short = self.total is not None and self.n < self.total
            self.end("stopped" if is_short else "finished")
        elif isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            self.end("stopped", type(error).__name__)
        else:
            self.end("failed", _sentence(error))

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError(f"{self!r} has no length: it is not known how much there is")
        return int(self.total)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        name = f"{self.group.name!r}" + (f" {self.label}" if self.label else "")
        done = f"{self.n:,g}" if self.total is None else f"{self.n:,g} of {self.total:,g}"
        if self.total:
            done += f" ({100 * self.n / self.total:.0f} %)"
        said = [done]
        rate, remaining = self.rate, self.remaining
        if rate is not None:
            said.append(f"{rate:,.3g}/s" if rate >= 1 else f"{1 / rate:,.3g} s each")
        if remaining is not None:
            said.append(f"{_span(remaining)} left")
        elif self.state not in ("waiting", "running"):
            said.append(f"{self.state} after {_span(self.elapsed)}")
        else:
            said.append(self.state)
        if self.error:
            said.append(self.error)
        return f"<track {name}: {', '.join(said)}>"


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"


def _span(seconds: float) -> str:
    """``5 s``, ``1:05``, ``2:01:05``."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def track(
    group: str | Group,
    iterable: Iterable[T] | AsyncIterable[T] | None = None,
    total: float | None = None,
    every: float = EVERY,
    label: str = "",
) -> Track[T]:
    """Tell a group how far a loop is.

    ::

        for batch in nb.track("run", batches):
            ...

        with nb.track("download", total=size) as bar:
            bar.update(len(chunk))

    Its messages have ``n``, ``total``, ``rate`` (a second), ``remaining`` and ``elapsed``
    (seconds), ``done``, ``state``, ``id`` (of this loop), and if there are any ``label`` and
    ``error``. Only the newest state is sent, and the last one always: ``state`` is then
    ``"finished"``; ``"stopped"`` after a ``break``, an interrupt or an exception in the body of a
    loop, which does not say why it ends; ``"failed"``, with ``error``, after an exception of the
    iterable, or in a ``with``.

    Args:
        group: its name, or a `Group`.
        iterable: what the loop goes over; asynchronous ones are for ``async for``.
        total: of how much; without, the length of the iterable if it has one.
        every: seconds between two messages.
        label: what it is called, where several loops tell one group.

    Raises:
        InvalidName: the group's name is of bad form.
        TypeError, ValueError: ``total`` or ``every`` is no number that could be.
        ChannelsError: when it begins, nothing can be sent. Later failures are told, not raised: a
            loop does not die of its progress.
    """
    found = group if isinstance(group, Group) else Group(require_group_name(group))
    if total is None and iterable is not None:
        total = operator.length_hint(iterable, -1)
        total = None if total < 0 else total
    for given in (total, every):
        if given is not None and not isinstance(given, numbers.Real):
            raise TypeError(f"total and every are numbers, not {shown(given)}")
    if total is not None and not 0 <= total < float("inf"):
        raise ValueError(f"total is {shown(total)}; it takes a number from 0 on, or None")
    if not every > 0:
        raise ValueError(f"every is {shown(every)}; it takes seconds above 0")
    return Track(found, iterable, total, max(every, PACE), label)
