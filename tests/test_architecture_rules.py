"""Every rule of the building plan finds what it forbids.

A small checkout that keeps all rules is broken in one place at a time.
"""

from pathlib import Path

import pytest

from tests import architecture
from tests.architecture import RULES

PACKAGE = {
    "exceptions": "",
    "names": "from nbchannels.exceptions import ChannelsError\n",
    "protocol.codec": "import msgspec\nfrom nbchannels.names import require\n",
    "layers.base": "import asyncio\n",
    "layers.memory": "from nbchannels.layers.base import BaseChannelLayer\n",
    "layers.manager": "from nbchannels.layers import memory\n",
    "channel": "class Channel: pass\n",
    "server.gateway": "import tornado\nfrom nbchannels.protocol.codec import decode\n",
    "kernel.connection": "from nbchannels.protocol import codec\n",
    "widgets.plot": "import anywidget\n",
}
ROOT_DOOR = """
__all__ = ["Channel", "get_channel_layer"]


def __getattr__(name):
    from nbchannels.channel import Channel

    if name in __all__:
        return Channel
    raise AttributeError(name)


def __dir__():
    return __all__
"""
FILES = {
    "nbchannels/__init__.py": ROOT_DOOR,
    "nbchannels/layers/__init__.py": "from nbchannels.layers.memory import InMemoryChannelLayer\n",
    "nbchannels/protocol/__init__.py": "",
    "nbchannels/server/__init__.py": "",
    "nbchannels/kernel/__init__.py": "",
    "nbchannels/widgets/__init__.py": "",
    "pyproject.toml": '[project]\nversion = "1.2.3"\n',
    "labextension/package.json": '{"version": "1.2.3"}',
    "labextension/package-lock.json": '{"version": "1.2.3"}',
    "labextension/src/index.ts": "import { JupyterFrontEnd } from '@jupyterlab/application';\n",
    "labextension/src/renderer.ts": "import { Widget } from '@lumino/widgets';\n",
    "labextension/src/inspector/panel.ts": "import type { A } from '@jupyterlab/apputils';\n",
    "labextension/src/views/plot.ts": "import uPlot from 'uplot';\n",
}

