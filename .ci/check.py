"""Say what is missing on this machine before anything is made.

Runs on the Python the machine has, which may be too old for the project: keep the syntax plain.
"""

import importlib.util
import shutil
import subprocess
import sys

PYTHON = (3, 11)


def missing():
    """Yield a sentence for each thing the set-up needs and does not find."""
    if sys.version_info[:2] < PYTHON:
        yield (
            f"Python {sys.version.split()[0]} is too old: nbchannels needs {PYTHON[0]}.{PYTHON[1]}"
            " or newer; name another one, as in 'make PYTHON=python3.12 demo'"
        )
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        yield "this Python has no venv; on Debian and Ubuntu: apt install python3-venv"
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        yield (
            "Node with npm is not on the PATH: building from a clone needs Node 20.19 or newer"
            " (https://nodejs.org); the wheel does not"
        )
        return
    text = subprocess.run([node, "--version"], stdout=subprocess.PIPE).stdout.decode().strip()
    version = tuple(int(part) for part in text.lstrip("v").split(".")[:2])
    if version < (20, 19) or (21, 0) <= version < (22, 12):
        yield f"Node {text} is too old: the build needs 20.19 or newer (and of 22, 22.12)"


if __name__ == "__main__":
    found = list(missing())
    for sentence in found:
        print("cannot set up: " + sentence, file=sys.stderr)
    sys.exit(bool(found))
