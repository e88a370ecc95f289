"""docs/coming-from-channels.md is true: its tables, and the code that it shows."""

import importlib
import importlib.util
import inspect
import json
import queue
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from traitlets.config import Config

from nbchannels.bridge import bridge
from nbchannels.consuming import unconsume
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.server.extension import NbChannels
from nbchannels.testing.websocket import WebsocketCommunicator

PAGE = Path(__file__).parents[1] / "docs" / "coming-from-channels.md"
TEXT = PAGE.read_text(encoding="utf-8")
VERDICTS = ("same", "different", "absent")


class Row(NamedTuple):
    """What the page says of one name.

    Attributes:
        heading: above the table, with `` of 1.x`` if it says so.
        module: of Channels.
        name: below it, ``Class.method``.
        arguments: that it names.
        verdict: same, different, absent.
        place: here, a dotted path; ``None`` for what is absent.
        remark: what is different.
    """

    heading: str
    module: str
    name: str
    arguments: list[str]
    verdict: str
    place: str | None
    remark: str

    @property
    def is_old(self) -> bool:
        return "1.x" in self.heading or self.heading in OLD


#: Modules of 1.x only: their headings need not say so.
OLD = {
    f"channels.{module}"
    for module in "message asgi handler delay binding test signals staticfiles".split()
} | {"channels.security.websockets"}


def _rows() -> list[Row]:
    found, heading, module = [], "", ""
    for line in TEXT.splitlines():
        if line.startswith("### "):
            named = re.match(r"`(channels[\w.]*)`", line[4:])
            heading, module = line[4:].replace("`", ""), named[1] if named else ""
        elif line.startswith("| `"):
            names, verdict, remark = (cell.strip() for cell in line.strip("|").split(" | ", 2))
            verdict, _, elsewhere = verdict.partition(": ")
            owner = ""
            for name in re.findall(r"`([^`]+)`", names):
                name, _, arguments = name.rstrip(")").partition("(")
                if name.startswith("."):
                    name = owner + name
                elif "." in name and name[0].isupper():
                    owner = name.partition(".")[0]
                else:
                    owner = name
                place = elsewhere.strip("`") or f"nb{module}.{name}"
                found.append(
                    Row(
                        heading,
                        module,
                        name,
                        [a.strip() for a in arguments.split(",") if a],
                        verdict,
                        None if verdict == "absent" else place,
                        remark.strip(" |"),
                    )
                )
    return found


ROWS = _rows()
PRESENT = [row for row in ROWS if row.verdict in ("same", "different")]


def shown(row: Row) -> str:
    return f"{row.heading}: {row.name}"


def had(place: str) -> Any:
    """What stands at a dotted path; of an attribute that only instances have, its name."""
    parts = place.split(".")
    for end in range(len(parts), 0, -1):
        module = ".".join(parts[:end])
        try:
            if importlib.util.find_spec(module) is None:
                continue
        except ModuleNotFoundError:
            continue
        found: Any = importlib.import_module(module)
        for part in parts[end:]:
            if isinstance(found, type) and not hasattr(found, part) and is_set(found, part):
                return part
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(place)


def is_set(owner: type, name: str) -> bool:
    """Whether instances of a class have this attribute."""
    ours = [c for c in owner.__mro__ if c.__module__.startswith(("nbchannels.", "asgiref."))]
    return any(
        name in inspect.get_annotations(c)
        or re.search(rf"self\.{name}(: \w+)? = ", inspect.getsource(c))
        for c in ours
    )


# --- what the page says ---


def test_there_are_rows():
    assert len(ROWS) > 200
    assert {row.verdict for row in ROWS} == set(VERDICTS)


@pytest.mark.parametrize("row", PRESENT, ids=shown)
def test_what_is_here_stands_where_the_page_says(row):
    found = had(row.place)
    if row.arguments:
        # In this order, by these names.
        assert list(inspect.signature(found).parameters)[: len(row.arguments)] == row.arguments or (
            ["self", *row.arguments]
            == list(inspect.signature(found).parameters)[: len(row.arguments) + 1]
        )


@pytest.mark.parametrize("row", [r for r in ROWS if r.verdict == "absent"], ids=shown)
def test_what_is_absent_is_absent_and_the_page_says_why(row):
    assert row.remark
    if row.module and not (row.is_old and row.name == "Worker"):  # the one of Channels 4 is here
        with pytest.raises((ModuleNotFoundError, AttributeError)):
            had(f"nb{row.module}.{row.name}")


