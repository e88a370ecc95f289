"""The building plan of nbchannels and the rules that hold it up.

Change the plan here first, then the code. Each rule takes the folder of a checkout and yields a
sentence for every violation it finds; tests/test_architecture.py applies them to this checkout,
tests/test_architecture_rules.py to small ones in which each rule is broken.
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

NAME = "nbchannels"

# A module may import its own floor and the floors below it. A package named here stands for all its
# modules.
FLOORS: tuple[tuple[str, frozenset[str]], ...] = (
    ("0 words", frozenset({"exceptions", "typing", "names"})),
    (
        "1 no IO",
        frozenset(
            {"arrays", "encoding", "decoding", "receipt", "protocol", "layers.bindings"}
            | {f"layers.{room}" for room in ("base", "log", "cursor", "mailbox", "leases")}
            | {f"layers.{room}" for room in ("producers", "groups", "feed")}
            | {f"layers.{room}" for room in ("deadletters", "scouts", "hints", "mailboxes")}
            | {"layers.presence"}
            | {"diagnoses", "redaction"}
        ),
    ),
    (
        "2 layers",
        frozenset(
            {"bridge", "threads"}
            | {f"layers.{room}" for room in ("memory", "hosted", "registry", "foreign", "manager")}
            | {
                "layers.configuration",
                "layers.serving",
                "layers.waiting",
                "layers.receiving",
                "layers.survey",
            }
            | {"layers.redis"}
            | {f"layers.{room}" for room in ("specification", "lanes", "pulls", "fetching")}
            | {"layers.attendance"}
        ),
    ),
    (
        "3 application",
        frozenset({"channel", "message", "consumer", "routing", "middleware", "sessions", "auth"})
        | frozenset({"security", "generic", "handler", "worker", "pending", "reading", "tables"})
        | frozenset({"reach", "colours", "unawaited", "lifetime"})  # rooms of consumer
        | frozenset({"paths", "routes", "cookies"})
        | frozenset({"consuming", "service", "services", "instance", "inprocess", "asking"})
        | frozenset({"places", "recording"})
        | frozenset({"bridges"}),  # the short ways from a program to a group
    ),
    ("4 hosts", frozenset({"server", "kernel"})),
    ("5 notebook", frozenset({"widgets", "magics", "cli", "__main__"})),
    ("6 testing", frozenset({"testing"})),
)

# Different processes: neither may know the other.
STRANGERS = (("server", "kernel"), ("server", "widgets"), ("server", "magics"), ("server", "cli"))

# One library, one room.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "redis": ("layers.redis",),
    "hiredis": ("layers.redis",),
    "tornado": ("server", "kernel", "handler"),
    "jupyter_server": ("server", "kernel", "handler"),
    "IPython": ("magics", "kernel"),
    "ipykernel": ("magics", "kernel"),
    "anywidget": ("widgets",),
    "ipywidgets": ("widgets",),
    "msgspec": ("encoding", "decoding", "protocol"),
    "mcap": ("recording.mcapfile",),
}

# Bytes in, events out: time and everything that waits is handed in or stays outside.
SANS_IO = (
    "names",
    "arrays",
    "encoding",
    "decoding",
    "protocol",
    *(
        f"layers.{room}"
        for room in ("log", "cursor", "mailbox", "leases", "producers", "groups", "feed")
    ),
)
IO = frozenset({"asyncio", "threading", "socket", "ssl", "time", "random", "tornado", "redis"})

MOST_LINES = 399
FORBIDDEN_NAMES = frozenset({"utils", "helpers", "common", "misc", "compat"})

# What `import nbchannels` must not load: a kernel needs no tornado handlers, a server no widgets.
HEAVY = (
    "tornado",
    "jupyter_server",
    "IPython",
    "ipywidgets",
    "anywidget",
    "redis",
    "hiredis",
    "numpy",
    "pandas",
    "mcap",
)

# Modules whose tests stand in a file of another name.
COVERED_BY: dict[str, str] = {
    "__main__": "tests/cli/test_main.py",
    # What needs a real Redis is tested with one.
    "layers.redis.backbone": "tests/redis/test_faults.py",
    "layers.redis.check": "tests/redis/test_check.py",
    "layers.redis.cluster": "tests/redis/test_cluster_layer.py",
    "layers.redis.courier": "tests/redis/test_courier.py",
    "layers.redis.graveyard": "tests/redis/test_upkeep.py",
    "layers.redis.group_scripts": "tests/redis/test_machine.py",
    "layers.redis.groups": "tests/redis/test_mirror.py",
    "layers.redis.inboxes": "tests/redis/test_work.py",
    "layers.redis.layer": "tests/redis/test_living.py",
    "layers.redis.listener": "tests/redis/test_listener.py",
    "layers.redis.members": "tests/redis/test_mirror.py",
    "layers.redis.mirror": "tests/redis/test_mirror.py",
    "layers.redis.node": "tests/redis/test_cluster_layer.py",
    "layers.redis.posting": "tests/redis/test_machine.py",
    "layers.redis.process_scripts": "tests/redis/test_upkeep.py",
    "layers.redis.queue_scripts": "tests/redis/test_machine.py",
    "layers.redis.queues": "tests/redis/test_work.py",
    "layers.redis.replies": "tests/redis/test_courier.py",
    "layers.redis.running": "tests/redis/test_living.py",
    "layers.redis.sending": "tests/redis/test_faults.py",
    "layers.redis.settling": "tests/redis/test_work.py",
    "layers.redis.slots": "tests/redis/test_cluster_layer.py",
    "layers.redis.stored": "tests/redis/test_mirror.py",
    "layers.redis.taking": "tests/redis/test_work.py",
    "layers.redis.topology": "tests/layers/redis/test_hosts.py",
    "layers.redis.upkeep": "tests/redis/test_upkeep.py",
    "layers.redis.presence": "tests/redis/test_presence.py",
    "kernel.direct": "tests/redis/test_two_servers.py",
    "layers.redis.following": "tests/redis/test_contract.py",
    "typing": "tests/test_architecture.py",  # nothing but names for mypy
    # The conformance suite is tests itself: the memory layer runs all of it.
    "testing.layers": "tests/layers/test_contract.py",
    "testing.channel_contract": "tests/layers/test_contract.py",
    "testing.lease_contract": "tests/layers/test_contract.py",
    "testing.log_contract": "tests/layers/test_contract.py",
    "testing.value_contract": "tests/layers/test_contract.py",
    "testing.reading": "tests/layers/test_contract.py",
}

# TypeScript that knows JupyterLab; all else also runs in VS Code, Colab and Voilà.
JUPYTERLAB = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*['"](@jupyterlab/|@lumino/)""")
KNOWS_JUPYTERLAB = re.compile(r"inspector/.*|index\.ts|renderer.*")


