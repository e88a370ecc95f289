"""The options of a table, as the page takes them."""

import json
import re

import pytest
from traitlets import TraitError

from nbchannels.widgets.table import LEAST_ROWS, MOST_ROWS, LiveTable
from tests.widgets.pages import VIEWS, defaults


def options(**given):
    return LiveTable("trades", **given).specification["options"]


def test_the_options_and_defaults_are_the_pages():
    assert LiveTable("trades").specification["kind"] == "table"
    assert options() == defaults("table")


def test_the_bounds_are_the_pages():
    text = (VIEWS / "table" / "options.ts").read_text()
    bounds = re.search(r"whole\(value, name, ([\d_]+), ([\d_]+)\)", text)
    assert (int(bounds[1]), int(bounds[2])) == (LEAST_ROWS, MOST_ROWS)


def test_all_options():
    given = {
        "key": "name", "columns": ["name", "cpu"], "format": {"cpu": ".1f"}, "mode": "append",
        "rows": 500, "history": 10, "title": "T", "height": 200, "paused": True,
    }  # fmt: skip
    assert set(given) == set(LiveTable.options)
    assert json.loads(json.dumps(options(**given))) == given


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"key": 5}, "expected a unicode string"),
        ({"key": "k" * 201}, "key is a text of 201 characters, the limit is 200"),
        ({"columns": []}, "columns has 0 texts; it takes 1 to 64"),
        ({"format": {"cpu": "1f"}}, "it takes a number format such as '.2f'"),
        ({"mode": "both"}, "any of ['append', 'replace']"),
        ({"rows": 9}, "rows is 9; it takes a whole number from 10 to 1,000,000"),
        ({"rows": 1_000_001}, "rows is 1000001"),
        ({"rows": "all"}, "rows is 'all'"),
    ],
)
def test_what_the_page_would_refuse_is_told_here(given, said):
    with pytest.raises(TraitError) as caught:
        LiveTable("trades", **given)
    assert said in str(caught.value)
