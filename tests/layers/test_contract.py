"""The conformance suite, run by the layers that need nothing but this process."""

import pytest

from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.testing.layers import LayerContract


@pytest.fixture
def layer():
    return InMemoryChannelLayer(channel_capacity={"small*": 5}, channel_expiry={"short*": 0.1})


class TestMemory(LayerContract):
    pass
