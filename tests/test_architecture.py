"""The building plan holds: every rule of tests/architecture.py, applied to this checkout."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import RULES, modules

ROOT = Path(__file__).resolve().parent.parent


def test_there_is_something_to_check():
    assert modules(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_plan_holds(rule: Callable[[Path], Iterator[str]]):
    found = "\n".join(rule(ROOT))
    if found:
        pytest.fail(found, pytrace=False)
