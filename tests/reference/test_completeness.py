"""Each statement of the Reference has a test, and each test a statement."""

import ast
import re
from pathlib import Path

import pytest

from tests.reference import STATEMENTS

FOLDER = Path(__file__).parent
SECTIONS = dict.fromkeys(statement.section for statement in STATEMENTS)
#: ``Consumers 1, Consumers 2: …``
BEGINNING = re.compile(rf"((?:(?:{'|'.join(SECTIONS)}) \d+(?:, )?)+): \S")


def said_in(section: str) -> dict[str, list[str]]:
    """The statements that each test of a section's file is about, by its name."""
    path = FOLDER / f"test_{re.sub('(?<=[a-z])(?=[A-Z])| ', '_', section).lower()}.py"
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name[:5] == "test_":
            said = BEGINNING.match(ast.get_docstring(node) or "")
            found[node.name] = said[1].split(", ") if said else []
    return found


ALL = {name: keys for section in SECTIONS for name, keys in said_in(section).items()}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.key)
def test_each_statement_has_a_test(statement):
    tests = [name for name, keys in said_in(statement.section).items() if statement.key in keys]
    assert tests, f"nothing tests that {statement.text}"


@pytest.mark.parametrize("name", ALL)
def test_each_test_says_which_statement_it_is_about(name):
    known = {statement.key for statement in STATEMENTS}
    assert ALL[name]
    assert set(ALL[name]) <= known


def test_no_statement_stands_twice():
    for what in ({s.key for s in STATEMENTS}, {(s.section, s.text) for s in STATEMENTS}):
        assert len(what) == len(STATEMENTS)
