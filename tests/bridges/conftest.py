"""Groups on a layer of this process, which answers at once or when it is told to."""

from concurrent.futures import Future

import pytest

from nbchannels.bridges import logs, outlets
from nbchannels.channel import Group
from nbchannels.diagnoses import diagnoses
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.pending import expect
from nbchannels.receipt import Receipt


class SlowLayer(InMemoryChannelLayer):
    """Acknowledges when it is told to; fails as it is told to."""

    def __init__(self):
        super().__init__()
        self.is_slow = False
        self.fail = None
        self.pending = []
        self.submitted = 0

    def submit(self, kind, name, encoded, *, receipt=True):
        self.submitted += 1
        if self.fail is not None:
            raise self.fail
        found = super().submit(kind, name, encoded, receipt=receipt)
        if not self.is_slow:
            return found
        future: Future[Receipt] = Future()
        self.pending.append((future, found))
        return future

    def acknowledge(self, error=None):
        pending, self.pending = self.pending, []
        for future, receipt in pending:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(receipt)


@pytest.fixture
def layer():
    return SlowLayer()


@pytest.fixture
def group(layer):
    expect("group", "run")
    return Group("run", channel_layer=layer)


@pytest.fixture(autouse=True)
def nothing_before():
    diagnoses.clear()
    yield
    logs._known.rows.clear()
    for outlet in list(outlets._postman.outlets):
        outlet.begin_anew()
    diagnoses.clear()


@pytest.fixture
def told():
    """What was reported since: kinds and sentences."""
    return lambda: [(found.kind, found.sentence) for found in diagnoses.recent()]
