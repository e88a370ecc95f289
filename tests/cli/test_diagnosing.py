"""``doctor``."""

import json

import pytest

from nbchannels.bridge import bridge
from nbchannels.cli.diagnosing import diagnose
from nbchannels.kernel import doctor
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.manager import channel_layers
from tests.cli.conftest import Written


def test_what_is_found(layer: KernelChannelLayer, out: Written):
    bridge.run(layer.send("ill", {}))
    assert diagnose(out)
    assert "! 1 message in channel 'ill', and no consumer\n    → " in out.text
    assert "✓ connected to" in out.text
    assert out.text.index("!") < out.text.index("✓ connected")


def test_for_machines(layer: KernelChannelLayer, out: Written):
    assert diagnose(out, json=True)
    found = json.loads(out.text)
    assert {"mark", "what", "remedy"} == set(found[0])


def test_no_server_is_a_problem(out: Written):
    found = KernelChannelLayer()
    before = channel_layers.set("default", found)
    try:
        assert not diagnose(out)
    finally:
        channel_layers.set("default", before)
    assert out.text.startswith("✗ no Jupyter server of this user is running")


def test_texts_of_others_are_escaped(out: Written, monkeypatch: pytest.MonkeyPatch):
    finding = doctor.Finding("problem", "a\x1b[2J\nb", "c\x07")
    monkeypatch.setattr("nbchannels.cli.diagnosing.examine", lambda: [finding])
    out.is_unicode = False
    assert not diagnose(out)
    assert out.text == "x a\\x1b[2J b\n    -> c\\x07\n"
