"""The extension in its server: configuration, start, the address for kernels, stop."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from traitlets.config.loader import DeferredConfigList, DeferredConfigString

import nbchannels
from nbchannels.channel import Channel
from nbchannels.exceptions import InvalidChannelLayerError
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.redaction import HIDDEN
from nbchannels.server.extension import URL_VARIABLE, NbChannels, reachable_url
from nbchannels.server.host import Host
from nbchannels.server.hub import Hub

MEMORY = "nbchannels.layers.memory.InMemoryChannelLayer"


def configured(**options: Any) -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"nbchannels": True}}, "NbChannels": options}


@pytest.fixture
def extension(jp_serverapp: Any) -> NbChannels:
    (found,) = jp_serverapp.extension_manager.extension_apps["nbchannels"]
    assert isinstance(found, NbChannels)
    return found


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("localhost", "http://127.0.0.1:8888/a%40b/"),
        ("", "http://127.0.0.1:8888/a%40b/"),
        ("*", "http://127.0.0.1:8888/a%40b/"),
        ("0.0.0.0", "http://127.0.0.1:8888/a%40b/"),
        ("127.0.0.1", "http://127.0.0.1:8888/a%40b/"),
        ("::", "http://[::1]:8888/a%40b/"),
        ("::1", "http://[::1]:8888/a%40b/"),
        ("10.0.0.5", "http://10.0.0.5:8888/a%40b/"),
        ("lab.example", "http://lab.example:8888/a%40b/"),
    ],
)
def test_where_kernels_reach_the_server(ip: str, expected: str):
    server = SimpleNamespace(ip=ip, port=8888, base_url="/a%40b/", sock="", certfile="")
    assert reachable_url(server) == expected
    server.certfile = "cert.pem"
    assert reachable_url(server) == expected.replace("http:", "https:")
    assert reachable_url(server, "https://hub.example/user/ada") == "https://hub.example/user/ada/"
    server.sock = "/run/jupyter.sock"
    assert reachable_url(server) is None
    assert reachable_url(server, "http://proxy:80/") == "http://proxy:80/"


def test_jupyter_finds_it():
    assert nbchannels._jupyter_server_extension_points() == [
        {"module": "nbchannels", "app": NbChannels}
    ]


class TestDefaults:
    async def test_the_layer(self, host: Host):
        layer: Any = host.layer
        assert channel_layers["default"] is layer
        assert layer.alias == "default"
        assert (layer.get_capacity("work"), layer.expiry) == (10_000, 86_400)
        name = await layer.new_channel()
        assert layer.get_capacity(name) == 100
        assert layer._registry.mailboxes[name].expiry == 60
        assert layer._registry.bounds.history == 10_000

    def test_the_host(self, host: Host, jp_serverapp: Any):
        assert isinstance(host.hub, Hub)
        assert host.limits.message == 16 * 2**20
        assert host.url is None
        assert not host.counts_as_activity


class TestThePathsOfTheMemoryLayer:
    @pytest.fixture(params=[MEMORY, "nbchannels.layers.InMemoryChannelLayer", InMemoryChannelLayer])
    def jp_server_config(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        config = {"channel_capacity": {"http.request": 200}}
        return configured(channel_layers={"default": {"BACKEND": request.param, "CONFIG": config}})

    async def test_it_has_the_servers_options(self, host: Host):
        layer: Any = host.layer
        assert layer.expiry == 86_400
        own = await layer.new_channel()
        names = ("work", "http.request", own)
        assert [layer.get_capacity(name) for name in names] == [10_000, 200, 100]
        assert layer._registry.mailboxes[own].expiry == 60


class TestConfigured:
    @pytest.fixture
    def jp_server_config(self) -> dict[str, Any]:
        return configured(
            channel_layers={
                "default": {"BACKEND": MEMORY, "CONFIG": {"expiry": 5}},
                "other": {"BACKEND": MEMORY, "CONFIG": {"capacity": 7}},
            },
            history=3,
            max_connections=4,
            window=8,
            heartbeat=1.5,
            max_upload=9,
            http_timeout=2.5,
            handshake_timeout=0.5,
            counts_as_activity=True,
            public_url="http://elsewhere:1/",
        )

    async def test_it_is_used(self, host: Host, extension: NbChannels, jp_serverapp: Any):
        layer: Any = host.layer
        assert (layer.expiry, layer.get_capacity("work")) == (5, 10_000)
        assert channel_layers["other"].capacity == 7
        for n in range(5):
            await layer.group_send("a", {"n": n})
        assert (await layer.group_statistics("a"))["messages"] == 3
        assert (host.limits.connections, host.limits.window, host.hub.heartbeat) == (4, 8, 1.5)
        limits = host.limits
        assert (limits.upload, limits.http_timeout, limits.handshake_timeout) == (9, 2.5, 0.5)
        await extension._start_jupyter_server_extension(jp_serverapp)
        assert os.environ[URL_VARIABLE] == "http://elsewhere:1/"

    async def test_open_connections_count_as_activity(self, host: Host, extension: NbChannels):
        assert extension.current_activity() is None
        host.hub.connections[1] = SimpleNamespace()  # type: ignore[assignment]
        assert extension.current_activity() == 1
        host.counts_as_activity = extension.counts_as_activity = False
        assert extension.current_activity() is None
        host.hub.connections.clear()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"rights": {"a": "reed"}}, ValueError, "a right is one of read, write, execute"),
        (
            {"channel_layers": {"default": {"BACKEND": MEMORY, "CONFIG": {"capcity": 1}}}},
            InvalidChannelLayerError,
            "has the option 'capcity', which InMemoryChannelLayer does not take; did you mean",
        ),
        (
            {"channel_layers": {"default": {"BACKEND": "collections.UserDict"}}},
            InvalidChannelLayerError,
            "UserDict is no subclass of nbchannels.layers.base.BaseChannelLayer",
        ),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(
    jp_configurable_serverapp: Any, options: Any, error: type[Exception], said: str
):
    with pytest.raises(error, match=said):
        jp_configurable_serverapp(
            config=configured(**options), reraise_server_extension_failures=True
        )


def test_a_wrong_number_is_told_and_the_server_goes_on_without_us(
    jp_configurable_serverapp: Any, capsys: pytest.CaptureFixture[str]
):
    app = jp_configurable_serverapp(config=configured(history=0, rights={"*": "read"}))
    said = capsys.readouterr().err
    assert "NbChannels.history is 0; it must be a number above 0" in said
    assert "not loaded: the configuration of NbChannels has an error" in said
    assert "nbchannels" not in app.web_app.settings


@pytest.mark.parametrize(
    "typed",
    [DeferredConfigString('["password"]'), DeferredConfigList(["token", '["password"]'])],
    ids=["once", "twice"],
)
def test_a_list_typed_on_the_command_line_does_not_hide_nothing_in_silence(
    jp_configurable_serverapp: Any, capsys: pytest.CaptureFixture[str], typed: Any
):
    app = jp_configurable_serverapp(config=configured(redact=typed))
    said = capsys.readouterr().err
    assert "NbChannels.redact: '[\"password\"]' is no key" in said
    assert "--NbChannels.redact=password" in said
    assert "nbchannels" not in app.web_app.settings


def test_keys_to_hide_can_be_typed_on_the_command_line(jp_configurable_serverapp: Any):
    app = jp_configurable_serverapp(
        config=configured(redact=DeferredConfigList(["password", "*token*"]))
    )
    tail = app.web_app.settings["nbchannels"].hub.tail
    told = {"password": 1, "my_Token_2": 1, "y": 1}
    assert tail.redaction.apply(told) == {"password": HIDDEN, "my_Token_2": HIDDEN, "y": 1}


async def answer(message):
    await message.reply_channel.asend({"y": message["x"] + 1})


class TestRouting:
    """Consumers of the server itself, from its configuration."""

    @pytest.fixture
    def jp_server_config(self) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"nbchannels": True}},
            "NbChannels": {"routing": {"increment": f"{__name__}.answer"}},
        }

    async def test_they_serve_beside_the_loop(self, host: Host):
        answer = await Channel("increment", channel_layer=host.layer).aask({"x": 1})
        assert answer.content == {"y": 2}
        assert host.layer.router.channels == {"increment"}
        assert host.router.describe()[0]["where"] == "server"


class TestLayersOfTheEnvironment:
    """They are this server's; its kernels do not inherit them."""

    @pytest.fixture(autouse=True)
    def _variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        backend = "nbchannels.layers.memory.InMemoryChannelLayer"
        layers = {"default": {"BACKEND": backend, "CONFIG": {"capacity": 7}}}
        monkeypatch.setenv("NBCHANNELS_CHANNEL_LAYERS", json.dumps(layers))

    async def test_they_count_where_nothing_is_configured(self, host: Host, extension: NbChannels):
        assert host.layer.capacity == 7
        assert "NBCHANNELS_CHANNEL_LAYERS" not in os.environ
        await extension.stop_extension()
        assert "NBCHANNELS_CHANNEL_LAYERS" in os.environ


