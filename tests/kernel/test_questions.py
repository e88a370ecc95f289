"""Open calls: each gets its own answer, and none waits for ever."""

import pytest

from nbchannels.exceptions import PermissionDenied
from nbchannels.kernel.questions import Answer, ConnectionLost, Questions
from nbchannels.protocol.events import ENTRY, Event, Failure, Record, Result

pytestmark = pytest.mark.asyncio


def entry(call: int, offset: int) -> Event:
    return Event("entry", record=Record(ENTRY, 1, 0, "", call, 0, offset, 0.0, 0, b"{}"))


async def test_answers_find_their_questions_with_their_entries() -> None:
    questions = Questions()
    first, second = questions.add(1), questions.add(2)
    questions.take(entry(2, 7))
    questions.take(entry(9, 8))
    questions.take(Event("result", control=Result(2, "two")))
    questions.take(Event("result", control=Result(1, "one")))
    assert await first == Answer("one", [])
    assert (await second).entries[0].sequence == 7
    assert len(questions) == 0


async def test_an_error_is_the_exception_it_stands_for() -> None:
    questions = Questions()
    future = questions.add(1)
    error = {"code": "forbidden", "message": "no"}
    assert questions.take(Event("error", control=Failure(1, error))) is None
    with pytest.raises(PermissionDenied, match="no"):
        await future


async def test_an_error_without_a_question_is_handed_back() -> None:
    found = Questions().take(Event("error", control=Failure(None, {"code": "x", "message": "m"})))
    assert str(found) == "m"


async def test_a_lost_connection_ends_all_and_late_answers_find_nobody() -> None:
    questions = Questions()
    future, cancelled = questions.add(1), questions.add(2)
    cancelled.cancel()
    questions.lost()
    with pytest.raises(ConnectionLost):
        await future
    questions.take(Event("result", control=Result(1, "late")))


async def test_nobody_waits_any_more_for_an_answer() -> None:
    questions = Questions()
    questions.add(1).cancel()
    questions.take(Event("result", control=Result(1, "late")))
    assert len(questions) == 0
