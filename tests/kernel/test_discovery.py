"""Which server it is; and where there is none, or too many, the sentence that helps."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from nbchannels.exceptions import ServerNotFound
from nbchannels.kernel import discovery
from nbchannels.kernel.discovery import connect_to, find_server
from nbchannels.kernel.servers import Server
from nbchannels.protocol.client import KernelIdentity

IDENTITY = KernelIdentity("k-1", b"key")
ONE = Server("http://127.0.0.1:1001/", "one", 1001)
TWO = Server("http://127.0.0.1:1002/", "two", 1002)
World = Callable[..., None]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Say which servers run and what they answer: to their token, and to none or another."""

    def say(
        *servers: Server,
        kernel: bool = False,
        extension: tuple[Server, ...] = (),
        silent: tuple[Server, ...] = (),
    ) -> None:
        def probe(url: str, token: str | None = None) -> int | None:
            server = next((s for s in (ONE, TWO) if s.url == url), None)
            if server not in servers or server in silent:
                return None
            if server not in extension:
                return 404
            return 200 if token == server.token else 403

        monkeypatch.setattr(discovery, "probe", probe)
        monkeypatch.setattr(discovery, "running_servers", lambda: [*servers])
        monkeypatch.setattr(
            discovery,
            "running_server",
            lambda pid: next((s for s in servers if str(s.pid) == pid), None),
        )
        monkeypatch.setattr(discovery, "kernel_identity", lambda: IDENTITY if kernel else None)
        monkeypatch.setattr(discovery, "not_loaded", lambda url, pid: f"not loaded: {url} {pid}")

    return say


# --- Scripts ---


def test_a_script_takes_the_only_server_with_the_extension(world: World) -> None:
    world(ONE, TWO, extension=(TWO,))
    found = find_server()
    assert (found.url, found.token, found.kernel) == (TWO.url, "two", None)


def test_a_script_without_any_server_is_told_to_start_one(world: World) -> None:
    world()
    with pytest.raises(ServerNotFound, match=r"no Jupyter server .*jupyter lab.*NBCHANNELS_URL"):
        find_server()


def test_a_script_with_two_is_told_to_choose(world: World) -> None:
    world(ONE, TWO, extension=(ONE, TWO))
    with pytest.raises(ServerNotFound, match="2 running") as caught:
        find_server()
    for part in (ONE.url, "pid 1001", TWO.url, "pid 1002", "NBCHANNELS_URL", "NBCHANNELS_TOKEN"):
        assert part in str(caught.value)


def test_a_script_with_servers_that_lack_it_is_told_which_and_what_to_run(world: World) -> None:
    world(ONE, TWO, Server("", "", 1003))
    with pytest.raises(ServerNotFound, match="pip install nbchannels") as caught:
        find_server()
    assert f"{ONE.url} (pid 1001, without nbchannels)" in str(caught.value)
    assert "pid 1003 (on a Unix socket)" in str(caught.value)


def test_the_environment_names_server_and_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(ONE, TWO, extension=(ONE, TWO))
    monkeypatch.setenv("NBCHANNELS_URL", ONE.url.rstrip("/"))
    monkeypatch.setenv("NBCHANNELS_TOKEN", "secret")
    found = find_server()
    assert (found.url, found.token) == (ONE.url, "secret")


def test_a_named_server_of_this_user_needs_no_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(ONE, TWO, extension=(ONE, TWO))
    monkeypatch.setenv("NBCHANNELS_URL", "http://localhost:1002/")
    monkeypatch.setattr(discovery, "probe", lambda url, token: 200)
    assert find_server().token == "two"