async def test_an_extension_that_could_not_be_loaded_does_nothing_more():
    extension = NbChannels()
    await extension._start_jupyter_server_extension(None)
    await extension.stop_extension()
    assert URL_VARIABLE not in os.environ


class TestStartAndStop:
    async def test_the_address_is_told_and_taken_back(
        self, extension: NbChannels, host: Host, jp_serverapp: Any, jp_base_url: str
    ):
        await extension._start_jupyter_server_extension(jp_serverapp)
        expected = f"http://127.0.0.1:{jp_serverapp.port}{jp_base_url}"
        assert os.environ[URL_VARIABLE] == host.url == expected
        assert jp_serverapp.identity_provider.token not in os.environ[URL_VARIABLE]
        await extension.stop_extension()
        assert URL_VARIABLE not in os.environ
        assert "default" not in channel_layers.backends
        await extension.stop_extension()

    async def test_over_a_unix_socket_nothing_is_told(
        self,
        extension: NbChannels,
        jp_serverapp: Any,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ):
        monkeypatch.setenv(URL_VARIABLE, "http://an-outer-server/")
        monkeypatch.setattr(type(jp_serverapp), "sock", "/run/x.sock")
        await extension._start_jupyter_server_extension(jp_serverapp)
        assert URL_VARIABLE not in os.environ
        assert "c.NbChannels.public_url" in caplog.text

    async def test_somebody_elses_address_stays(
        self, extension: NbChannels, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
    ):
        await extension._start_jupyter_server_extension(jp_serverapp)
        monkeypatch.setenv(URL_VARIABLE, "http://another/")
        await extension.stop_extension()
        assert os.environ[URL_VARIABLE] == "http://another/"

    async def test_clients_are_sent_away(self, extension: NbChannels, host: Host):
        said: list[Any] = []
        host.hub.connections[1] = SimpleNamespace(  # type: ignore[assignment]
            tell=said.append, close=lambda code, reason: said.append(code)
        )
        await extension.stop_extension()
        assert said[0].reason == "the server is shutting down"
        assert said[1] == 4000

    async def test_the_clocks_run_and_stop(
        self, extension: NbChannels, host: Host, jp_serverapp: Any
    ):
        gone: list[str] = []
        host.when_kernel_gone(gone.append)
        host._watched.add("no-such-kernel")
        await extension._start_jupyter_server_extension(jp_serverapp)
        timers = extension._timers
        assert [timer.callback_time for timer in timers] == [1000, 30_000, 250]
        await extension._tick()
        assert gone == ["no-such-kernel"]
        await extension.stop_extension()
        assert not any(timer.is_running() for timer in timers)


