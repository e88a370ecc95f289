"""What is asked of a replay is checked before anything is sent."""

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest
from mcap.writer import Writer

from nbchannels.bridge import bridge
from nbchannels.channel import Group
from nbchannels.exceptions import InvalidName, RecordingError
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.reading import MessagesMissing
from nbchannels.recording.reader import Recording
from nbchannels.recording.replaying import areplay, replay
from tests.recording.conftest import entry

PATIENCE = 30.0


@pytest.fixture
def recorded(written: Any) -> str:
    return written([entry(1), entry(1, 1.0, "b"), entry(2), entry(2, 2.0, "b")])


def numbers(layer: InMemoryChannelLayer, group: str) -> int:
    return bridge.run(layer.read(group, "now", 1)).anchor.top


@pytest.mark.parametrize(
    ("into", "expected"),
    [
        (None, {"run": 2, "b": 2}),
        ("all", {"all": 4}),
        (Group("all"), {"all": 4}),
        ({"b": "c"}, {"run": 2, "c": 2}),
        ({"b": Group("run")}, {"run": 4}),
    ],
)
def test_where_to(recorded: str, layer: InMemoryChannelLayer, into: Any, expected: dict[str, int]):
    handle = replay(recorded, into, None, channel_layer=layer).wait(PATIENCE)
    names = bridge.run(layer.names())["groups"]
    assert {name: numbers(layer, name) for name in names} == expected
    assert set(handle.groups.values()) == set(expected)


def test_only_some_groups(recorded: str, layer: InMemoryChannelLayer):
    assert replay(recorded, None, None, ["b"], channel_layer=layer).wait(PATIENCE).sent == 2
    assert bridge.run(layer.names())["groups"] == ["b"]


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"groups": ["x"]}, RecordingError, "there is no group 'x' in .*; it has 'b', 'run'"),
        ({"into": {"x": "y"}}, RecordingError, "there is no group 'x'"),
        ({"into": "no name"}, InvalidName, "no name"),
        ({"speed": -1}, ValueError, "speed is an int: -1"),
        ({"start": -1}, ValueError, "start is an int: -1; it is in seconds after"),
        ({"stop": "now"}, ValueError, "stop is a str: 'now'"),
        ({"start": 3, "stop": 2}, ValueError, "stop is 2, before start 3"),
    ],
)
def test_what_makes_no_sense_is_refused(
    recorded: str, layer: InMemoryChannelLayer, arguments: Any, error: type, said: str
):
    with pytest.raises(error, match=said):
        replay(recorded, channel_layer=layer, **arguments)
    assert bridge.run(layer.names())["groups"] == []


def test_an_opened_recording_will_do(recorded: str, layer: InMemoryChannelLayer):
    found = Recording(recorded)
    assert replay(found, speed=None, channel_layer=layer).wait(PATIENCE).sent == 4


def test_nothing_is_sent_of_an_empty_recording(written: Any, layer: InMemoryChannelLayer):
    handle = replay(written([]), channel_layer=layer).wait(PATIENCE)
    assert (handle.sent, handle.total, handle.progress) == (0, 0, 1.0)
    assert "into nothing: 0 of 0 messages" in repr(handle)


def test_the_async_twin(recorded: str, layer: InMemoryChannelLayer):
    async def story() -> int:
        handle = await areplay(recorded, into="c", speed=None, channel_layer=layer)
        return (await handle).sent

    assert asyncio.run(story()) == 4


def test_what_is_missing_is_warned_of_where_it_was_called(
    written: Any, layer: InMemoryChannelLayer
):
    path = written([entry(1)], closed=False)
    with pytest.warns(MessagesMissing, match="was not closed") as told:
        handle = replay(path, channel_layer=layer)
    assert told[0].filename == __file__
    handle.wait(PATIENCE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", MessagesMissing)
        replay(path, channel_layer=layer, told=True).wait(PATIENCE)


@pytest.fixture
def foreign(tmp_path: Path) -> str:
    path = str(tmp_path / "foreign.mcap")
    with open(path, "wb") as file:
        writer = Writer(file)
        writer.start()
        for topic, encoding in (("/imu", "cdr"), ("/state", "json")):
            channel = writer.register_channel(topic, encoding, 0)
            writer.add_message(channel, 10**9, b'{"x":1}', 10**9)
        writer.finish()
    return path


def test_files_of_other_programs(foreign: str, layer: InMemoryChannelLayer):
    with pytest.raises(InvalidName) as caught:
        replay(foreign, channel_layer=layer)
    assert (
        "topic '/state' is no name of a group; say into={'/state': 'run'}"
        in (caught.value.__notes__[0])
    )
    with pytest.warns(MessagesMissing, match=r"encodings that nbchannels does not know: /imu"):
        handle = replay(foreign, {"/state": "state"}, None, channel_layer=layer)
    assert handle.wait(PATIENCE).sent == 1
    assert Group("state", channel_layer=layer).history()[0].content == {"x": 1}
    with pytest.raises(RecordingError, match="messages encoded as 'cdr'"):
        replay(foreign, "imu", groups=["/imu"], channel_layer=layer)
