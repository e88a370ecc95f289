"""The conformance suite of channel layers; every layer runs it, third parties' too.

Write a test module with a fixture ``layer`` that yields an empty layer, and::

    from nbchannels.testing.layers import LayerContract

    class TestMyLayer(LayerContract):
        pass

The layer under test should have ``capacity=5`` for channels named ``small*``, an expiry below a
second for those named ``short*`` (else those tests are skipped with a reason), and the default
history. Needs pytest and pytest-asyncio.
"""

from nbchannels.testing.channel_contract import ChannelContract
from nbchannels.testing.lease_contract import LeaseContract
from nbchannels.testing.log_contract import LogContract
from nbchannels.testing.value_contract import ValueContract

__all__ = ["LayerContract"]


class LayerContract(ChannelContract, LeaseContract, LogContract, ValueContract):
    """What every layer holds."""
