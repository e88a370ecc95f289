"""What the handlers share: kernels and their keys, the status, the end."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.server.host import Host, Limits, installed_version
from nbchannels.server.policy import KernelUser
from tests.server.conftest import Call


class Kernel:
    """What the host looks at in Jupyter's kernel manager, here without a process."""

    def __init__(self, key: bytes = b"key", path: str | None = None) -> None:
        self.session = type("Session", (), {"key": key})()
        self.execution_state = "idle"
        self._launch_args = {"env": {"JPY_SESSION_NAME": path}} if path else {}
        self.provisioner = type("Provisioner", (), {"pid": 100})()


class Kernels(dict[str, Kernel]):
    def get_kernel(self, kernel_id: str) -> Kernel:
        return self[kernel_id]


@pytest.fixture
def kernels() -> Kernels:
    return Kernels(a=Kernel(), b=Kernel(b"other"))


@pytest.fixture
def host(kernels: Kernels) -> Host:
    return Host(InMemoryChannelLayer(), kernel_manager=kernels, root_dir="/home/ada")


def test_two_servers_have_two_ids(host: Host):
    assert host.server_id != Host(InMemoryChannelLayer()).server_id
    assert len(host.server_id) == 32


def test_a_kernels_key(host: Host, kernels: Kernels):
    assert host.kernel_key("a") == b"key"
    assert host.kernel_key("b") == b"other"
    assert host.kernel_key("c") is None
    kernels["a"].execution_state = "dead"
    assert host.kernel_key("a") is None
    assert not host.is_kernel_alive("a")


@pytest.mark.parametrize("key", [b"", None, "text"])
def test_a_kernel_without_a_key_cannot_prove_itself(host: Host, kernels: Kernels, key: Any):
    kernels["a"].session.key = key
    assert host.kernel_key("a") is None


def test_without_a_kernel_manager_there_are_no_kernels():
    host = Host(InMemoryChannelLayer())
    assert host.kernel_key("a") is None
    assert host.kernel_path("a") is None
    assert not host.is_kernel_alive("a")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/ada/work/plot.ipynb", "work/plot.ipynb"),
        ("/home/adam/plot.ipynb", "/home/adam/plot.ipynb"),
        ("/tmp/x.ipynb", "/tmp/x.ipynb"),
        ("/home/ada/", None),
        (None, None),
    ],
)
def test_a_kernels_notebook(host: Host, kernels: Kernels, path: str | None, shown: str | None):
    kernels["n"] = Kernel(path=path)
    assert host.kernel_path("n") == shown


def test_a_kernels_user(host: Host):
    assert host.kernel_user("a") == KernelUser("a")


class TestSweep:
    def test_it_tells_once_of_a_kernel_that_is_gone(self, host: Host, kernels: Kernels):
        told: list[str] = []
        host.when_kernel_gone(told.append)
        host.kernel_key("a")
        host.kernel_key("b")
        asyncio.run(host.sweep_kernels())
        assert told == []
        del kernels["a"]
        kernels["b"].execution_state = "dead"
        asyncio.run(host.sweep_kernels())
        assert sorted(told) == ["a", "b"]
        asyncio.run(host.sweep_kernels())
        assert len(told) == 2

    def test_it_tells_once_of_a_kernel_that_was_restarted(self, host: Host, kernels: Kernels):
        gone: list[str] = []
        told: list[str] = []
        host.when_kernel_gone(gone.append)
        host.when_kernel_restarted(told.append)
        host.kernel_key("a")
        asyncio.run(host.sweep_kernels())
        kernels["a"].provisioner.pid = None  # between two processes
        asyncio.run(host.sweep_kernels())
        assert told == []
        kernels["a"].provisioner.pid = 101
        host.kernel_key("a")
        asyncio.run(host.sweep_kernels())
        asyncio.run(host.sweep_kernels())
        assert told == ["a"]
        assert gone == []

    def test_a_kernel_whose_process_is_not_known_is_never_restarted(
        self, host: Host, kernels: Kernels
    ):
        told: list[str] = []
        host.when_kernel_restarted(told.append)
        del kernels["a"].provisioner
        host.kernel_key("a")
        asyncio.run(host.sweep_kernels())
        assert told == []

    def test_only_of_kernels_that_were_asked_for(self, host: Host, kernels: Kernels):
        told: list[str] = []
        host.when_kernel_gone(told.append)
        kernels.clear()
        asyncio.run(host.sweep_kernels())
        assert told == []

    def test_a_callback_may_be_a_coroutine_and_may_fail(
        self, host: Host, kernels: Kernels, caplog: pytest.LogCaptureFixture
    ):
        told: list[str] = []

        async def later(kernel_id: str) -> None:
            told.append(kernel_id)

        def fails(kernel_id: str) -> None:
            raise KeyError(kernel_id)

        host.when_kernel_gone(fails)
        host.when_kernel_gone(later)
        host.kernel_key("a")
        del kernels["a"]
        asyncio.run(host.sweep_kernels())
        assert told == ["a"]
        assert "telling of it failed" in caplog.text


def test_status(host: Host):
    status = asyncio.run(host.status())
    assert status["version"] == host.version == installed_version()
    assert status["layer"] == {"alias": "default", "backend": "memory", "trouble": None}
    host.layer.trouble = "Redis does not answer"
    assert asyncio.run(host.status())["layer"]["trouble"] == "Redis does not answer"
    json.dumps(status)


def test_limits_cannot_be_changed_under_way():
    with pytest.raises(AttributeError):
        Limits().message = 1  # type: ignore[misc]


def test_the_end(host: Host):
    layer = host.layer
    asyncio.run(layer.group_send("a", {}))
    asyncio.run(host.close())
    with pytest.raises(RuntimeError):
        host.reader.submit(print)


def key_in(connection_file: str) -> bytes:
    key: str = json.loads(Path(connection_file).read_text())["key"]
    return key.encode()


@pytest.mark.slow
async def test_a_real_kernel(call: Call, jp_serverapp: Any):
    """Its key, its notebook, its restart and its end, with Jupyter's own kernel manager."""
    host: Host = jp_serverapp.web_app.settings["nbchannels"]
    told: list[str] = []
    host.when_kernel_gone(told.append)
    session = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook"}
    answer = await call("POST", "/api/sessions", session | {"kernel": {"name": "echo"}})
    kernel_id = answer.value["kernel"]["id"]
    manager = jp_serverapp.kernel_manager.get_kernel(kernel_id)
    key = host.kernel_key(kernel_id)
    assert key == manager.session.key
    assert key_in(manager.connection_file) == key
    assert host.kernel_path(kernel_id) == "a.ipynb"

    assert (await call("POST", f"/api/kernels/{kernel_id}/restart")).status == 200
    await host.sweep_kernels()
    assert host.kernel_key(kernel_id) == key
    assert told == []

    assert (await call("DELETE", f"/api/kernels/{kernel_id}")).status == 204
    await host.sweep_kernels()
    assert told == [kernel_id]
    assert host.kernel_key(kernel_id) is None