def test_what_is_different_is_told():
    # But for names that have only moved.
    silent = [r for r in PRESENT if r.verdict == "different" and not r.remark]
    assert all(r.place != f"nb{r.module}.{r.name}" for r in silent), silent


def test_what_the_remarks_name_exists():
    named = set(re.findall(r"`(nbchannels\.[\w.]+)`", TEXT))
    assert named
    for place in named:
        had(place)


# --- Django Channels, where it is installed ---

INSPECT = """
import importlib, inspect, json, pkgutil, sys, types

daphne = types.ModuleType("daphne.testing")
daphne.DaphneProcess = object
sys.modules.setdefault("daphne", types.ModuleType("daphne"))
sys.modules.setdefault("daphne.testing", daphne)

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth",
                    "django.contrib.sessions", "channels"],
    SECRET_KEY="a", CHANNEL_LAYERS={}, ASGI_APPLICATION="a.b",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
import channels


def parameters(thing):
    try:
        found = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, p.kind.name, p.default is not p.empty, repr(p.default)] for p in found]


def described(thing):
    plain = inspect.unwrap(thing) if inspect.isfunction(thing) else thing
    found = {"parameters": parameters(thing) if callable(thing) else None,
             "is_async": inspect.iscoroutinefunction(plain),
             "bases": [c.__name__ for c in thing.__mro__] if inspect.isclass(thing) else []}
    if isinstance(thing, (str, int, type(None))):
        found["value"] = thing
    return found


told = {}
walked = [m.name for m in pkgutil.walk_packages(channels.__path__, "channels.")]
for module in ["channels", *walked]:
    loaded = importlib.import_module(module)
    listed = getattr(loaded, "__all__", None)
    names = listed if listed is not None else [
        name for name, value in vars(loaded).items()
        if not name.startswith("_") and not inspect.ismodule(value)
        and getattr(value, "__module__", module) == module
    ]
    names = [*names, *(["__version__"] if module == "channels" else [])]
    if module.startswith("channels.testing."):
        continue
    for name in names:
        value = getattr(loaded, name)
        told[f"{module}:{name}"] = described(value)
        if inspect.isclass(value):
            own = [value]
            if module == "channels.testing":  # asgiref's are there under its name
                own += [c for c in value.__bases__ if c.__module__.startswith("asgiref.")]
            members = {m for c in own for m in vars(c) if not m.startswith("_")}
            members |= {"__call__"} & set(vars(value))
            for member in sorted(members):
                told[f"{module}:{name}.{member}"] = described(getattr(value, member))
json.dump(told, sys.stdout)
"""


@cache
def theirs() -> dict[str, dict[str, Any]]:
    """The public names of Django Channels, by ``module:name``, and what they take."""
    if importlib.util.find_spec("channels") is None:
        pytest.skip("Django Channels is not installed: pip install channels")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", INSPECT], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


NEW = [row for row in ROWS if row.module and not row.is_old]


def test_every_public_name_of_channels_4_stands_in_a_table():
    known = {(row.module, row.name) for row in NEW}
    absent = {(row.module, row.name) for row in NEW if row.verdict == "absent"}
    missing = []
    for key in theirs():
        module, _, name = key.partition(":")
        owner = name.partition(".")[0]
        inside = "." in name and (
            (module, owner) in absent or name.endswith(".__call__")  # said with its class
        )
        if (module, name) not in known and not inside:
            missing.append(f"{module}.{name}")
    assert missing == []


def test_the_tables_name_nothing_that_channels_4_has_not():
    listed = {f"{row.module}:{row.name}" for row in NEW}
    inherited = {key for key in listed if "." in key.partition(":")[2]}
    unknown = listed - set(theirs()) - inherited
    assert unknown == set()


def accepts(ours: Any, wanted: list[list[Any]]) -> list[str]:
    """Why a call that theirs takes would fail here, or mean something else."""
    found = list(inspect.signature(ours).parameters.values())
    by_name = {p.name: p for p in found}
    problems = []
    place = 0
    for name, kind, has_default, default in wanted:
        if kind in ("VAR_POSITIONAL", "VAR_KEYWORD"):
            if not any(p.kind.name == kind for p in found):
                problems.append(f"no {name}")
            continue
        mine = by_name.get(name)
        if mine is None:
            problems.append(f"no parameter {name}")
            continue
        if kind != "KEYWORD_ONLY":
            if mine.kind.name == "KEYWORD_ONLY" or found.index(mine) != place:
                problems.append(f"{name} stands elsewhere")
            place += 1
        if has_default and repr(mine.default) != default:
            problems.append(f"{name} has the default {mine.default!r}, not {default}")
    names = {name for name, *_ in wanted}
    for p in found:
        optional = p.default is not p.empty or p.kind.name.startswith("VAR_")
        if p.name not in names and not optional:
            problems.append(f"{p.name} is required")
    return problems


