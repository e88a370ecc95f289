"""Mistakes of colour, told: ``def`` where ``async def`` belongs, and what nobody awaited.

The handler runs in any case; see `nbchannels.consumer`.
"""

import inspect
from typing import Any

from nbchannels.diagnoses import report

__all__ = ["tell_coroutine", "tell_generator", "tell_plain", "tell_unawaited"]


def tell_plain(owner: type, name: str) -> None:
    """A plain method on an async consumer."""
    place = f"{owner.__name__}.{name}"
    report(
        "wrong-colour",
        f"{place} is a plain def on an async consumer: it ran on the event loop, and holds up all "
        "others while it runs; write async def",
        subject=place,
    )


def tell_coroutine(owner: type, name: str) -> None:
    """A coroutine method on a synchronous consumer."""
    place = f"{owner.__name__}.{name}"
    ours = next(c.__name__ for c in owner.__mro__ if c.__module__.startswith("nbchannels."))
    report(
        "wrong-colour",
        f"{place} is an async def on a synchronous consumer: it ran on the event loop; write def, "
        f"or derive {owner.__name__} from Async{ours.removeprefix('Sync')}",
        subject=place,
    )


def tell_unawaited(owner: type, name: str, remedy: str) -> None:
    """A method returned something awaitable instead of awaiting it."""
    place = f"{owner.__name__}.{name}"
    report(
        "not-awaited",
        f"{place} returned a coroutine that it did not await; it was awaited for it, but write "
        f"{remedy}",
        subject=place,
    )


def tell_generator(owner: type, name: str, result: Any) -> None:
    """Tell a method that has become a generator: nothing of it has run."""
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        place = f"{owner.__name__}.{name}"
        report(
            "not-awaited",
            f"{place} has a yield, so it is a generator and nothing of it ran; remove the yield",
            subject=place,
        )
