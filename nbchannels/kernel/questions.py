"""Questions to the server (``call``) and their answers, on the bridge's thread."""

import asyncio
from typing import Any

from nbchannels.exceptions import ChannelsError, from_wire
from nbchannels.kernel import diagnoses
from nbchannels.protocol.events import Event, Record

__all__ = ["Question", "Questions"]


class Question:
    """One question on its way.

    Attributes:
        future: of the answer's value.
        entries: ENTRY records that came before the answer.
    """

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.entries: list[Record] = []


class Questions:
    """The questions of one connection without an answer, by their number."""

    def __init__(self) -> None:
        self._open: dict[int, Question] = {}

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, number: int) -> Question:
        """A question was sent under this number."""
        question = self._open[number] = Question()
        return question

    def answer(self, event: Event) -> None:
        """An ``entry``, a ``result`` or an ``error`` came."""
        if event.name == "entry":
            assert event.record is not None
            question = self._open.get(event.record.id)
            if question is not None:
                question.entries.append(event.record)
            return
        control = event.control
        if control.id is None:
            diagnoses.note(f"the server says: {control.error.get('message')}")
            return
        question = self._open.pop(control.id, None)
        if question is None or question.future.done():
            return
        if event.name == "result":
            question.future.set_result(control.value)
        else:
            question.future.set_exception(from_wire(control.error))

    def fail(self, error: ChannelsError) -> None:
        """No answer will come."""
        for question in self._open.values():
            if not question.future.done():
                question.future.set_exception(error)
        self._open.clear()