def listening(runtime: Path) -> dict[str, Any] | None:
    """What a server says of itself, once it listens: it says so a moment before."""
    for path in runtime.glob("jpserver-*.json"):
        with suppress(OSError, ValueError):  # not written to its end, or nobody answers yet
            info: dict[str, Any] = json.loads(path.read_text())
            socket.create_connection(("127.0.0.1", info["port"]), timeout=5).close()
            return info
    return None


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """A Jupyter server in a process of its own: its address, its token, its runtime folder."""
    home = {f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [
            *(sys.executable, "-W", "ignore", "-m", "jupyter_server", "--allow-root"),
            *("--port=0", "--no-browser", "--ServerApp.base_url=/a%40b/"),
            "--ServerApp.jpserver_extensions=nbchannels=True",
        ],
        env={**os.environ, **home, "PYTHONPATH": str(Path(nbchannels.__file__).parent.parent)},
        cwd=folder,
        stderr=log,
    )
    try:
        deadline = time.monotonic() + 60
        while (info := listening(folder / "RUNTIME")) is None:
            assert time.monotonic() < deadline
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield info["url"], info["token"], folder / "RUNTIME"
    finally:
        process.terminate()
        assert process.wait(20) == 0
        log.close()


@pytest.mark.slow
@pytest.mark.integration
def test_a_kernel_of_a_real_server_knows_where_it_is(tmp_path: Path):
    with served(tmp_path) as (url, token, runtime):

        def ask(verb: str, path: str, body: Any = None) -> Any:
            request = urllib.request.Request(
                url + path,
                method=verb,
                headers={"Authorization": f"token {token}"},
                data=None if body is None else json.dumps(body).encode(),
            )
            with urllib.request.urlopen(request, timeout=20) as response:
                return json.loads(response.read())

        assert ask("GET", "nbchannels/api/status")["protocol"] == "nbchannels.v1"
        assert ask("POST", "nbchannels/api/groups/index", {"value": 1})["offset"] == 1
        kernel = ask("POST", "api/kernels", {"name": "python3"})
        client = BlockingKernelClient()
        client.load_connection_file(str(runtime / f"kernel-{kernel['id']}.json"))
        client.start_channels(hb=False)  # one that is slow would be taken for dead
        try:
            client.wait_for_ready(timeout=30)
            said: list[str] = []
            client.execute_interactive(
                f"import os; print(os.environ['{URL_VARIABLE}'], flush=True)",
                timeout=30,
                output_hook=lambda m: said.append(m["content"].get("text", "")),
            )
        finally:
            client.stop_channels()
        told = "".join(said).strip()
        assert told.startswith("http://127.0.0.1:")
        assert told.endswith("/a%40b/")
        request = urllib.request.Request(
            f"{told}nbchannels/api/status", headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.status == 200
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "nbchannels | extension was successfully loaded." in log
