"""Mistakes of colour are told with the class, the method and the remedy."""

import pytest

from nbchannels import colours
from nbchannels.consumer import AsyncConsumer, SyncConsumer
from nbchannels.diagnoses import diagnoses
from nbchannels.generic.websocket import JsonWebsocketConsumer


@pytest.fixture(autouse=True)
def forget():
    diagnoses.clear()
    yield
    diagnoses.clear()


class Index(AsyncConsumer): ...


class SyncIndex(SyncConsumer): ...


class Json(JsonWebsocketConsumer): ...


def told():
    (diagnosis,) = diagnoses.recent()
    return diagnosis


def test_a_plain_method():
    colours.tell_plain(Index, "index_tick")
    assert told().kind == "wrong-colour"
    assert "Index.index_tick is a plain def" in told().sentence
    assert "write async def" in told().sentence


@pytest.mark.parametrize(
    ("owner", "base"), [(SyncIndex, "AsyncConsumer"), (Json, "AsyncJsonWebsocketConsumer")]
)
def test_a_coroutine_method_names_the_class_to_derive_from(owner, base):
    colours.tell_coroutine(owner, "index_tick")
    assert told().kind == "wrong-colour"
    assert told().sentence.endswith(f"write def, or derive {owner.__name__} from {base}")


def test_something_that_was_not_awaited():
    colours.tell_unawaited(Index, "index_tick", "return await ...")
    assert told().kind == "not-awaited"
    assert told().sentence.endswith("write return await ...")


def test_a_generator():
    async def asynchronous():
        yield 1

    colours.tell_generator(Index, "index_tick", (n for n in ()))
    assert "has a yield" in told().sentence
    diagnoses.clear()
    colours.tell_generator(Index, "index_tick", asynchronous())
    assert told().subject == "Index.index_tick"


@pytest.mark.parametrize("result", [None, 5, [1], iter([])])
def test_any_other_result_is_none_of_our_business(result):
    colours.tell_generator(Index, "index_tick", result)
    assert diagnoses.recent() == []