def test_a_pasted_address_brings_its_token(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world(ONE, extension=(ONE,))
    monkeypatch.setenv("NBCHANNELS_URL", "http://0.0.0.0:1001/lab?token=pasted")
    found = find_server()
    assert (found.url, found.token) == (ONE.url, "pasted")


def test_what_was_said_counts_before_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(ONE, TWO, extension=(ONE, TWO))
    monkeypatch.setenv("NBCHANNELS_URL", ONE.url)
    monkeypatch.setenv("NBCHANNELS_TOKEN", "one")
    connect_to(TWO.url, "two")
    assert (find_server().url, find_server().token) == (TWO.url, "two")
    connect_to(None)
    assert find_server().url == ONE.url


@pytest.mark.parametrize("said", [True, False])
def test_a_named_server_that_does_not_answer_says_where_the_name_is_from(
    world: World, monkeypatch: pytest.MonkeyPatch, said: bool
) -> None:
    world()
    if said:
        connect_to("http://nobody:1/")
    else:
        monkeypatch.setenv("NBCHANNELS_URL", "http://nobody:1/")
    source = "%channels connect" if said else "NBCHANNELS_URL"
    with pytest.raises(ServerNotFound, match=f"http://nobody:1/ .from {source}. does not answer"):
        find_server()


def test_a_named_server_without_the_extension(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(ONE)
    monkeypatch.setenv("NBCHANNELS_URL", ONE.url)
    with pytest.raises(ServerNotFound, match="not loaded: http://127.0.0.1:1001/ 1001"):
        find_server()


# --- Kernels ---


def test_a_kernel_proves_itself_to_the_server_it_was_told_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(ONE, TWO, kernel=True, extension=(ONE, TWO))
    monkeypatch.setenv("NBCHANNELS_URL", ONE.url)
    found = find_server()
    assert (found.url, found.token, found.kernel) == (ONE.url, None, IDENTITY)


def test_a_kernel_with_a_token_is_like_a_script(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(ONE, kernel=True, extension=(ONE,))
    monkeypatch.setenv("NBCHANNELS_URL", ONE.url)
    monkeypatch.setenv("NBCHANNELS_TOKEN", "one")
    assert (find_server().token, find_server().kernel) == ("one", None)


def test_a_kernel_that_was_told_nothing_asks_the_server_that_started_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(ONE, TWO, kernel=True, extension=(ONE, TWO))
    monkeypatch.setenv("JPY_PARENT_PID", "1002")
    found = find_server()
    assert (found.url, found.kernel) == (TWO.url, IDENTITY)


@pytest.mark.parametrize("told", [True, False])
def test_a_kernel_of_a_server_without_the_extension_is_told_what_to_run(
    world: World, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    world(ONE, kernel=True)
    monkeypatch.setenv("JPY_PARENT_PID", "1001")
    if told:
        monkeypatch.setenv("NBCHANNELS_URL", ONE.url)
    with pytest.raises(ServerNotFound, match="not loaded: http://127.0.0.1:1001/ 1001"):
        find_server()


def test_an_inherited_address_does_not_hide_the_own_server(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(TWO, kernel=True, extension=(TWO,))
    monkeypatch.setenv("NBCHANNELS_URL", ONE.url)
    monkeypatch.setenv("JPY_PARENT_PID", "1002")
    assert find_server().url == TWO.url


def test_a_kernel_whose_server_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(ONE, kernel=True, silent=(ONE,))
    monkeypatch.setenv("JPY_PARENT_PID", "1001")
    with pytest.raises(ServerNotFound, match="does not answer; is it still running"):
        find_server()


def test_a_kernel_of_a_server_on_a_unix_socket(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(Server("", "", 1003), kernel=True)
    monkeypatch.setenv("JPY_PARENT_PID", "1003")
    with pytest.raises(ServerNotFound, match="public_url"):
        find_server()


def test_a_kernel_that_no_server_started_looks_as_a_script_does(world: World) -> None:
    world(ONE, kernel=True, extension=(ONE,))
    found = find_server()
    assert (found.url, found.token, found.kernel) == (ONE.url, "one", None)


def test_looking_imports_no_server() -> None:
    script = "import sys, nbchannels.kernel.layer; print('jupyter_server' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
