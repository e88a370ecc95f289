"""Layers by alias: configured, made once, named in every error."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.layers import manager
from nbchannels.layers.manager import (
    DEFAULT_CHANNEL_LAYER,
    ChannelLayerManager,
    channel_layers,
    get_channel_layer,
)
from nbchannels.layers.memory import InMemoryChannelLayer

MEMORY = "nbchannels.layers.memory.InMemoryChannelLayer"
HERE = f"{__name__}."


class Slow(InMemoryChannelLayer):
    """A layer that takes its time to be made."""

    made = 0

    def __init__(self) -> None:
        time.sleep(0.02)
        type(self).made += 1
        super().__init__()


class Open(InMemoryChannelLayer):
    """It does not say what it takes."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options


@pytest.fixture
def layers() -> ChannelLayerManager:
    return ChannelLayerManager()


@pytest.fixture
def configured() -> Iterator[None]:
    channel_layers.configure({"default": {"BACKEND": MEMORY}, "sensors": {"BACKEND": MEMORY}})
    yield
    channel_layers.configure({})


def refusal(call: Any, *arguments: Any) -> str:
    with pytest.raises(InvalidChannelLayerError) as caught:
        call(*arguments)
    return str(caught.value)


class TestConfigured:
    def test_a_layer_is_made_once_and_has_its_alias(self, layers: ChannelLayerManager):
        layers.configure(
            {
                "default": {"BACKEND": MEMORY, "CONFIG": {"capacity": 7}},
                "other": {"BACKEND": InMemoryChannelLayer},
            }
        )
        assert layers.backends == {}
        layer = layers["default"]
        assert layer is layers["default"]
        assert isinstance(layer, InMemoryChannelLayer)
        assert (layer.alias, layer.capacity) == ("default", 7)
        assert layers["other"].alias == "other"
        assert layers["other"] is not layer
        assert set(layers.backends) == {"default", "other"}

    def test_make_backend_is_kept_by_nobody(self, layers: ChannelLayerManager):
        layers.configure({"default": {"BACKEND": MEMORY}})
        assert layers.make_backend("default") is not layers.make_backend("default")
        assert layers.backends == {}

    def test_the_test_backend(self, layers: ChannelLayerManager):
        config = {"BACKEND": MEMORY, "CONFIG": {"capacity": 7}, "TEST_CONFIG": {"capacity": 2}}
        layers.configure({"default": config, "bare": {"BACKEND": MEMORY}})
        assert layers.make_test_backend("default").capacity == 2
        assert layers.make_backend("default").capacity == 7
        assert "channel layer 'bare' has no TEST_CONFIG" in refusal(
            layers.make_test_backend, "bare"
        )

    def test_who_is_there(self, layers: ChannelLayerManager):
        layers.configure({"a": {"BACKEND": MEMORY}})
        layers.set("b", InMemoryChannelLayer())
        assert "a" in layers
        assert "b" in layers
        assert "c" not in layers
        assert sorted(layers) == ["a", "b"]
        assert repr(layers) == "<channel layers a, b>"

    def test_configuring_again_forgets_what_was_made(self, layers: ChannelLayerManager):
        layers.configure({"default": {"BACKEND": MEMORY}})
        old = layers["default"]
        layers.configure({"default": {"BACKEND": MEMORY}})
        assert layers["default"] is not old

    def test_one_more_leaves_the_others_as_they_are(self, layers: ChannelLayerManager):
        layers.configure({"default": {"BACKEND": MEMORY}})
        layer = layers["default"]
        layers.add("site", {"BACKEND": MEMORY, "CONFIG": {"capacity": 3}})
        assert layers["default"] is layer
        assert (layers["site"].alias, layers["site"].capacity) == ("site", 3)
        assert "channel layer 'site' is there already" in refusal(
            layers.add, "site", {"BACKEND": MEMORY}
        )
        refusal(layers.add, "third", {"BACKEND": "no.such.module.Layer", "WRONG": 1})
        assert sorted(layers) == ["default", "site"]

    def test_one_more_beside_what_nobody_configured(self, layers: ChannelLayerManager):
        layers.add("site", {"BACKEND": MEMORY})
        assert sorted(layers) == ["default", "site"]
        assert layers.configs["default"] == manager.UNCONFIGURED["default"]

    def test_a_wrong_configuration_changes_nothing(self, layers: ChannelLayerManager):
        layers.configure({"default": {"BACKEND": MEMORY}})
        layer = layers["default"]
        refusal(layers.configure, {"default": {"BACKEND": MEMORY}, "x": {}})
        assert layers["default"] is layer

    def test_what_is_read_cannot_be_written(self, layers: ChannelLayerManager):
        layers.configure({"default": {"BACKEND": MEMORY}})
        layers.configs["x"] = {}
        assert "x" not in layers


class TestSet:
    def test_it_replaces_and_returns_the_old_one(self, layers: ChannelLayerManager):
        one, two = InMemoryChannelLayer(), InMemoryChannelLayer()
        assert layers.set("default", one) is None
        assert layers.set("default", two) is one
        assert layers["default"] is two
        assert two.alias == "default"

    def test_none_makes_it_anew(self, layers: ChannelLayerManager):
        layers.configure({"default": {"BACKEND": MEMORY}})
        layer = layers["default"]
        assert layers.set("default", None) is layer
        assert layers["default"] is not layer


