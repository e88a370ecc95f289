"""The log ring behind ``%channels log``: bounded, in order, from any thread."""

import threading

from nbchannels.kernel import diagnoses


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
