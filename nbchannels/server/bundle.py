"""The view bundle for the browser: what the build wrote below ``static/``, for logged-in pages."""

import re
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, ClassVar

from jupyter_server.base.handlers import JupyterHandler
from tornado import web

__all__ = ["BUNDLE", "BundleHandler"]

#: Where the build writes.
BUNDLE = Path(__file__).with_name("static")
#: A file whose name has the hash of its content (esbuild's way of writing it) never changes.
HASHED = re.compile(r".+-[A-Z0-9]{8}\.[a-z0-9]+(\.map)?")
#: Not left to the system's table, which may be wrong: a browser runs no module of another type.
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}


class BundleHandler(JupyterHandler, web.StaticFileHandler):
    """``static/…``: the manifest is asked for each time, hashed files are kept for ever."""

    auth_resource: ClassVar[str] = "nbchannels"

    @web.authenticated
    def get(self, path: str, include_body: bool = True) -> Awaitable[None]:  # type: ignore[override]
        """Send a file."""
        return super().get(self._inside(path), include_body)

    @web.authenticated
    def head(self, path: str) -> Awaitable[None]:  # type: ignore[override]
        """Send the headers of a file."""
        return super().get(self._inside(path), include_body=False)

    def get_login_url(self) -> str:
        """A script cannot log in: refuse instead of redirecting."""
        if not self.current_user:
            raise web.HTTPError(403)
        return str(super().get_login_url())

    def _inside(self, path: str) -> str:
        """Only regular files, and only those below the root, links resolved; all else is 404."""
        folder = Path(self.root).resolve()
        try:
            found = (folder / path).resolve()
            inside = found.is_relative_to(folder) and found.is_file()
        except (OSError, ValueError):  # a NUL, a name too long
            inside = False
        if not inside or path != found.relative_to(folder).as_posix():
            raise web.HTTPError(404)
        return path

    def get_content_type(self) -> str:
        """By the name alone."""
        return TYPES.get(Path(self.absolute_path or "").suffix, "application/octet-stream")

    def set_extra_headers(self, path: str) -> None:
        """How long browsers may keep it; proxies never, it is behind a login."""
        forever = HASHED.fullmatch(Path(path).name)
        self.set_header(
            "Cache-Control",
            "private, max-age=31536000, immutable" if forever else "private, no-cache",
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A plain sentence, no page."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: no file of the view bundle\n")