class TestUnconfigured:
    def test_default_is_the_layer_of_the_server(self, layers: ChannelLayerManager):
        assert layers.configs == {
            "default": {"BACKEND": "nbchannels.kernel.layer.KernelChannelLayer"}
        }
        assert "default" in layers

    def test_nothing_is_made_or_imported_before_it_is_asked_for(
        self, layers: ChannelLayerManager, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(manager.UNCONFIGURED["default"], "BACKEND", HERE + "Slow")
        made = Slow.made
        assert "default" in layers
        assert Slow.made == made
        assert isinstance(layers["default"], Slow)


class TestErrors:
    @pytest.mark.parametrize(
        ("config", "said"),
        [
            ({}, "channel layer 'a' names no BACKEND; it takes the dotted path of a class"),
            ({"BACKEND": None}, "names no BACKEND"),
            (
                {"BACKEND": MEMORY, "CONFG": {}},
                "has the option 'CONFG', which is not known; known are BACKEND, CONFIG, TEST_",
            ),
            ({"BACKEND": MEMORY, "ROUTES": "x"}, "has the option 'ROUTES'"),
            ({"BACKEND": MEMORY, "CONFIG": [1]}, "CONFIG of channel layer 'a' is a list; it takes"),
            ("redis", "channel layer 'a' is configured with a str; it takes a dict"),
        ],
    )
    def test_of_a_configuration(self, layers: ChannelLayerManager, config: Any, said: str):
        assert said in refusal(layers.configure, {"a": config})

    @pytest.mark.parametrize(
        ("backend", "said"),
        [
            ("Nothing", "BACKEND 'Nothing' of channel layer 'a' is no dotted path"),
            (
                "no_such_package.Layer",
                "cannot be imported: No module named 'no_such_package'; is its package installed",
            ),
            (
                "nbchannels.layers.memory.InMemoryChanelLayer",
                "has no 'InMemoryChanelLayer'; did you mean 'InMemoryChannelLayer'?",
            ),
        ],
    )
    def test_of_a_backend(self, layers: ChannelLayerManager, backend: str, said: str):
        layers.configure({"a": {"BACKEND": backend}})
        assert said in refusal(layers.__getitem__, "a")

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            (
                {"capcity": 5},
                "not take; did you mean 'capacity'? it takes expiry, group_expiry, capacity",
            ),
            ({"hosts": []}, "has the option 'hosts', which InMemoryChannelLayer does not take; it"),
            ({"capacity": -1}, "capacity is -1; it must be a number above 0"),
            ({"channel_capacity": {"a*": 0}}, "channel_capacity: 'a*' has 0"),
            ({"channel_capacity": 5}, "InMemoryChannelLayer does not take its CONFIG"),
        ],
    )
    def test_of_options(self, layers: ChannelLayerManager, config: Any, said: str):
        layers.configure({"a": {"BACKEND": MEMORY, "CONFIG": config}})
        assert said in refusal(layers.__getitem__, "a")
        assert layers.backends == {}

    def test_a_class_that_takes_anything_gets_it(self, layers: ChannelLayerManager):
        layers.configure({"a": {"BACKEND": HERE + "Open", "CONFIG": {"anything": 1}}})
        layer: Any = layers["a"]
        assert layer.options == {"anything": 1}

    def test_an_unknown_alias_names_the_known_ones(self, configured: None):
        said = refusal(get_channel_layer, "sensor")
        assert said == (
            "channel layer 'sensor' is not configured; there are 'default', 'sensors': "
            "did you mean 'sensors'?"
        )
        assert "there are 'default', 'sensors'" in refusal(get_channel_layer, "xyz")


def test_get_channel_layer_is_never_none(configured: None):
    assert DEFAULT_CHANNEL_LAYER == "default"
    assert get_channel_layer() is channel_layers["default"]
    assert get_channel_layer("sensors") is channel_layers["sensors"]


def test_many_threads_make_one_layer(layers: ChannelLayerManager):
    layers.configure({"default": {"BACKEND": Slow}})
    made = Slow.made
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(layers["default"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
    assert Slow.made == made + 1


class TestInANotebook:
    def test_each_layer_is_looked_after(
        self, layers: ChannelLayerManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Any] = []
        monkeypatch.setattr(manager, "_is_notebook", lambda: True)
        monkeypatch.setattr("nbchannels.kernel.notebook.begin", seen.append)
        layers.configure({"default": {"BACKEND": MEMORY}})
        made = layers["default"]
        put = InMemoryChannelLayer()
        layers.set("other", put)
        assert seen == [made, put]

    def test_elsewhere_the_kernels_modules_are_not_needed(
        self, layers: ChannelLayerManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(manager, "NOTEBOOK", "no.such.module")
        layers.configure({"default": {"BACKEND": MEMORY}})
        assert isinstance(layers["default"], InMemoryChannelLayer)


class SpecificationOnly:
    """As the layers of Channels are."""

    async def send(self, channel, message):
        """As Channels has it."""


def test_a_class_that_has_not_even_the_specification_is_refused_with_a_sentence():
    manager = ChannelLayerManager()
    manager.configure({"site": {"BACKEND": SpecificationOnly}})
    with pytest.raises(
        InvalidChannelLayerError, match="no subclass of.*: send, receive, new_channel, group_add"
    ):
        manager["site"]
