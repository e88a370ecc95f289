"""The layer of a kernel or a script, over a real Jupyter server, is a layer like any other."""

import pytest

from nbchannels.testing.layers import LayerContract

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TestKernelLayer(LayerContract):
    """The conformance suite."""
