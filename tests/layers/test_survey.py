"""Rows of what is in a layer."""

import pytest

from nbchannels.layers import survey
from nbchannels.layers.memory import InMemoryChannelLayer

pytestmark = pytest.mark.asyncio


async def test_rows():
    now = 100.0
    layer = InMemoryChannelLayer(clock=lambda: now)
    await layer.group_send("index", {"y": 1})
    await layer.send("work", {"n": 1})
    now = 103.0
    ((name, offset, messages, size, subscribers, members, last, epoch),) = survey.groups(layer)
    assert (name, offset, messages, subscribers, members, last) == ("index", 1, 1, 0, 0, 100.0)
    assert size > 0
    assert epoch
    (channel,) = survey.channels(layer)
    assert channel == ("work", 1, 7, 3.0, 100, 0, 1, 0, 0, 0)