class Import(NamedTuple):
    """One import: the dotted module, the name taken out of it if any, the leading dots."""

    module: str
    name: str | None
    level: int


@cache
def modules(root: Path) -> dict[str, Path]:
    """Every module but the doors (``__init__``), by its dotted name below the package."""
    package = root / NAME
    return {
        ".".join(path.relative_to(package).with_suffix("").parts): path
        for path in sorted(package.rglob("*.py"))
        if path.name != "__init__.py"
    }


@cache
def doors(root: Path) -> dict[str, Path]:
    """Every ``__init__``, by the dotted name of its package; the root is ''."""
    package = root / NAME
    return {
        ".".join(path.parent.relative_to(package).parts): path
        for path in sorted(package.rglob("__init__.py"))
    }


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import in the file, also in functions, in TYPE_CHECKING blocks, and by literal name."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.ImportFrom):
            found += [Import(node.module or "", alias.name, node.level) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [Import(alias.name, None, 0) for alias in node.names]
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in {"import_module", "importlib.import_module", "__import__"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            found.append(Import(node.args[0].value, None, 0))
    return tuple(found)


def inside(root: Path, path: Path) -> Iterator[tuple[str, bool]]:
    """What a file imports of the package: (module, True), or (what it wrote, False) for a door."""
    for module, name, level in imports(path):
        if level or module.partition(".")[0] != NAME:
            continue
        target = module.removeprefix(NAME).lstrip(".")
        if target in modules(root):
            yield target, True
        elif name is not None and f"{target}.{name}".lstrip(".") in modules(root):
            yield f"{target}.{name}".lstrip("."), True
        else:
            yield module if name is None else f"{module}.{name}", False


def graph(root: Path) -> dict[str, set[str]]:
    """Who imports whom, modules only."""
    return {
        module: {target for target, is_module in inside(root, path) if is_module}
        for module, path in modules(root).items()
    }


def within(module: str, room: str) -> bool:
    """Tell whether the module is that room or stands in it."""
    return module == room or module.startswith(f"{room}.")


def floor(module: str) -> int | None:
    """The number of the floor the module stands on, None when the plan does not know it."""
    return next(
        (
            number
            for number, (_, rooms) in enumerate(FLOORS)
            if any(within(module, room) for room in rooms)
        ),
        None,
    )


# --- the rules ------------------------------------------------------------------------------------


def every_module_has_a_floor(root: Path) -> Iterator[str]:
    for module in modules(root):
        if floor(module) is None:
            yield f"{module} stands on no floor: give it a room in FLOORS (tests/architecture.py)"


def imports_go_downwards(root: Path) -> Iterator[str]:
    for module, targets in graph(root).items():
        for target in sorted(targets):
            here, there = floor(module), floor(target)
            if here is not None and there is not None and there > here:
                yield (
                    f"{module} (floor {FLOORS[here][0]}) imports {target} (floor"
                    f" {FLOORS[there][0]}): a module imports its own floor or lower"
                )


def strangers_do_not_meet(root: Path) -> Iterator[str]:
    for module, targets in graph(root).items():
        for target in sorted(targets):
            for pair in STRANGERS:
                for one, other in (pair, pair[::-1]):
                    if within(module, one) and within(target, other):
                        yield f"{module} imports {target}: {one} and {other} are strangers"


def one_library_one_room(root: Path) -> Iterator[str]:
    for module, path in modules(root).items():
        for library in sorted({found.module.partition(".")[0] for found in imports(path)}):
            rooms = LIBRARIES.get(library)
            if rooms and not any(within(module, room) for room in rooms):
                yield f"{module} imports {library}, whose room is {' or '.join(rooms)}"


def the_core_does_no_io(root: Path) -> Iterator[str]:
    for module, path in modules(root).items():
        if any(within(module, room) for room in SANS_IO):
            for library in sorted({found.module.partition(".")[0] for found in imports(path)} & IO):
                yield f"{module} imports {library}: this room is sans-IO"


def no_cycles(root: Path) -> Iterator[str]:
    try:
        TopologicalSorter(graph(root)).prepare()
    except CycleError as error:
        yield "import cycle: " + " -> ".join(reversed(error.args[1]))


def imports_are_absolute(root: Path) -> Iterator[str]:
    for module, path in (modules(root) | doors(root)).items():
        if any(found.level for found in imports(path)):
            yield f"{module or NAME} has a relative import: write from {NAME}.… import …"


def insiders_use_no_door(root: Path) -> Iterator[str]:
    for module, path in modules(root).items():
        for target, is_module in inside(root, path):
            if not is_module:
                yield (
                    f"{module} imports {target} through a door, or from a module that does not"
                    " exist: name the module that defines it"
                )


def doors_open_into_their_own_room(root: Path) -> Iterator[str]:
    for package, path in doors(root).items():
        for target, _ in inside(root, path):
            room = target.removeprefix(f"{NAME}.")
            if package and not within(room, package):
                yield f"{package}/__init__.py re-exports {target}: a door opens into its own room"


def modules_are_small(root: Path) -> Iterator[str]:
    for path in [*modules(root).values(), *doors(root).values()]:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            yield f"{path.relative_to(root)} has {lines} lines, at most {MOST_LINES}: split it"


def names_are_nouns(root: Path) -> Iterator[str]:
    for module in [*modules(root), *doors(root)]:
        if FORBIDDEN_NAMES & set(module.split(".")):
            yield f"{module} is named after nothing: {', '.join(sorted(FORBIDDEN_NAMES))}"


def randomness_comes_from_secrets(root: Path) -> Iterator[str]:
    for module, path in (modules(root) | doors(root)).items():
        for found in imports(path):
            if found.module == "random" or f"{found.module}.{found.name}" == "numpy.random":
                yield f"{module or NAME} imports random, which a user may have seeded: use secrets"


def every_module_has_its_tests(root: Path) -> Iterator[str]:
    for module in modules(root):
        *rooms, name = module.split(".")
        own = Path("tests", *rooms, f"test_{name}.py")
        expected = Path(COVERED_BY[module]) if module in COVERED_BY else own
        if not (root / expected).is_file():
            yield f"{module} has no tests: {expected} does not exist"


def the_table_of_tests_is_true(root: Path) -> Iterator[str]:
    for module in COVERED_BY:
        if module not in modules(root):
            yield f"COVERED_BY names {module}, which does not exist"


PROBE = f"""
import json, sys
sys.path.insert(0, sys.argv[1])
import {NAME} as package
report = {{"loaded": sorted(set(sys.argv[2:]) & set(sys.modules)), "broken": {{}}}}
report["all"] = list(getattr(package, "__all__", []))
report["dir"] = dir(package)
for name in report["all"]:
    try:
        getattr(package, name)
    except Exception as error:
        report["broken"][name] = f"{{type(error).__name__}}: {{error}}"
print(json.dumps(report))
"""


@cache
def door_report(root: Path) -> dict[str, list[str] | dict[str, str]]:
    """Import the package in a fresh interpreter and look at its root door."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(root), *HEAVY], capture_output=True, text=True, cwd=root
    )
    if done.returncode:
        raise AssertionError(f"import {NAME} fails:\n{done.stderr}")
    report: dict[str, list[str] | dict[str, str]] = json.loads(done.stdout)
    return report


def root_exports_work(root: Path) -> Iterator[str]:
    report = door_report(root)
    names = list(report["all"])
    if not names:
        yield f"{NAME} has no __all__"
    for one, other in pairwise(sorted(names)):
        if one == other:
            yield f"{NAME}.__all__ names {one} twice"
    for name in names:
        if name not in report["dir"]:
            yield f"{NAME}.__all__ names {name}, which dir({NAME}) does not: completion misses it"
    broken = report["broken"]
    assert isinstance(broken, dict)
    for name, reason in broken.items():
        yield f"{NAME}.{name} cannot be had: {reason}"


def no_export_hides_a_submodule(root: Path) -> Iterator[str]:
    rooms = {module.partition(".")[0] for module in [*modules(root), *doors(root)]}
    for name in sorted(rooms & set(door_report(root)["all"])):
        yield f"{NAME}.{name} is both an export and a submodule: importing one hides the other"


def the_root_loads_lazily(root: Path) -> Iterator[str]:
    for library in door_report(root)["loaded"]:
        yield f"import {NAME} loads {library}: load it when it is first used"


def versions_agree(root: Path) -> Iterator[str]:
    ours = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    for name in ("package.json", "package-lock.json"):
        theirs = json.loads((root / "labextension" / name).read_text(encoding="utf-8"))["version"]
        if theirs != ours:
            yield f"labextension/{name} has version {theirs}, pyproject.toml {ours}"


def few_know_jupyterlab(root: Path) -> Iterator[str]:
    source = root / "labextension" / "src"
    for path in sorted([*source.rglob("*.ts"), *source.rglob("*.tsx")]):
        place = path.relative_to(source).as_posix()
        found = JUPYTERLAB.search(path.read_text(encoding="utf-8"))
        if found and not KNOWS_JUPYTERLAB.fullmatch(place):
            yield f"src/{place} imports {found[1]}: only inspector/, index.ts and renderer* may"


RULES: tuple[Callable[[Path], Iterator[str]], ...] = (
    every_module_has_a_floor,
    imports_go_downwards,
    strangers_do_not_meet,
    one_library_one_room,
    the_core_does_no_io,
    no_cycles,
    imports_are_absolute,
    insiders_use_no_door,
    doors_open_into_their_own_room,
    modules_are_small,
    names_are_nouns,
    randomness_comes_from_secrets,
    every_module_has_its_tests,
    the_table_of_tests_is_true,
    root_exports_work,
    no_export_hides_a_submodule,
    the_root_loads_lazily,
    versions_agree,
    few_know_jupyterlab,
)
