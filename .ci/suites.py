"""Run the project's test suites one after the other, to the end, and count.

usage: python .ci/suites.py [--minutes N] [suite ...]

Without a name all suites run. A suite in which nothing ran counts as one failure: tests that are
not found are not tests that pass. The last line reads ``N passed, N failed``; the exit status is
non-zero when anything failed. With ``--minutes`` the named suites are repeated until the time is
over or one of them fails.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
FRONT_END = ROOT / "labextension"
RESULTS = ROOT / "test-results"
BIN = Path(sys.prefix) / "bin"
LIMIT = 1800.0  # seconds a suite may take before it is stopped
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Counts:
    """What came of a suite."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)

    def fail(self, remark: str) -> "Counts":
        """Count one failure that no test reports, and say why."""
        self.failed += 1
        self.remarks.append(remark)
        return self


@dataclass(frozen=True)
class Tool:
    """A program of the system that a suite needs."""

    package: str
    elsewhere: str
    found: Callable[[], bool]


@dataclass(frozen=True)
class Suite:
    """A heading, how to run it, the system programs it needs, and whether all of them means it."""

    heading: str
    run: Callable[[str], Counts]
    needs: tuple[str, ...] = ()
    by_default: bool = True


def spelled(command: tuple[str | Path, ...]) -> str:
    """Write a command as one would type it."""
    return " ".join(word.name if isinstance(word, Path) else word for word in command)


def call(*command: str | Path, folder: Path = ROOT) -> int:
    """Run a command with our output and no input; return its exit status."""
    print("$", spelled(command), flush=True)
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        print(f"stopped after {LIMIT:.0f} s", flush=True)
        return 124
    except OSError as error:
        print(error, flush=True)
        return 127
    return done.returncode


def checks(*commands: tuple[Path, tuple[str | Path, ...]]) -> Callable[[str], Counts]:
    """Make a suite of commands, each of which passes or fails as a whole."""

    def run(_name: str) -> Counts:
        counts = Counts()
        for folder, command in commands:
            status = call(*command, folder=folder)
            if status:
                counts.fail(f"{spelled(command)}: exit status {status}")
            else:
                counts.passed += 1
        return counts

    return run


def report(path: Path, status: int) -> Counts:
    """Read a JUnit report; what is no report is a failure."""
    if not path.is_file():
        return Counts().fail(f"no report was written (exit status {status})")
    counts = Counts()
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            counts.failed += 1
        elif case.find("skipped") is not None:
            counts.skipped += 1
        else:
            counts.passed += 1
    if not counts.passed and not counts.failed:
        counts.fail(f"no tests ran (exit status {status})")
    elif status and not counts.failed:
        counts.fail(f"exit status {status}")
    return counts


def pytest(*arguments: str) -> Callable[[str], Counts]:
    """Make a suite of one pytest process."""

    def run(name: str) -> Counts:
        xml = RESULTS / f"{name}.xml"
        status = call(BIN / "python", "-m", "pytest", "-q", f"--junit-xml={xml}", *arguments)
        return report(xml, status)

    return run


def vitest(name: str) -> Counts:
    """Run the TypeScript tests."""
    xml = RESULTS / f"{name}.xml"
    reporters = ("--reporter=default", "--reporter=junit", f"--outputFile.junit={xml}")
    return report(xml, call("npm", "test", "--silent", "--", *reporters, folder=FRONT_END))


def has_chromium() -> bool:
    """Look for a system Chromium, then for Playwright's own."""
    if any(shutil.which(name) for name in CHROMIUM):
        return True
    cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    folders = (
        [Path(cache)]
        if cache
        else [
            Path.home() / ".cache" / "ms-playwright",
            Path.home() / "Library" / "Caches" / "ms-playwright",
        ]
    )
    return any(any(folder.glob("chromium*")) for folder in folders)


TOOLS = {
    "redis-server": Tool(
        "redis-server",
        "install Redis (Debian, Ubuntu: apt install redis-server; macOS: brew install redis)",
        lambda: shutil.which("redis-server") is not None,
    ),
    "chromium": Tool(
        "chromium",
        "install Chromium (Debian: apt install chromium; else: playwright install chromium)",
        has_chromium,
    ),
}

