"""Where the threads of this process are just now, for `nbchannels.kernel.doctor`."""

import sys
import threading
from collections.abc import Iterable

from nbchannels.service import Service, consumer_thread

__all__ = ["holder", "place_of", "place_of_consumer"]


def holder(services: Iterable[Service]) -> Service | None:
    """The service whose function holds the thread for consumers."""
    for service in services:
        if service.place == "thread" and any(held.begun is not None for held in service.held):
            return service
    return None


def place_of_consumer() -> str:
    """`place_of` the thread for consumers."""
    return place_of(consumer_thread.name)


def place_of(name: str) -> str:
    """Where a thread is in code that is not ours or Python's, ``file, line 7 in f``; or empty."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0) if thread.name == name else None
        while frame is not None:
            module = str(frame.f_globals.get("__name__", ""))
            is_ours = module.partition(".")[0] in ("nbchannels", *sys.stdlib_module_names)
            if not is_ours or module == "__main__":
                return (
                    f"{frame.f_code.co_filename}, line {frame.f_lineno} in {frame.f_code.co_name}"
                )
            frame = frame.f_back
    return ""
