"""What is committed.

No surprise at the top level, no registry in a lock file, no output in a notebook.
"""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TOP_LEVEL = {
    ".ci",
    ".editorconfig",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "docs",
    "labextension",
    "nbchannels",
    "notebooks",
    "pyproject.toml",
    "tests",
}
LOCK = ROOT / "labextension" / "package-lock.json"
CONSTRAINTS = ROOT / ".ci" / "constraints.txt"
PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+")


def committed() -> list[Path]:
    """Every file that git has or would take."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_top_level_holds_only_what_the_plan_names():
    found = {path.relative_to(ROOT).parts[0] for path in committed()}
    assert not found - TOP_LEVEL


def test_the_front_ends_lock_file_names_no_registry():
    text = LOCK.read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all(package.get("integrity") for name, package in packages.items() if name)


def test_the_front_ends_lock_file_holds_the_binaries_of_every_platform():
    # npm leaves out what its registry did not have; `npm ci` then fails where it is needed.
    packages = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    held = {name.rpartition("node_modules/")[2] for name in packages}
    wanted = {
        name for package in packages.values() for name in package.get("optionalDependencies", ())
    }
    assert not wanted - held


def test_the_constraints_are_names_and_versions():
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert not [line for line in pins if not PIN.fullmatch(line)]


def test_no_lock_file_comes_in_that_records_hosts():
    locks = {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "yarn.lock", "pnpm-lock.yaml"}
    assert not [path for path in committed() if path.name in locks]


def test_notebooks_are_committed_without_outputs():
    notebooks = [path for path in committed() if path.suffix == ".ipynb"]
    assert notebooks
    for path in notebooks:
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            assert not cell.get("outputs"), f"{path.name}, cell {number}: clear the outputs"
            assert cell.get("execution_count") is None, (
                f"{path.name}, cell {number}: clear the count"
            )
