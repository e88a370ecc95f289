"""Who is in a group, told by each process of its own people, read by all."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from nbchannels.exceptions import InvalidChannelLayerError, LayerUnavailable
from nbchannels.layers.redis import RedisChannelLayer
from nbchannels.layers.redis.entries import Keys
from nbchannels.layers.redis.presence import Presence, of_itself, this_script
from nbchannels.layers.redis.process_scripts import WHO
from nbchannels.layers.redis.scripts import Script
from tests.redis.servers import PATIENCE, RedisServer

pytestmark = pytest.mark.asyncio

Make = Callable[..., RedisChannelLayer]


@pytest_asyncio.fixture
async def make(redis_server: RedisServer, prefix: str) -> AsyncIterator[Make]:
    made: list[RedisChannelLayer] = []

    def make(**options: Any) -> RedisChannelLayer:
        layer = RedisChannelLayer([redis_server.url], prefix, **options)
        layer.identity = {"kind": "script", "user": "ada", "label": f"{len(made)}.py"}
        made.append(layer)
        return layer

    yield make
    for layer in made:
        await layer.close()


async def found(layer: RedisChannelLayer, expected: list[Any], group: str = "index") -> list[Any]:
    """Wait until these are in the group: pairs of label and how."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        people = await layer.presence(group)
        if [(one["label"], one["as"]) for one in people] == expected:
            return people
        assert asyncio.get_running_loop().time() < deadline, people
        await asyncio.sleep(0.02)


async def test_a_process_tells_of_itself(make: Make) -> None:
    one, two = make(), make()
    cursor = await one.subscribe("index")
    (me,) = await one.presence("index")
    assert me["here"] is True
    (other,) = await found(two, [("0.py", "subscriber")])
    assert other == me | {"here": False}
    cursor.close()
    await found(two, [])


async def test_a_host_tells_of_its_clients(make: Make) -> None:
    server, script = make(), make()
    told = {"user": "Ada", "since": 5.0, "here": True, "as": "subscriber"}
    page = told | {"kind": "page", "label": None, "connection": 7}
    kernel = told | {"kind": "kernel", "label": "a.ipynb", "connection": 8}
    channel = await server.new_channel()
    clients = [page, kernel]

    def present(group: str, members: list[str]) -> list[dict[str, Any]]:
        mine = [kernel | {"as": "member", "channel": one} for one in members if one == channel]
        return [*clients, *mine] if group == "index" else []

    server.present = present
    await server.group_add("index", channel)
    await script.group_add("index", "work")
    people = await found(script, [
        (None, "subscriber"), ("a.ipynb", "subscriber"), ("a.ipynb", "member"), ("work", "member"),
    ])  # fmt: skip
    # The number of a connection means something at its own server only.
    assert people[0] == page | {"connection": None, "here": False}
    assert people[2] == kernel | {
        "connection": None, "here": False, "as": "member", "channel": channel,
    }  # fmt: skip
    assert people[3]["kind"] == "channel"
    assert (await server.presence("index"))[0] == page
    clients.remove(page)
    server.presence_changed("index")
    await found(script, [("a.ipynb", "subscriber"), ("a.ipynb", "member"), ("work", "member")])


class Backbone:
    """Notes what is run."""

    name, lease = "me", 60.0
    keys = Keys("test")

    def __init__(self) -> None:
        self.told: list[str] = []

    async def run(self, script: Script, keys: list[str], arguments: tuple[Any, ...]) -> Any:
        assert script is WHO
        self.told.append(arguments[1])


class Surroundings:
    """A layer that is asked who is there."""

    def __init__(self) -> None:
        self.backbone: Any = Backbone()
        self.there = False

    def people(self, group: str) -> list[dict[str, Any]]:
        return of_itself(this_script(), 1.0, self.there, [])


async def test_a_short_visit_is_not_told() -> None:
    layer = Surroundings()
    presence = Presence(layer)
    told = layer.backbone.told
    layer.there = True
    presence.changed("index")
    layer.there = False  # before it was told
    presence.changed("index")
    await presence.settled()
    assert told == []
    layer.there = True
    presence.changed("index")
    await presence.settled()
    assert len(told) == 1
    layer.there = False
    presence.changed("index")
    layer.there = True
    presence.changed("index")
    await presence.settled()
    assert len(told) == 1
    presence.renew()
    await presence.settled()
    assert told == [told[0]] * 2


async def test_a_process_that_ends_is_gone_at_once(make: Make) -> None:
    one, two = make(), make()
    await one.subscribe("index")
    await found(two, [("0.py", "subscriber")])
    await one.close()
    assert await two.presence("index") == []


async def test_a_process_that_gives_no_sign_of_life_is_gone(make: Make) -> None:
    one, two = make(lease=3), make()
    await one.subscribe("index")
    await found(two, [("0.py", "subscriber")])
    one.backbone.renewal = 1e9  # it hangs
    await found(two, [])
    one.backbone.renewal = 0.5
    await found(two, [("0.py", "subscriber")])


async def test_after_redis_was_away_all_of_it_is_told_again(
    make: Make, redis_server: RedisServer
) -> None:
    one, two = make(), make(patience=0.5)
    await one.subscribe("index")
    await found(two, [("0.py", "subscriber")])
    redis_server.kill()
    with pytest.raises(LayerUnavailable):
        await two.presence("index")
    redis_server.start()
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            await found(two, [("0.py", "subscriber")])
            break
        except LayerUnavailable:
            assert asyncio.get_running_loop().time() < deadline


async def test_a_crowd_is_counted(make: Make) -> None:
    server, script = make(), make()
    person = {"kind": "page", "user": "Ada", "label": None, "since": 5.0, "as": "subscriber"}
    server.present = lambda group, members: [person] * 137
    server.presence_changed("index")
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while len(people := await script.presence("index")) < 101:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)
    others = [one["label"] for one in people if one["kind"] == "others"]
    assert others == ["and 37 more"]


async def test_what_others_wrote_there_does_no_harm(
    make: Make, redis_server: RedisServer, prefix: str
) -> None:
    layer = make()
    sane = {"kind": "page", "user": "Ada", "since": 5.0, "as": "subscriber"}
    insane: list[Any] = [
        "no JSON",
        "{}",
        json.dumps([1, None, [], {}]),
        json.dumps([sane | {"as": "member"}]),
        json.dumps([sane | {"since": "late"}, sane | {"since": 1e300}, sane | {"user": 7}]),
        json.dumps([sane | {"as": "root"}]),
    ]
    for number, data in enumerate(insane):
        redis_server.run("HSET", f"{prefix}:{{g:index}}:who", f"p{number}", f"9e9 {data}")
    redis_server.run("HSET", f"{prefix}:{{g:index}}:who", "old", f"1.0 {json.dumps([sane])}")
    redis_server.run("HSET", f"{prefix}:{{g:index}}:who", "odd", "nothing")
    assert await layer.presence("index") == []
    left = redis_server.run("HKEYS", f"{prefix}:{{g:index}}:who")
    assert "old" not in left
    assert "odd" not in left
    long = json.dumps([sane | {"label": "x" * 10_000}])
    redis_server.run("HSET", f"{prefix}:{{g:index}}:who", "long", f"9e9 {long}")
    (one,) = await layer.presence("index")
    assert len(one["label"]) == 120


async def test_a_lease_is_long_enough_to_be_renewed() -> None:
    with pytest.raises(InvalidChannelLayerError, match="at least 3 seconds"):
        RedisChannelLayer(lease=2)
