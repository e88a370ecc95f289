"""Channel layers written down in a file or in the environment."""

import json

import pytest

from nbchannels.channel import Channel
from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.layers.configuration import VARIABLE, from_environment, from_file
from nbchannels.layers.manager import UNCONFIGURED, ChannelLayerManager
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.message import Message
from nbchannels.routes import Router, route

MEMORY = "nbchannels.layers.memory.InMemoryChannelLayer"
TOML = f"""
[CHANNEL_LAYERS.default]
BACKEND = "{MEMORY}"
CONFIG = {{ capacity = 7, channel_capacity = {{ "big.*" = 500 }} }}

[CHANNEL_LAYERS.sensors]
BACKEND = "{MEMORY}"
ROUTING = {{ work = "json.dumps" }}

[CHANNEL_LAYERS.sensors.TEST_CONFIG]
expiry = 100500
"""
LAYERS = {
    "default": {
        "BACKEND": MEMORY,
        "CONFIG": {"capacity": 7, "channel_capacity": {"big.*": 500}},
    },
    "sensors": {
        "BACKEND": MEMORY,
        "ROUTING": {"work": "json.dumps"},
        "TEST_CONFIG": {"expiry": 100500},
    },
}


@pytest.fixture
def layers(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    return ChannelLayerManager()


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "layers.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(call, *arguments):
    with pytest.raises(InvalidChannelLayerError) as caught:
        call(*arguments)
    return str(caught.value)


class TestFile:
    def test_what_it_says(self, write):
        assert from_file(write(TOML)) == LAYERS
        assert from_file(str(write(TOML))) == LAYERS

    def test_below_home(self, write, monkeypatch):
        monkeypatch.setenv("HOME", str(write(TOML).parent))
        assert from_file("~/layers.toml") == LAYERS

    @pytest.mark.parametrize(("text", "said"), [
        ("", "configures no channel layers; write a table [CHANNEL_LAYERS.default]"),
        ("[", "is no TOML"),
        (b"\xff", "is no TOML"),
        ("a = 1\na = 2", "is no TOML"),
        ("[CHANNEL_LAYER.default]", "'CHANNEL_LAYER', which is not known; did you mean"),
        ("[channel_layers.default]", "did you mean 'CHANNEL_LAYERS'?"),
        ("[default]", "'default', which is not known; known is 'CHANNEL_LAYERS'"),
        (TOML + "[other]", "has 'other'"),
        ("CHANNEL_LAYERS = 5", "is of type int"),
        ("[CHANNEL_LAYERS]", "is empty; name a layer"),
        ("[CHANNEL_LAYERS]\nBACKEND = 'x'", "has under 'BACKEND' a value of type str"),
        ("#" * (2**20 + 1), "has 1,048,577 bytes, the limit is 1,048,576"),
    ])  # fmt: skip
    def test_what_cannot_be_used_is_named_with_the_file(self, write, text, said):
        path = write(text)
        found = refusal(from_file, path)
        assert said in found
        assert str(path) in found

    def test_a_file_that_is_not_there(self, tmp_path):
        assert "cannot be read" in refusal(from_file, tmp_path / "none.toml")
        assert "none.toml" in refusal(from_file, tmp_path / "none.toml")
        assert "cannot be read" in refusal(from_file, tmp_path)


class TestEnvironment:
    @pytest.mark.parametrize("environ", [{}, {VARIABLE: ""}, {VARIABLE: "  \n"}])
    def test_nothing_is_said(self, environ):
        assert from_environment(environ) is None

    def test_as_json(self):
        assert from_environment({VARIABLE: f" {json.dumps(LAYERS)}\n"}) == LAYERS

    def test_as_the_path_of_a_file(self, write):
        assert from_environment({VARIABLE: str(write(TOML))}) == LAYERS

    @pytest.mark.parametrize(("text", "said"), [
        ("{", "is no JSON"),
        ('{"a": 1, "a": 2}', "is no JSON: it has the key 'a' twice"),
        ("[]", "is of type list"),
        ('"x"', "is of type str"),
        ("{}", "is empty"),
        ('{"default": 5}', "has under 'default' a value of type int"),
        ("[" * 100_000, "is no JSON"),
        ("/nowhere/layers.toml", "/nowhere/layers.toml"),
        ("\0", "cannot be read"),
    ])  # fmt: skip
    def test_what_cannot_be_used_is_named_with_the_variable(self, text, said):
        found = refusal(from_environment, {VARIABLE: text})
        assert found.startswith(VARIABLE)
        assert said in found


class TestManager:
    def test_from_a_file(self, layers, write):
        layers.configure_from_file(write(TOML))
        assert list(layers) == ["default", "sensors"]
        assert layers["default"].capacity == 7
        assert layers["default"].get_capacity("big.one") == 500
        assert layers.make_test_backend("sensors").expiry == 100500

    def test_a_file_of_no_use_changes_nothing(self, layers, write):
        layers.configure({"mine": {"BACKEND": MEMORY}})
        assert "CONFIGS" in refusal(
            layers.configure_from_file,
            write(f'[CHANNEL_LAYERS.default]\nBACKEND = "{MEMORY}"\nCONFIGS = {{}}'),
        )
        assert list(layers) == ["mine"]

    def test_the_environment_counts_when_nothing_else_was_said(self, layers, monkeypatch):
        assert layers.configs == UNCONFIGURED
        monkeypatch.setenv(VARIABLE, json.dumps(LAYERS))
        assert layers.configs == LAYERS
        assert isinstance(layers["default"], InMemoryChannelLayer)
        assert layers["default"].capacity == 7
        assert "sensors" in layers
        layers.configure({"default": {"BACKEND": MEMORY}})
        assert layers["default"].capacity == 100
        assert "'sensors' is not configured" in refusal(layers.make_backend, "sensors")

    def test_a_hosted_layer_counts_more_than_the_environment(self, layers, monkeypatch):
        monkeypatch.setenv(VARIABLE, json.dumps(LAYERS))
        hosted = InMemoryChannelLayer()
        layers.set("default", hosted)
        assert layers["default"] is hosted

    def test_an_environment_of_no_use_is_an_error_and_no_other_layer(self, layers, monkeypatch):
        monkeypatch.setenv(VARIABLE, '{"default": {"BACKEND": "x"}}')
        assert "BACKEND 'x'" in refusal(layers.__getitem__, "default")
        monkeypatch.setenv(VARIABLE, '{"default": {}}')
        assert "names no BACKEND" in refusal(layers.__getitem__, "default")
        monkeypatch.setenv(VARIABLE, "nowhere.toml")
        assert refusal(layers.__getitem__, "default").startswith(VARIABLE)


class TestRouting:
    @pytest.mark.parametrize("routing", [
        "json.dumps", [route("work", print)], (route("work", print),), {"work": print}, None,
    ])  # fmt: skip
    def test_it_is_kept_for_whoever_routes(self, layers, routing):
        layers.configure({"default": {"BACKEND": MEMORY, "ROUTING": routing}})
        assert layers["default"].routing == routing
        assert layers.make_backend("default").routing == routing

    def test_a_router_can_be_made_of_it(self, layers):
        layers.configure({"default": {"BACKEND": MEMORY, "ROUTING": {"work": "json.dumps"}}})
        layer = layers["default"]
        found = Router(layer.routing).match(Message({}, Channel("work").name, layer))
        assert found == (json.dumps, {})

    def test_without_it_there_is_none(self, layers):
        layers.configure({"default": {"BACKEND": MEMORY}})
        assert layers["default"].routing is None

    def test_what_is_no_routing_is_refused(self, layers):
        found = refusal(layers.configure, {"default": {"BACKEND": MEMORY, "ROUTING": 5}})
        assert "ROUTING of channel layer 'default' is of type int" in found
