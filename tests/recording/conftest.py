"""Recordings in a folder of their own, over a layer in memory."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbchannels.channel import Group
from nbchannels.diagnoses import diagnoses
from nbchannels.encoding import Encoded
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.pending import take_unseen
from nbchannels.recording.entries import Entry, Gap
from nbchannels.recording.writer import RecordingFile


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is told in one test is not told in the next."""
    diagnoses.clear()
    take_unseen()
    yield
    diagnoses.clear()
    take_unseen()


@pytest.fixture
def layer() -> InMemoryChannelLayer:
    return InMemoryChannelLayer()


@pytest.fixture
def run(layer: InMemoryChannelLayer) -> Group:
    return Group("run", channel_layer=layer)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "run.mcap")


@pytest.fixture
def written(path: str) -> Callable[..., str]:
    """``written(entries, …)``: a recording of these, with a flush where ``None`` stands."""

    def make(items: list[Any], *, closed: bool = True, name: str = path) -> str:
        groups = sorted({item.group for item in items if isinstance(item, Entry)})
        file = RecordingFile(name, groups, overwrite=True)
        gaps = []
        for item in items:
            if item is None:
                file.flush()
            elif isinstance(item, Gap):
                gaps.append(item.to_json())
                file.gap(item)
            else:
                file.write(item)
        if closed:
            file.close({"messages": file.messages, "gaps": gaps})
        else:
            file.flush()
            file.abandon()
        return name

    return make


def entry(number: int, at: float | None = None, group: str = "run", **more: Any) -> Entry:
    """An entry of a group, one second after the other unless said otherwise."""
    time = round((number if at is None else at) * 10**9)
    fields = {"codec": 1, "body": b'{"n":%d}' % number, "offset": number, "epoch": "e"} | more
    return Entry(group, time=time, **({"tag": number * 7, "sender": 3} | fields))


def submit(layer: InMemoryChannelLayer, encoded: Encoded, group: str = "run") -> Any:
    """Send what is encoded already."""
    return layer.submit("group", group, encoded)
