"""What the server keeps of diagnoses: bounded, by client, with counts and times."""

import threading

import pytest

from nbchannels.diagnoses import Diagnosis
from nbchannels.exceptions import ChannelsError
from nbchannels.server.clients import Client
from nbchannels.server.diagnoses import MOST, MOST_OF_CLIENT, Collection, read_diagnosis


def client(number=1):
    return Client(f"p{number}", f"kernel:{number}", "kernel", label=f"{number}.ipynb")


def test_one_of_the_same_kind_and_subject_is_counted():
    now = 1000.0
    kept = Collection(clock=lambda: now)
    kept.note(client(), Diagnosis("no-handler", "first", "Index"))
    now = 1010.0
    kept.note(client(), Diagnosis("no-handler", "second", "Index", count=7))
    kept.note(client(2), Diagnosis("no-handler", "theirs", "Index"))
    theirs, mine = kept.newest()
    assert (mine["sentence"], mine["count"]) == ("second", 7)
    assert (mine["first"], mine["time"]) == (1000.0, 1010.0)
    assert (theirs["client"], theirs["count"]) == ("2.ipynb", 1)


def test_counts_do_not_fall_and_the_newest_is_first():
    kept = Collection()
    kept.note(client(), Diagnosis("a", "x", count=5))
    kept.note(client(), Diagnosis("b", "x"))
    kept.note(client(), Diagnosis("a", "x", count=2))
    assert [(d["kind"], d["count"]) for d in kept.newest()] == [("a", 5), ("b", 1)]
    assert [d["kind"] for d in kept.newest(1)] == ["a"]


def test_one_client_pushes_nobody_out():
    kept = Collection()
    kept.note_own(Diagnosis("own", "x"))
    for n in range(MOST * 2):
        kept.note(client(), Diagnosis("many", "x", str(n)))
    assert len(kept) == MOST_OF_CLIENT + 1
    assert kept.newest()[0]["subject"] == str(MOST * 2 - 1)
    assert kept.newest()[-1]["client"] == "this server"


def test_all_together_are_bounded():
    kept = Collection()
    for number in range(20):
        for n in range(MOST_OF_CLIENT):
            kept.note(client(number), Diagnosis("many", "x", str(n)))
    assert len(kept) == MOST
    kept.clear()
    assert kept.newest() == []


def test_from_many_threads():
    kept = Collection()

    def note():
        for n in range(50):
            kept.note_own(Diagnosis("a", "x", str(n)))

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 50


def test_what_is_too_long_is_cut():
    found = read_diagnosis(
        {"kind": "k" * 99, "sentence": "s" * 5000, "detail": "a" * 5000 + "end", "count": 2}
    )
    assert (len(found.kind), len(found.sentence), found.count) == (50, 1000, 2)
    assert len(found.detail) == 2000
    assert found.detail.endswith("end")


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({}, "kind"),
        ({"kind": "a"}, "sentence"),
        ({"kind": 1, "sentence": "x"}, "kind is 1"),
        ({"kind": "a", "sentence": "x", "detail": None}, "detail is None"),
        ({"kind": "a", "sentence": "x", "count": 0}, "count 0"),
        ({"kind": "a", "sentence": "x", "count": "many"}, "count 'many'"),
        ({"kind": "a", "sentence": "x", "count": True}, "count True"),
    ],
)
def test_what_is_no_diagnosis_is_refused(said, wrong):
    with pytest.raises(ChannelsError, match=wrong) as caught:
        read_diagnosis(said)
    assert caught.value.code == "bad_request"
