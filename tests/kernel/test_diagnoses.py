"""The log ring behind ``%channels log``, and the diagnoses on their way to a cell."""

import importlib
import threading
from collections.abc import Iterator

import pytest

import nbchannels.diagnoses
from nbchannels.diagnoses import Diagnosis, report
from nbchannels.kernel import diagnoses


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    diagnoses.install()
    nbchannels.diagnoses.diagnoses.clear()
    diagnoses.take_unshown()
    listeners = list(diagnoses._diary.listeners)
    diagnoses._diary.listeners.clear()
    yield
    diagnoses._diary.listeners[:] = listeners
    diagnoses.take_unshown()


def test_the_newest_are_kept_in_order() -> None:
    for i in range(600):
        diagnoses.note(f"sentence {i}")
    kept = [sentence for _, sentence in diagnoses.entries(1000)]
    assert kept == [f"sentence {i}" for i in range(100, 600)]
    assert [sentence for _, sentence in diagnoses.entries(2)] == ["sentence 598", "sentence 599"]


def test_times_rise_and_threads_may_write_at_once() -> None:
    threads = [
        threading.Thread(target=lambda: [diagnoses.note("x") for _ in range(100)]) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest = diagnoses.entries(500)
    assert [sentence for _, sentence in newest] == ["x"] * 500
    assert sorted(newest) == newest


def test_a_diagnosis_is_noted_once_however_often_it_is_installed() -> None:
    for _ in range(3):
        diagnoses.install()
    diagnoses.note("before")
    report("no-handler", "add def tick", subject="Index")
    assert [said for _, said in diagnoses.entries(2)] == ["before", "no-handler: add def tick"]


def test_a_reload_keeps_what_is_kept_and_listens_once() -> None:
    diagnoses.note("before the reload")
    before = [(module, dict(vars(module))) for module in (nbchannels.diagnoses, diagnoses)]
    try:
        for module, _ in before:
            importlib.reload(module)
        diagnoses.install()
        report("no-handler", "add def tick", subject="Reloaded")
    finally:  # the classes that other modules know
        for module, names in before:
            vars(module).update(names)
    assert [said for _, said in diagnoses.entries(2)] == [
        "before the reload",
        "no-handler: add def tick",
    ]
    assert [told.subject for told in diagnoses.take_unshown()] == ["Reloaded"]


def test_each_waits_once_to_be_shown_with_its_last_count() -> None:
    diagnoses.notice(Diagnosis("a", "first", "one"))
    diagnoses.notice(Diagnosis("b", "other"))
    diagnoses.notice(Diagnosis("a", "first", "one", count=4))
    assert [(told.kind, told.count) for told in diagnoses.take_unshown()] == [("a", 4), ("b", 1)]
    assert diagnoses.take_unshown() == []


def test_what_somebody_has_shown_does_not_wait() -> None:
    heard: list[str] = []

    def listener(diagnosis: Diagnosis) -> bool:
        heard.append(diagnosis.kind)
        return diagnosis.kind == "a"

    for _ in range(2):
        diagnoses.pass_on_to(listener)
    for kind in ("a", "b"):
        diagnoses.notice(Diagnosis(kind, "x"))
    assert heard == ["a", "b"]
    assert [told.kind for told in diagnoses.take_unshown()] == ["b"]


def test_not_more_than_100_wait() -> None:
    for n in range(150):
        diagnoses.notice(Diagnosis("a", "x", str(n)))
    assert [told.subject for told in diagnoses.take_unshown()] == [str(n) for n in range(50, 150)]


def test_a_diagnosis_out_of_a_listener_does_not_hang() -> None:
    """As out of a finalizer that runs at any line."""

    def listener(diagnosis: Diagnosis) -> bool:
        if diagnosis.kind == "outer":
            with diagnoses._diary.lock:
                diagnoses.notice(Diagnosis("inner", "x"))
        return False

    diagnoses.pass_on_to(listener)
    diagnoses.notice(Diagnosis("outer", "x"))
    assert {told.kind for told in diagnoses.take_unshown()} == {"inner", "outer"}
