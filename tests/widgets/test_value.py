"""The options of a value, as the page takes them."""

import datetime
import json

import pytest
from traitlets import TraitError

from nbchannels.channel import Group
from nbchannels.widgets.value import LiveValue
from tests.widgets.pages import defaults


def options(**given):
    return LiveValue("index", **given).specification["options"]


def test_the_options_and_defaults_are_the_pages():
    assert LiveValue("index").specification["kind"] == "value"
    assert options() == defaults("value")


def test_all_options():
    given = {
        "fields": ["cpu", "state"], "unit": {"cpu": "%"}, "format": ".1f", "since": "5 min",
        "warn": 80, "alarm": {"cpu": 95.5}, "window": "1 h", "history": 10, "title": "T",
        "height": 200, "paused": True,
    }  # fmt: skip
    assert set(given) == set(LiveValue.options)
    expected = given | {"since": {"seconds": 300}, "warn": 80.0, "window": {"seconds": 3600}}
    assert json.loads(json.dumps(options(**given))) == expected


@pytest.mark.parametrize(
    ("since", "taken"),
    [
        ("first", "first"),
        ("30 s", {"seconds": 30}),
        (datetime.timedelta(hours=1), {"seconds": 3600}),
        (1.5, {"seconds": 1.5}),
    ],
)
def test_since(since, taken):
    assert options(since=since)["since"] == taken


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fields": []}, "fields has 0 texts; it takes 1 to 64"),
        ({"unit": 5}, "unit is an int: 5; it takes a text"),
        ({"format": "two digits"}, "it takes a number format such as '.2f'"),
        ({"since": "soon"}, "since 'soon' is not understood; write 'previous', 'first'"),
        ({"since": 5}, "since 5 is not understood"),
        ({"since": None}, "since None is not understood"),
        ({"warn": "hot"}, "warn is a str: 'hot'; it takes a finite number"),
        ({"alarm": {"cpu": None}}, "alarm['cpu'] is None; it takes a finite number"),
        ({"window": "soon"}, "window 'soon' is not understood"),
        ({"height": 79}, "height"),
        ({"title": "t" * 201}, "title is a text of 201 characters, the limit is 200"),
    ],
)
def test_what_the_page_would_refuse_is_told_here(given, said):
    with pytest.raises(TraitError) as caught:
        LiveValue("index", **given)
    assert said in str(caught.value)


def test_it_is_displayed_with_what_was_given():
    data, _ = LiveValue(Group("index"), fields="cpu", unit="%")._repr_mimebundle_()
    assert data["text/plain"] == "LiveValue('index', fields='cpu', unit='%')"
    assert len(json.dumps(data["application/vnd.nbchannels.view.v1+json"])) < 400
