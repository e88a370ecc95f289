"""Start JupyterLab on this computer only, with the quickstart open.

The notebooks are served from the checkout, so that what is edited stays. JupyterLab's own settings
live inside the environment: neither the user's configuration nor a password set there comes in the
way.
"""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
QUICKSTART = "01-quickstart.ipynb"
CONFIG = Path(sys.prefix) / "demo"
NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


def has_display() -> bool:
    """Tell whether a browser could show up for the one who typed the command."""
    if os.environ.get("CI") or not sys.stdout.isatty():
        return False
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(display) or sys.platform == "darwin"


def main() -> None:
    """Become the JupyterLab process."""
    if not (NOTEBOOKS / QUICKSTART).is_file():
        sys.exit(f"cannot start the demo: there is no {NOTEBOOKS / QUICKSTART}")
    page_config = CONFIG / "labconfig" / "page_config.json"
    page_config.parent.mkdir(parents=True, exist_ok=True)
    page_config.write_text(json.dumps(NO_NEWS), encoding="utf-8")
    os.environ["JUPYTER_CONFIG_DIR"] = str(CONFIG)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    command = [
        str(Path(sys.prefix) / "bin" / "jupyter-lab"),
        f"--ServerApp.root_dir={NOTEBOOKS}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.answer_yes=True",  # one Ctrl-C stops it
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if os.geteuid() == 0:
        command.append("--ServerApp.allow_root=True")
    if not has_display():
        command.append("--no-browser")
    os.execv(command[0], [*command, str(NOTEBOOKS / QUICKSTART)])


if __name__ == "__main__":
    main()
