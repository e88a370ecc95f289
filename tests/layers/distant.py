"""A layer that answers later, from a thread of its own, as one that lives elsewhere does."""

import queue
import threading
from concurrent.futures import Future
from typing import Any

from nbchannels.exceptions import ChannelsError, LayerUnavailable
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.names import is_process_local


class Distant(InMemoryChannelLayer):
    """Groups and named channels answer by futures; what is process-local at once.

    Attributes:
        gate: while it is not set, nothing comes to its end.
        submitted: the bodies in their order.
        errors: what a message with this body is refused with, once.
        away: a name that nothing is taken for, which is known at once.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gate = threading.Event()
        self.gate.set()
        self.submitted: list[bytes] = []
        self.errors: dict[bytes, Exception] = {}
        self.away = "away"
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, kind, name, encoded, *, producer=None, dialogue=None, **options):
        if name == self.away:
            raise LayerUnavailable(f"{name} is away")
        if dialogue is not None or is_process_local(name):
            return super().submit(kind, name, encoded, dialogue=dialogue, **options)
        self._require_order(kind, name, producer)
        future: Future[Any] = Future()
        self.submitted.append(encoded.body)
        self._jobs.put((future, kind, name, encoded, {"producer": producer, **options}))
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, kind, name, encoded, options = job
            self.gate.wait()
            awaited = future.set_running_or_notify_cancel()
            try:
                self._require_order(kind, name, options["producer"])
                if encoded.body in self.errors:
                    raise self.errors.pop(encoded.body)
                receipt = super().submit(kind, name, encoded, **options)
            except Exception as error:
                if isinstance(error, ChannelsError) and error.temporary:
                    self._refuse(kind, name, options["producer"])
                if awaited:
                    future.set_exception(error)
            else:
                if awaited:
                    future.set_result(receipt)

    def end(self) -> None:
        """Stop the thread."""
        self.gate.set()
        self._jobs.put(None)
        self._thread.join(10)
