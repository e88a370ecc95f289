"""The library mcap is optional."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbchannels.channel import Group
from nbchannels.exceptions import ChannelsError
from nbchannels.recording.mcapfile import mcap
from nbchannels.recording.reader import Recording


@pytest.fixture
def without_mcap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "mcap"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcap", None)
    mcap.cache_clear()
    yield
    mcap.cache_clear()


@pytest.mark.usefixtures("without_mcap")
def test_without_it_the_error_names_the_remedy(path: str, run: Group):
    remedy = re.escape("pip install 'nbchannels[record]'")
    with pytest.raises(ChannelsError, match=remedy):
        run.record(path)
    assert not os.path.exists(path)
    Path(path).write_bytes(b"something")
    with pytest.raises(ChannelsError, match=remedy):
        Recording(path)


def test_it_is_not_loaded_before_it_is_used():
    code = (
        "import sys, nbchannels; nbchannels.Group, nbchannels.record, nbchannels.replay;"
        "print('mcap' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
