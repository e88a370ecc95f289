"""The view bundle: served to whoever is logged in, and nothing beside it."""

from pathlib import Path
from typing import Any

import pytest

from nbchannels.server import bundle
from nbchannels.server.routes import ROUTES
from tests.server.conftest import Call


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of our own, as the build writes it; the built one may not be there."""
    folder = tmp_path / "static"
    (folder / "chunks").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"view": "view-ABCDEFG2.js"}')
    (folder / "view-ABCDEFG2.js").write_text("export {}")
    (folder / "view-settings.js").write_text("export {}")
    (folder / "chunks" / "plot-HIJKLMN3.css").write_text("a {}")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "static2").mkdir()
    (tmp_path / "static2" / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    route = next(route for route in ROUTES if route.path == "static/{path}")
    monkeypatch.setitem(route.options, "path", str(folder))
    return folder


def test_the_build_writes_where_we_serve_from():
    assert Path(bundle.__file__).parent / "static" == bundle.BUNDLE


@pytest.mark.parametrize(
    ("path", "kind", "forever"),
    [
        ("manifest.json", "application/json", False),
        ("view-ABCDEFG2.js", "text/javascript; charset=utf-8", True),
        ("view-settings.js", "text/javascript; charset=utf-8", False),
        ("chunks/plot-HIJKLMN3.css", "text/css; charset=utf-8", True),
    ],
)
async def test_files(call: Call, path: str, kind: str, forever: bool):
    answer = await call("GET", f"static/{path}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    expected = "private, max-age=31536000, immutable" if forever else "private, no-cache"
    assert answer.headers["Cache-Control"] == expected
    head = await call("HEAD", f"static/{path}")
    assert (head.status, head.value) == (200, b"")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]


async def test_a_browser_that_has_it_is_told_so(call: Call):
    first = await call("GET", "static/manifest.json")
    again = await call("GET", "static/manifest.json", If_None_Match=first.headers["Etag"])
    assert again.status == 304


@pytest.mark.parametrize(
    "path",
    [
        "",
        "chunks",
        "chunks/",
        "nothing.js",
        "../secret.txt",
        "chunks/../../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "..%5csecret.txt",
        "../static2/secret.txt",
        "//etc/passwd",
        "/etc/passwd",
        "%2fetc/passwd",
        "manifest.json%00",
        "manifest.json/",
        "./manifest.json",
        "chunks/../manifest.json",
        "link.txt",
        "x" * 5000,
    ],
)
@pytest.mark.parametrize("verb", ["GET", "HEAD"])
async def test_nothing_else(call: Call, path: str, verb: str):
    answer = await call(verb, f"static/{path}")
    assert answer.status == 404
    assert b"secret" not in (answer.value if isinstance(answer.value, bytes) else b"")


async def test_without_a_build_there_is_nothing(call: Call, folder: Path):
    for path in (folder / "manifest.json", folder / "view-ABCDEFG2.js"):
        path.unlink()
    answer = await call("GET", "static/manifest.json")
    assert answer.status == 404
    assert answer.value == b"404: no file of the view bundle\n"


async def test_it_is_no_page_to_log_in_at(call: Call, jp_serverapp: Any):
    assert (await call("GET", "static/manifest.json", login=False)).status == 403
