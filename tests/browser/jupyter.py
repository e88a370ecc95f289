"""A real ``jupyter lab`` in a process of its own, and what a test without a browser asks of it."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
#: No pop-up that asks about news.
PAGE_CONFIG = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Jupyter:
    """JupyterLab and Notebook 7 of one server; nothing of it outlives its folder."""

    def __init__(
        self,
        folder: Path,
        *,
        extension: bool = True,
        options: Sequence[str] = (),
        layers: dict[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.layers = layers
        self.extension = extension
        self.options = options
        self.port = free_port()
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{self.port}/"
        self.work = folder / "work"
        shutil.copytree(
            ROOT / "notebooks", self.work, ignore=shutil.ignore_patterns(".*", "__pycache__")
        )
        labconfig = folder / "config" / "labconfig"
        labconfig.mkdir(parents=True)
        (labconfig / "page_config.json").write_text(json.dumps(PAGE_CONFIG))
        self.log = folder / "log"
        self._children: list[psutil.Process] = []
        self.start()

    # Its life.

    def start(self, *, wait: bool = True) -> None:
        command = [
            *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.work}",
            f"--IdentityProvider.token={self.token}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
            *self.options,
        ]
        if not self.extension:
            command.append("--ServerApp.jpserver_extensions={'nbchannels': False}")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self._environment(),
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if wait:
            self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"no answer\n{self.log.read_text()}"
            time.sleep(0.02)

    def kill(self) -> None:
        """As ``kill -9`` does: without a word to anyone."""
        self._remember_children()
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        """End it and what it started."""
        if self.process.poll() is None:
            self._remember_children()
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE)
        for child in self._children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()

    def _remember_children(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._children += psutil.Process(self.process.pid).children(recursive=True)

    def _environment(self) -> dict[str, str]:
        ours = ("JUPYTER", "JPY", "NBCHANNELS", "PYTEST")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        kept |= {name: str(self.folder / path) for name, path in folders.items()}
        if self.layers is not None:
            kept["NBCHANNELS_CHANNEL_LAYERS"] = json.dumps(self.layers)
        return kept

    def _answers(self) -> bool:
        try:
            self.ask("GET", "api/status")
        except (urllib.error.URLError, OSError):
            return False
        return True

    @property
    def outside(self) -> dict[str, str]:
        """The environment of a process that belongs to this server, but is no kernel of it."""
        ours = ("JUPYTER", "JPY", "NBCHANNELS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return kept | {
            "NBCHANNELS_URL": self.url,
            "NBCHANNELS_TOKEN": self.token,
            "JUPYTER_TOKEN": self.token,
        }

    # What anyone may ask of it.

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def post(self, group: str, message: dict[str, Any]) -> Any:
        """Send a message to a group by HTTP: no kernel is involved."""
        return self.ask("POST", f"nbchannels/api/groups/{group}", message)

    def clear(self, *groups: str) -> None:
        """Forget what was sent to groups, those that there are."""
        known = {group["name"] for group in self.ask("GET", "nbchannels/api/groups")["groups"]}
        for group in known.intersection(groups):
            self.ask("DELETE", f"nbchannels/api/groups/{group}")

    @property
    def kernels(self) -> list[str]:
        return [kernel["id"] for kernel in self.ask("GET", "api/kernels")]

    # Notebooks in its folder.

    def write_notebook(
        self, name: str, cells: dict[str, str], outputs: dict[str, list[Any]] | None = None
    ) -> None:
        """Cells by id, each with its source; none was run."""
        (self.work / name).write_text(
            json.dumps(
                {
                    "cells": [
                        {
                            "cell_type": "code",
                            "execution_count": None,
                            "id": identity,
                            "metadata": {},
                            "outputs": (outputs or {}).get(identity, []),
                            "source": source,
                        }
                        for identity, source in cells.items()
                    ],
                    "metadata": {
                        "kernelspec": {
                            "display_name": "Python 3 (ipykernel)",
                            "language": "python",
                            "name": "python3",
                        },
                        "language_info": {"name": "python"},
                    },
                    "nbformat": 4,
                    "nbformat_minor": 5,
                }
            )
        )

    def read_notebook(self, name: str) -> Any:
        return json.loads((self.work / name).read_text())


def shown_view(group: str, _kind: str = "plot", **options: Any) -> list[Any]:
    """The output of a cell that showed a view, as a notebook keeps it."""
    specification = {
        "version": 1,
        "id": secrets.token_hex(8),
        "group": group,
        "kind": _kind,
        "options": options,
    }
    data = {
        "application/vnd.nbchannels.view.v1+json": specification,
        "text/plain": f"Live{_kind.title()}({group!r})",
    }
    return [{"output_type": "display_data", "metadata": {}, "data": data}]