SUITES = {
    "lint": Suite(
        "Lint",
        checks(
            (ROOT, (BIN / "ruff", "check", ".")),
            (ROOT, (BIN / "ruff", "format", "--check", ".")),
            (FRONT_END, ("npm", "run", "--silent", "lint")),
        ),
    ),
    "types": Suite(
        "Types",
        checks(
            (ROOT, (BIN / "mypy", "--strict")), (FRONT_END, ("npm", "run", "--silent", "types"))
        ),
    ),
    "python": Suite(
        "Python",
        pytest(
            "tests", *(f"--ignore=tests/{room}" for room in ("browser", "integration", "redis"))
        ),
    ),
    "typescript": Suite("TypeScript", vitest),
    "integration": Suite("Integration", pytest("tests/integration")),
    "redis": Suite("Redis", pytest("tests/redis", "-m", "not long"), ("redis-server",)),
    "redis-long": Suite(
        "Redis, long", pytest("tests/redis", "-m", "long"), ("redis-server",), by_default=False
    ),
    "browser": Suite("Browser", pytest("tests/browser"), ("chromium",)),
}


def install(tools: list[Tool]) -> None:
    """Install system packages where that is possible without asking anyone."""
    apt = shutil.which("apt-get")
    if not tools or not apt:
        return
    sudo: list[str] = []
    if os.geteuid():
        if not shutil.which("sudo"):
            return
        sudo = ["sudo", "-n"]
        if subprocess.run(
            [*sudo, "true"], capture_output=True, stdin=subprocess.DEVNULL
        ).returncode:
            return
    packages = [tool.package for tool in tools]
    print("Installing what the tests need of the system:", *packages, flush=True)
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    for command in (
        ["update", "-qq"],
        ["install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(
            [*sudo, *environment, apt, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            print(
                f"apt-get {command[0]} failed:",
                *done.stdout.splitlines()[-5:],
                sep="\n  ",
                flush=True,
            )


def run(name: str) -> Counts:
    """Run one suite under its heading."""
    suite = SUITES[name]
    print(f"\n=== {suite.heading} " + "=" * (72 - len(suite.heading)), flush=True)
    (RESULTS / f"{name}.xml").unlink(missing_ok=True)
    begin = time.monotonic()
    absent = [TOOLS[need] for need in suite.needs if not TOOLS[need].found()]
    if absent:
        counts = Counts()
        for tool in absent:
            print(f"{tool.package} is missing: {tool.elsewhere}", flush=True)
            counts.fail(f"{tool.package} is missing: {tool.elsewhere}")
    else:
        counts = suite.run(name)
    counts.seconds = time.monotonic() - begin
    return counts


def summary(results: dict[str, Counts]) -> int:
    """Print the table and the last line; return the number of failures."""
    print(f"\n{'suite':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for name, counts in results.items():
        heading = SUITES[name].heading
        print(
            f"{heading:<12} {counts.passed:>7} {counts.failed:>7} {counts.skipped:>8}"
            f" {counts.seconds:>8.1f}"
        )
        for remark in counts.remarks:
            print(f"{'':<12} {remark}")
    failed = sum(counts.failed for counts in results.values())
    print(
        f"\n{sum(counts.passed for counts in results.values())} passed, {failed} failed", flush=True
    )
    return failed


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description="Run the test suites and count.")
    parser.add_argument("--minutes", type=float, default=0.0, help="repeat for that long")
    parser.add_argument("suites", nargs="*", metavar="suite", help=", ".join(SUITES))
    options = parser.parse_args()
    unknown = [name for name in options.suites if name not in SUITES]
    if unknown:
        parser.error(f"no suite is called {unknown[0]!r}; there are {', '.join(SUITES)}")
    names = options.suites or [name for name, suite in SUITES.items() if suite.by_default]
    RESULTS.mkdir(exist_ok=True)
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    needs = {need for name in names for need in SUITES[name].needs}
    install([tool for need, tool in TOOLS.items() if need in needs and not tool.found()])
    end = time.monotonic() + options.minutes * 60
    while True:
        failed = summary({name: run(name) for name in names})
        if failed or time.monotonic() >= end:
            return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
