"""How far a loop is, as a group is told."""

import asyncio
import itertools

import pytest

from nbchannels.bridges.outlets import flush_all
from nbchannels.bridges.progress import track
from nbchannels.exceptions import InvalidName, LayerUnavailable


def told_states(group):
    flush_all(20)
    return [dict(message.content) for message in group.history(10_000)]


def last(group):
    return told_states(group)[-1]


def test_a_loop_to_its_end(group):
    assert list(track(group, range(50))) == list(range(50))
    first, *_, end = told_states(group)
    assert (first["n"], first["total"], first["done"]) == (0, 50, False)
    assert first["rate"] is None
    assert (end["n"], end["total"], end["done"], end["state"]) == (50, 50, True, "finished")
    assert end["remaining"] is None
    assert end["rate"] == pytest.approx(50 / end["elapsed"])
    assert end["type"] == "nbchannels.progress"


def test_only_the_newest_state_is_sent(group):
    list(track(group, range(20_000)))
    states = told_states(group)
    assert len(states) < 1000
    done = [state["n"] for state in states]
    assert done == sorted(done)
    assert done[-1] == 20_000


def test_a_generator_has_no_total(group):
    list(track(group, (n for n in range(3))))
    assert last(group)["total"] is None
    assert last(group)["n"] == 3


def test_a_break_is_told(group):
    for n in track(group, itertools.count()):
        if n == 5:
            break
    end = last(group)
    assert (end["n"], end["done"], end["state"]) == (5, True, "stopped")


def failing():
    yield 1
    raise OSError("the disk is gone")


def test_an_exception_of_the_iterable_is_told(group):
    with pytest.raises(OSError, match="gone"):
        list(track(group, failing()))
    end = last(group)
    assert (end["n"], end["state"], end["error"]) == (1, "failed", "OSError: the disk is gone")


def test_an_exception_in_a_with_is_told(group):
    def work():
        with track(group, range(5)) as bar:
            return [1 / (n - 2) for n in bar]

    with pytest.raises(ZeroDivisionError):
        work()
    end = last(group)
    assert (end["n"], end["state"]) == (2, "failed")
    assert end["error"] == "ZeroDivisionError: division by zero"


def test_an_interrupt_stops(group):
    with pytest.raises(KeyboardInterrupt), track(group, total=5):
        raise KeyboardInterrupt
    assert last(group)["state"] == "stopped"


def test_updates_by_hand(group):
    with track(group, total=10) as bar:
        bar.update(4)
        bar.update(6)
    assert last(group)["n"] == 10
    assert last(group)["state"] == "finished"
    with track(group, total=10) as bar:
        bar.update(4)
    assert last(group)["state"] == "stopped"


def test_nested_loops_tell_one_group(group):
    for _ in track(group, range(2), label="epochs"):
        for _ in track(group, range(3), label="batches"):
            pass
    ends = [state for state in told_states(group) if state["done"]]
    assert sorted((end["label"], end["n"]) for end in ends) == [
        ("batches", 3), ("batches", 3), ("epochs", 2),
    ]  # fmt: skip
    assert len({end["id"] for end in ends}) == 3


@pytest.mark.asyncio
async def test_asynchronous_iterables(group):
    async def numbers():
        for n in range(5):
            yield n
            await asyncio.sleep(0)

    assert [n async for n in track(group, numbers(), total=5)] == list(range(5))
    assert [n async for n in track(group, range(3))] == list(range(3))
    ends = [state for state in told_states(group) if state["done"]]
    assert sorted((end["n"], end["state"]) for end in ends) == [(3, "finished"), (5, "finished")]


@pytest.mark.asyncio
async def test_an_asynchronous_iterable_that_fails(group):
    async def numbers():
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        async for _ in track(group, numbers()):
            pass
    assert last(group)["state"] == "failed"


def test_the_wrong_kind_of_loop_is_told(group):
    async def numbers():
        yield 1

    with pytest.raises(TypeError, match="it is asynchronous; write async for"):
        list(track(group, numbers()))
    with pytest.raises(TypeError, match=r"write with nb.track\('run', total=100\) as bar"):
        list(track(group))


def test_without_a_server_it_is_told_before_the_first_item(group, layer):
    layer.fail = LayerUnavailable("no server")
    with pytest.raises(LayerUnavailable, match="no server"):
        next(iter(track(group, range(3))))


def test_a_loop_does_not_die_of_its_progress(group, layer, told):
    bar = iter(track(group, range(3)))
    assert next(bar) == 0
    layer.fail = LayerUnavailable("gone")
    assert list(bar) == [1, 2]
    flush_all(20)
    assert "could not be sent: gone" in told()[0][1]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"total": -1}, ValueError, "total is an int: -1; it takes a number from 0 on"),
        ({"total": float("inf")}, ValueError, "total is"),
        ({"total": "many"}, TypeError, "total and every are numbers, not a str: 'many'"),
        ({"every": 0}, ValueError, "every is an int: 0; it takes seconds above 0"),
    ],
)
def test_options_that_cannot_be(group, options, error, said):
    with pytest.raises(error, match=said):
        track(group, **options)
    with pytest.raises(InvalidName):
        track("my run", range(3))


def test_its_text(group):
    bar = track(group, range(200), label="batches")
    assert repr(bar) == "<track 'run' batches: 0 of 200 (0 %), waiting>"
    assert len(bar) == 200
    with bar:
        bar.update(50)
        assert repr(bar).startswith("<track 'run' batches: 50 of 200 (25 %), ")
        assert repr(bar).endswith(" left>")
    assert "stopped after" in repr(bar)
    with pytest.raises(TypeError, match="has no length"):
        len(track(group))
    assert track(group)


def test_a_loop_again_begins_anew(group):
    bar = track(group, range(3))
    assert list(bar) == list(bar)
    assert [state["n"] for state in told_states(group) if state["done"]] in ([3, 3], [3])
    assert bar.n == 3
