"""Views in other places: several pages, boxes of widgets, a notebook that is not trusted."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.driving import App, Visitor
from tests.browser.jupyter import Jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_settings_from_python_reach_two_pages(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook(
        "settings.ipynb",
        {
            "view": "import nbchannels as nb\n"
            'with nb.Group("settings").batch() as out:\n'
            "    for step in range(100):\n"
            '        out.send({"step": step, "y": step % 7})\n'
            'plot = nb.LivePlot("settings", title="Before")\nplot',
            "change": 'plot.window = 30\nplot.kind = "bar"\nplot.title = "After"',
            "back": "plot.window = None\nplot.height = 200",
        },
    )
    first = visitor.open("settings.ipynb")
    first.run("view")
    first.save()
    second = visitor.open("settings.ipynb")
    pages = (first, second)
    for page in pages:
        view = page.view("view")
        view.wait_for_paint()
        view.wait_for_text("Before")
        assert view.plot["range"] == [0, 99]
    first.run("change")
    for page in pages:
        view = page.view("view").look()
        view.wait_for_text("After")
        page.wait("() => nbtest.plot('view').range[0] >= 69")
        figure = view.element.get_by_role("figure")
        label = "Live bar plot of group settings: After"
        expect(figure).to_have_attribute("aria-label", re.compile(f"^{label}"))
        assert view.plot["options"]["window"] == {"points": 30}
    first.run("back")
    for page in pages:
        view = page.view("view").look()
        page.wait(
            "() => nbtest.plot('view').range[0] <= 0 && nbtest.plot('view').options.height === 200"
        )
        assert view.plot["options"]["line"] == "bar"
        assert view.plot["options"]["title"] == "After"
    # A page that comes after the changes, from a file that does not have them.
    third = visitor.open("settings.ipynb")
    view = third.view("view").look()
    view.wait_for_text("After")
    third.wait("() => nbtest.plot('view').options.height === 200")


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_view_in_a_box_of_widgets_draws(visitor: Visitor, jupyter: Jupyter, app: App):
    group = f"boxed-{app}"
    jupyter.write_notebook(
        f"{group}.ipynb",
        {
            "box": "import ipywidgets\nimport nbchannels as nb\n"
            f'group = nb.Group("{group}")\n'
            "left, right = nb.LivePlot(group), nb.LivePlot(group)\n"
            'below = nb.LivePlot(group, kind="bar", height=150)\n'
            "ipywidgets.VBox([ipywidgets.HBox([left, right]), below])",
            "send": 'for step in range(50):\n    group.send({"step": step, "y": 5})',
            "change": 'below.title = "Changed"',
        },
    )
    notebook = visitor.open(f"{group}.ipynb", app)
    notebook.run("box", "send")
    left, right, below = views = [
        notebook.view("box", ".widget-hbox > :nth-child(1)"),
        notebook.view("box", ".widget-hbox > :nth-child(2)"),
        notebook.view("box", ".widget-vbox > :nth-child(2)"),
    ]
    for view in views:
        view.look().wait_for_chip("live")
        view.wait_for_legend("y", "5")
        expect(view.element.locator("canvas")).to_have_count(1)
    jupyter.post(group, {"step": 50, "y": 8})
    for view in views:
        view.look().wait_for_legend("y", "8")
    notebook.wait("() => nbtest.coloured('box') > 100")
    # They share the width there is.
    halves = [view.look().element.bounding_box() for view in (left, right)]
    whole = below.look().element.bounding_box()
    assert whole is not None
    for half in halves:
        assert half is not None
        assert half["width"] == pytest.approx(whole["width"] / 2, abs=8)
    notebook.run("change")
    below.look().wait_for_text("Changed")
    notebook.picture(f"boxes-{app}")


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_view_in_an_untrusted_notebook_draws(visitor: Visitor, jupyter: Jupyter, app: App):
    group = f"foreign-{app}"
    jupyter.write_notebook(
        f"own-{app}.ipynb", {"view": f'import nbchannels as nb\nnb.LivePlot("{group}")'}
    )
    mine = visitor.open(f"own-{app}.ipynb", app)
    mine.run("view")
    mine.save()
    for y in range(10):
        jupyter.post(group, {"y": y})
    # The signature is over the content: another content is not trusted.
    content = jupyter.read_notebook(f"own-{app}.ipynb")
    content["cells"][0]["source"] = "# from someone else"
    (jupyter.work / f"{group}.ipynb").write_text(json.dumps(content))
    theirs = visitor.open(f"{group}.ipynb", app)
    assert theirs.page.evaluate("() => nbtest.cell('view').model.trusted") is False
    view = theirs.view("view")
    view.wait_for_points(10)
    view.wait_for_paint()
    view.wait_for_legend("y", "9")
    view.wait_for_chip("live")
    jupyter.post(group, {"y": 11})
    view.wait_for_legend("y", "11")
    assert theirs.page.evaluate("() => nbtest.cell('view').model.trusted") is False
