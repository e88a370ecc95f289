"""Who a process is to a server; nothing secret is ever shown."""

import ssl
import sys
import types

import pytest

from nbchannels.kernel.credentials import (
    Found,
    is_loopback,
    kernel_identity,
    label,
    tls_options,
)
from nbchannels.protocol.client import KernelIdentity


def pretend_kernel(monkeypatch: pytest.MonkeyPatch, path: str, key: bytes = b"key") -> None:
    shell = types.SimpleNamespace(
        kernel=types.SimpleNamespace(session=types.SimpleNamespace(key=key))
    )
    app = types.SimpleNamespace(
        initialized=lambda: True, instance=lambda: types.SimpleNamespace(abs_connection_file=path)
    )
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)  # type: ignore[arg-type]
    monkeypatch.setitem(
        sys.modules,
        "ipykernel.kernelapp",
        types.SimpleNamespace(IPKernelApp=app),  # type: ignore[arg-type]
    )


def test_a_script_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert kernel_identity() is None


def test_a_kernel_has_its_id_and_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_kernel(monkeypatch, "/run/kernel-1b2c-3d.json")
    identity = kernel_identity()
    assert identity is not None
    assert identity[:2] == ("1b2c-3d", b"key")


@pytest.mark.parametrize(
    ("path", "key"), [("/run/other.json", b"key"), ("/run/kernel-1.json", b"")]
)
def test_a_kernel_that_cannot_prove_itself_is_none(
    monkeypatch: pytest.MonkeyPatch, path: str, key: bytes
) -> None:
    pretend_kernel(monkeypatch, path, key)
    assert kernel_identity() is None


def test_addresses_of_the_two_sockets() -> None:
    script = Found("https://host:8888/base/", "token")
    kernel = Found("http://127.0.0.1:8888/", None, KernelIdentity("k", b"key"))
    assert script.socket_url == "wss://host:8888/base/nbchannels/ws"
    assert kernel.socket_url == "ws://127.0.0.1:8888/nbchannels/kernel"
    assert (script.what, kernel.what) == ("script", "kernel")
    assert "NBCHANNELS_TOKEN" in script.remedy
    assert "restart the kernel" in kernel.remedy


def test_a_repr_shows_nothing_secret() -> None:
    found = Found("http://127.0.0.1/", "t0ken", KernelIdentity("k", b"s3cret"))
    assert "t0ken" not in repr(found)
    assert "s3cret" not in repr(found)


def test_the_label_is_the_notebook_or_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/feed.py"])
    assert label() == "feed.py"
    monkeypatch.setenv("JPY_SESSION_NAME", "work/plot.ipynb")
    assert label() == "work/plot.ipynb"


def test_certificates_are_checked_but_on_this_machine() -> None:
    assert tls_options("http://host/") == {}
    assert tls_options("https://host/")["ssl_options"].verify_mode is ssl.CERT_REQUIRED
    assert tls_options("https://127.0.0.1:8888/")["ssl_options"].verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False),
     ("localhost.example.org", False), ("127.example.org", False)],
)  # fmt: skip
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
