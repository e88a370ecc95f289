"""The options of a log, as the page takes them."""

import json
import re

import pytest
from traitlets import TraitError

from nbchannels.widgets.log import LEAST_LINES, LEVELS, MOST_LINES, LiveLog
from tests.widgets.pages import VIEWS, defaults


def options(**given):
    return LiveLog("app", **given).specification["options"]


def test_the_options_and_defaults_are_the_pages():
    assert LiveLog("app").specification["kind"] == "log"
    assert options() == defaults("log")


def test_the_levels_and_bounds_are_the_pages():
    levels = (VIEWS / "log" / "levels.ts").read_text()
    block = levels[levels.index("export const LEVELS") : levels.index("const ALIASES")]
    assert tuple(re.findall(r"\['(\w+)', \d+\]", block)) == LEVELS
    text = (VIEWS / "log" / "options.ts").read_text()
    bounds = re.search(r"whole\(value, name, ([\d_]+), ([\d_]+)\)", text)
    assert (int(bounds[1]), int(bounds[2])) == (LEAST_LINES, MOST_LINES)


def test_all_options():
    given = {
        "level": "WARNING", "wrap": True, "lines": 500, "history": 10, "title": "T",
        "height": 200, "paused": True,
    }  # fmt: skip
    assert set(given) == set(LiveLog.options)
    assert json.loads(json.dumps(options(**given))) == given | {"level": "warning"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"level": "loud"}, "level is 'loud'; it takes one of debug, info, warning"),
        ({"level": 30}, "level is 30; it takes one of debug"),
        ({"lines": 9}, "lines is 9; it takes a whole number from 10 to 100,000"),
        ({"lines": 100_001}, "lines is 100001"),
        ({"lines": True}, "lines is True"),
        ({"lines": 1.5}, "lines is 1.5"),
        ({"wrap": "yes"}, "expected a boolean"),
        ({"history": -1}, "history"),
    ],
)
def test_what_the_page_would_refuse_is_told_here(given, said):
    with pytest.raises(TraitError) as caught:
        LiveLog("app", **given)
    assert said in str(caught.value)