@pytest.mark.parametrize("row", [r for r in NEW if r.verdict == "same"], ids=shown)
def test_what_is_the_same_takes_the_same(row):
    their = theirs().get(f"{row.module}:{row.name}")
    if their is None:  # inherited there: its class's own row counts
        assert "." in row.name
        return
    ours = had(row.place)
    if "value" in their and row.name != "__version__":
        assert ours == their["value"]
    if their["parameters"] is not None and callable(ours):
        # An exception of ours may take more, a plain one takes anything.
        if not (inspect.isclass(ours) and issubclass(ours, Exception)):
            assert accepts(ours, their["parameters"]) == []
        if inspect.isfunction(ours) or inspect.ismethod(ours):
            assert inspect.iscoroutinefunction(ours) == their["is_async"]
    builtin = {"Exception", "ValueError", "RequestAborted"}
    if inspect.isclass(ours):
        assert set(their["bases"]) & builtin <= {c.__name__ for c in ours.__mro__}


# --- the code of the page ---


def blocks() -> list[tuple[str, str]]:
    """The code, with the paragraph before it."""
    found = re.findall(r"^([^\n]+)\n\n```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == TEXT.count("```python")
    return found


BEFORE = [code for said, code in blocks() if said.startswith("Before")]
(JOINED,) = (code for _, code in blocks() if "channels_redis" in code)
AFTER = [code for said, code in blocks() if not said.startswith("Before") and code != JOINED]


@pytest.fixture
def layer():
    layer = InMemoryChannelLayer()
    old = channel_layers.set("default", layer)
    yield layer
    unconsume(channel_layer=layer)
    channel_layers.set("default", old)


def test_the_code_before_is_of_channels_and_the_code_after_is_not():
    assert len(BEFORE) == 5
    for code in BEFORE:
        compile(code, "before", "exec")
        assert "nbchannels" not in code
    for code in AFTER:
        assert not re.search(r"^(from|import) (channels|django)", code, re.MULTILINE)


@pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")
def test_the_code_after_runs(layer):
    config, printed = Config(), queue.SimpleQueue[str]()
    namespace: dict[str, Any] = {"c": config, "__name__": "page", "print": printed.put}
    for code in AFTER:
        exec(compile(code, str(PAGE), "exec"), namespace)
    # The configuration is one.
    server = NbChannels(config=config)
    assert server.asgi_application == "mysite.asgi:application"
    manager = type(channel_layers)()
    manager.configure(server.channel_layers)
    configured: Any = manager["default"]
    assert configured.get_capacity("http.request") == 200
    assert configured.get_capacity("work") == 1000
    # Both ways of sending have sent.
    sent = [m["text"] for m in namespace["nb"].Group("index").history()]
    assert sent == [[1, 2, 3]] * 2
    # The consumers are in service.
    assert layer.router.channels == {"thumbnails", "previews"}
    namespace["nb"].Channel("thumbnails").send({"type": "generate", "id": "a thumbnail"})
    namespace["nb"].Channel("previews").send({"id": "a preview"})
    assert {printed.get(timeout=10) for _ in range(2)} == {"a thumbnail", "a preview"}
    # The test is one that passes.
    bridge.run(namespace["test_index"](layer))


def test_the_layer_of_a_site_is_taken_as_it_stands():
    config = Config()
    exec(compile(JOINED, str(PAGE), "exec"), {"c": config})
    manager = type(channel_layers)()
    manager.configure(NbChannels(config=config).channel_layers)
    assert (manager["default"].backend, manager["default"].inner.prefix) == ("foreign", "asgi")


@pytest.mark.asyncio
async def test_the_application_before_and_after_is_the_same_but_for_the_imports(layer):
    said = [code for code in (*BEFORE, *AFTER) if "class IndexConsumer" in code]
    bodies = {code[code.index("class IndexConsumer") :] for code in said}
    assert len(said) == 2
    assert len(bodies) == 1
    namespace: dict[str, Any] = {}
    exec(said[1], namespace)
    browser = WebsocketCommunicator(namespace["application"], "/index/")
    assert await browser.connect() == (True, None)
    assert len(await layer.group_channels("index")) == 1
    await browser.disconnect()