# rule, file, what it then holds, what the rule says
VIOLATIONS = [
    ("every_module_has_a_floor", "nbchannels/attic.py", "", "attic stands on no floor"),
    (
        "every_module_has_a_floor",
        "nbchannels/layers/kafka.py",
        "",
        "layers.kafka stands on no floor",
    ),
    (
        "imports_go_downwards",
        "nbchannels/layers/base.py",
        "from nbchannels.layers.memory import InMemoryChannelLayer",
        "layers.base (floor 1 no IO) imports layers.memory (floor 2 layers)",
    ),
    (
        "imports_go_downwards",
        "nbchannels/exceptions.py",
        "def late():\n    from nbchannels import channel",
        "exceptions (floor 0 words) imports channel",
    ),
    (
        "imports_go_downwards",
        "nbchannels/channel.py",
        "import importlib\nimportlib.import_module('nbchannels.kernel.connection')",
        "channel (floor 3 application) imports kernel.connection",
    ),
    (
        "strangers_do_not_meet",
        "nbchannels/server/gateway.py",
        "from nbchannels.kernel.connection import Connection",
        "server and kernel are strangers",
    ),
    (
        "strangers_do_not_meet",
        "nbchannels/widgets/plot.py",
        "import nbchannels.server.gateway",
        "widgets and server are strangers",
    ),
    (
        "one_library_one_room",
        "nbchannels/channel.py",
        "import redis.asyncio",
        "whose room is layers.redis",
    ),
    (
        "one_library_one_room",
        "nbchannels/layers/base.py",
        "from tornado import web",
        "imports tornado",
    ),
    ("one_library_one_room", "nbchannels/server/gateway.py", "import IPython", "imports IPython"),
    (
        "one_library_one_room",
        "nbchannels/kernel/connection.py",
        "import anywidget",
        "imports anywidget",
    ),
    ("one_library_one_room", "nbchannels/channel.py", "import msgspec", "imports msgspec"),
    (
        "the_core_does_no_io",
        "nbchannels/protocol/codec.py",
        "import asyncio",
        "protocol.codec imports asyncio",
    ),
    (
        "the_core_does_no_io",
        "nbchannels/names.py",
        "from time import monotonic",
        "names imports time",
    ),
    (
        "the_core_does_no_io",
        "nbchannels/layers/log.py",
        "import threading",
        "layers.log imports threading",
    ),
    (
        "no_cycles",
        "nbchannels/layers/memory.py",
        "import typing\nif typing.TYPE_CHECKING:\n    from nbchannels.layers.manager import m",
        "layers.manager",
    ),
    (
        "no_cycles",
        "nbchannels/layers/memory.py",
        "def late():\n    import nbchannels.layers.manager",
        "layers.manager",
    ),
    (
        "imports_are_absolute",
        "nbchannels/channel.py",
        "from . import names",
        "channel has a relative import",
    ),
    (
        "imports_are_absolute",
        "nbchannels/layers/__init__.py",
        "from .memory import a",
        "layers has a relative",
    ),
    (
        "insiders_use_no_door",
        "nbchannels/channel.py",
        "from nbchannels.layers import get_channel_layer",
        "channel imports nbchannels.layers.get_channel_layer through a door",
    ),
    ("insiders_use_no_door", "nbchannels/channel.py", "import nbchannels", "through a door"),
    (
        "doors_open_into_their_own_room",
        "nbchannels/layers/__init__.py",
        "from nbchannels.channel import Channel",
        "layers/__init__.py re-exports channel",
    ),
    ("modules_are_small", "nbchannels/channel.py", "x = 1\n" * 400, "has 400 lines, at most 399"),
    ("modules_are_small", "nbchannels/__init__.py", "x = 1\n" * 400, "has 400 lines, at most 399"),
    ("names_are_nouns", "nbchannels/server/utils.py", "", "server.utils is named after nothing"),
    ("names_are_nouns", "nbchannels/helpers/__init__.py", "", "helpers is named after nothing"),
    (
        "randomness_comes_from_secrets",
        "nbchannels/channel.py",
        "import random",
        "channel imports random",
    ),
    (
        "randomness_comes_from_secrets",
        "nbchannels/channel.py",
        "from numpy import random",
        "imports random",
    ),
    (
        "randomness_comes_from_secrets",
        "nbchannels/__init__.py",
        "from random import choice",
        "use secrets",
    ),
    (
        "every_module_has_its_tests",
        "nbchannels/server/rest.py",
        "",
        "server.rest has no tests: tests/server/test_rest.py does not exist",
    ),
    (
        "root_exports_work",
        "nbchannels/__init__.py",
        "__all__ = ['Group']",
        "nbchannels.Group cannot be had: AttributeError",
    ),
    ("root_exports_work", "nbchannels/__init__.py", "a = 1\n__all__ = ['a', 'a']", "names a twice"),
    ("root_exports_work", "nbchannels/__init__.py", "", "nbchannels has no __all__"),
    (
        "root_exports_work",
        "nbchannels/__init__.py",
        ROOT_DOOR.replace("return __all__", "return []"),
        "completion misses it",
    ),
    (
        "no_export_hides_a_submodule",
        "nbchannels/__init__.py",
        "channel = 1\n__all__ = ['channel']",
        "nbchannels.channel is both an export and a submodule",
    ),
    (
        "no_export_hides_a_submodule",
        "nbchannels/__init__.py",
        "layers = 1\n__all__ = ['layers']",
        "nbchannels.layers is both",
    ),
    (
        "the_root_loads_lazily",
        "nbchannels/__init__.py",
        "import tornado",
        "import nbchannels loads tornado",
    ),
    (
        "versions_agree",
        "labextension/package.json",
        '{"version": "1.2.4"}',
        "version 1.2.4, pyproject.toml 1.2.3",
    ),
    (
        "versions_agree",
        "labextension/package-lock.json",
        '{"version": "1.2"}',
        "package-lock.json has version 1.2",
    ),
    (
        "few_know_jupyterlab",
        "labextension/src/views/plot.ts",
        "import type { Widget } from '@lumino/widgets';",
        "src/views/plot.ts imports @lumino/",
    ),
    (
        "few_know_jupyterlab",
        "labextension/src/client/lazy.ts",
        "const lab = await import('@jupyterlab/services');",
        "src/client/lazy.ts imports @jupyterlab/",
    ),
]


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path) -> Path:
    files = dict(FILES)
    for module, source in PACKAGE.items():
        *rooms, name = module.split(".")
        files["/".join(["nbchannels", *rooms, f"{name}.py"])] = source
        files["/".join(["tests", *rooms, f"test_{name}.py"])] = ""
    for place, text in files.items():
        write(tmp_path / place, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_checkout_that_keeps_the_plan_passes(checkout: Path, rule, monkeypatch):
    monkeypatch.setattr(architecture, "COVERED_BY", {})
    assert not list(rule(checkout))


@pytest.mark.parametrize(("rule", "place", "text", "says"), VIOLATIONS)
def test_a_violation_is_found(checkout: Path, rule: str, place: str, text: str, says: str):
    write(checkout / place, text)
    found = list(getattr(architecture, rule)(checkout))
    assert any(says in sentence for sentence in found), found


def test_a_stale_entry_in_the_table_of_tests_is_found(checkout: Path, monkeypatch):
    monkeypatch.setattr(architecture, "COVERED_BY", {"gone": "tests/test_gone.py"})
    assert list(architecture.the_table_of_tests_is_true(checkout)) == [
        "COVERED_BY names gone, which does not exist"
    ]


def test_a_table_entry_must_point_to_a_file(checkout: Path, monkeypatch):
    monkeypatch.setattr(architecture, "COVERED_BY", {"channel": "tests/test_elsewhere.py"})
    assert list(architecture.every_module_has_its_tests(checkout)) == [
        "channel has no tests: tests/test_elsewhere.py does not exist"
    ]


def test_every_rule_is_broken_once():
    broken = {rule for rule, *_ in VIOLATIONS} | {"the_table_of_tests_is_true"}
    assert broken == {rule.__name__ for rule in RULES}
