"""The REST API does what its document says, whatever is sent to it: schemathesis tries."""

import os
import subprocess
import sys

import pytest

from nbchannels.bridge import bridge
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.server.openapi import OPERATIONS
from tests.kernel.conftest import RunningServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

#: A group that was cleared is still there, as the document says.
EXCLUDED = "use_after_free"


@pytest.mark.timeout(180)
def test_every_operation_answers_as_documented(server: RunningServer):
    layer = KernelChannelLayer(find=server.found)
    bridge.run(layer.group_send("index", {"value": 1}), 10)
    bridge.run(layer.send("small.1", {"n": 1}), 10)
    bridge.run(layer.close(), 10)
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run",
            f"{server.url}nbchannels/api/openapi.json",
            "--header", f"Authorization: token {server.token}",
            "--phases", "coverage,fuzzing,stateful", "--max-examples", "5", "--seed", "1",
            "--exclude-checks", EXCLUDED, "--no-color",
        ],
        cwd=server.folder, env=os.environ | {"PYTHONWARNINGS": "ignore"}, text=True,
        capture_output=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    # All operations but the document's own: where it was read from, it is not tried.
    tried = len(OPERATIONS) - 1
    assert f"Selected: {tried}/{tried}" in done.stdout, done.stdout[-6_000:]
    assert f"Tested: {tried}" in done.stdout
