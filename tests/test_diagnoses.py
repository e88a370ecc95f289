"""What would go wrong in silence is told: once, and counted."""

import logging
import threading

import pytest

from nbchannels.diagnoses import KEPT, REPEAT, Diagnoses, Diagnosis, listen, recent, report
from nbchannels.diagnoses import diagnoses as of_this_process


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def diagnoses(clock):
    return Diagnoses(clock)


def test_a_report_is_logged_as_a_warning_with_its_detail(diagnoses, caplog):
    with caplog.at_level(logging.WARNING, "nbchannels"):
        diagnoses.report("no-handler", "add it", subject="Index: tick", detail="line 3")
    assert [(r.name, r.levelname) for r in caplog.records] == [("nbchannels", "WARNING")]
    assert caplog.records[0].getMessage() == "no-handler: add it\nline 3"


def test_a_report_is_kept_and_handed_to_listeners(diagnoses):
    heard = []
    diagnoses.listen(heard.append)
    diagnoses.report("no-handler", "add it", subject="Index: tick")
    assert diagnoses.recent() == heard
    assert heard == [Diagnosis("no-handler", "add it", "Index: tick", "", 1000.0, 1)]


def test_a_repetition_is_counted_and_not_told(diagnoses, clock, caplog):
    heard = []
    diagnoses.listen(heard.append)
    for _ in range(10):
        diagnoses.report("no-handler", "add it", subject="Index: tick")
        clock.now += REPEAT / 20
    assert len(heard) == len(caplog.records) == 1
    assert [d.count for d in diagnoses.recent()] == [10]


def test_after_a_while_it_is_told_again_with_its_count(diagnoses, clock, caplog):
    heard = []
    diagnoses.listen(heard.append)
    diagnoses.report("no-handler", "add it", subject="Index: tick")
    diagnoses.report("no-handler", "add it", subject="Index: tick")
    clock.now += REPEAT
    diagnoses.report("no-handler", "add it now", subject="Index: tick")
    assert [(d.sentence, d.count) for d in heard] == [("add it", 1), ("add it now", 3)]
    assert "(3 times)" in caplog.records[-1].getMessage()
    assert [d.count for d in diagnoses.recent()] == [3]


@pytest.mark.parametrize("other", [("not-awaited", "a"), ("no-handler", "b")])
def test_another_kind_or_subject_is_another_diagnosis(diagnoses, other):
    diagnoses.report("no-handler", "x", subject="a")
    diagnoses.report(other[0], "x", subject=other[1])
    assert len(diagnoses.recent()) == 2


def test_without_a_subject_the_sentence_counts(diagnoses):
    diagnoses.report("no-handler", "x")
    diagnoses.report("no-handler", "x")
    diagnoses.report("no-handler", "y")
    assert [(d.sentence, d.count) for d in diagnoses.recent()] == [("x", 2), ("y", 1)]


def test_a_clock_that_is_set_back_does_not_silence_anything(diagnoses, clock):
    heard = []
    diagnoses.listen(heard.append)
    diagnoses.report("no-handler", "x")
    clock.now -= 3600
    diagnoses.report("no-handler", "x")
    assert len(heard) == 2


def test_it_is_bounded(diagnoses):
    for n in range(3 * KEPT):
        diagnoses.report("no-handler", "x", subject=str(n))
    assert [d.subject for d in diagnoses.recent()] == [str(n) for n in range(2 * KEPT, 3 * KEPT)]
    assert len(diagnoses._told) == KEPT
    assert [d.subject for d in diagnoses.recent(2)] == [str(3 * KEPT - 2), str(3 * KEPT - 1)]
    assert diagnoses.recent(0) == []


def test_a_listener_that_fails_hurts_nobody(diagnoses, caplog):
    heard = []

    def fail(diagnosis):
        raise ValueError("no")

    diagnoses.listen(fail)
    diagnoses.listen(heard.append)
    diagnoses.report("no-handler", "x")
    assert len(heard) == 1
    assert "ValueError: no" in caplog.text


def test_listening_ends(diagnoses):
    heard = []
    stop = diagnoses.listen(heard.append)
    stop()
    stop()
    diagnoses.report("no-handler", "x")
    assert heard == []


def test_a_listener_may_report(diagnoses):
    diagnoses.listen(lambda d: diagnoses.report("second", d.sentence) if d.kind == "one" else None)
    diagnoses.report("one", "x")
    assert [d.kind for d in diagnoses.recent()] == ["one", "second"]


def test_what_is_handed_out_is_a_copy(diagnoses):
    diagnoses.report("no-handler", "x")
    diagnoses.recent()[0].count = 99
    assert diagnoses.recent()[0].count == 1


def test_clear(diagnoses):
    heard = []
    diagnoses.listen(heard.append)
    diagnoses.report("no-handler", "x")
    diagnoses.clear()
    assert diagnoses.recent() == []
    diagnoses.report("no-handler", "x")
    assert len(heard) == 2


def test_many_threads(diagnoses):
    def work(n):
        for k in range(200):
            diagnoses.report("no-handler", "x", subject=str(k % 10))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(d.count for d in diagnoses.recent()) == 800


def test_the_functions_are_those_of_this_process():
    of_this_process.clear()
    heard = []
    stop = listen(heard.append)
    try:
        report("no-handler", "x", subject="a test")
    finally:
        stop()
    assert [d.subject for d in heard] == ["a test"]
    assert recent(1)[0].subject == "a test"
    of_this_process.clear()


def test_told_again_on_demand_with_the_count(diagnoses):
    heard = []
    diagnoses.listen(heard.append)
    diagnoses.report("no-handler", "add it", subject="Index")
    diagnoses.report("no-handler", "add it", subject="Index")
    assert [told.count for told in heard] == [1]
    diagnoses.tell_again()
    diagnoses.report("no-handler", "add it", subject="Index")
    diagnoses.report("no-handler", "add it", subject="Index")
    assert [told.count for told in heard] == [1, 3]
    assert [told.count for told in diagnoses.recent()] == [4]


def test_log_records_of_diagnoses_are_marked(diagnoses, caplog):
    diagnoses.report("no-handler", "add it")
    assert caplog.records[-1].diagnosis == "no-handler"


def test_what_the_user_has_seen_is_not_logged_again(caplog):
    kept = Diagnoses()
    heard: list[Diagnosis] = []
    kept.listen(heard.append)
    kept.report("nobody-listens", "no one listens", seen=True)
    assert caplog.text == ""
    kept.report("no-handler", "no handler")
    assert "no handler" in caplog.text
    assert [(one.kind, one.seen) for one in heard] == [
        ("nobody-listens", True),
        ("no-handler", False),
    ]
