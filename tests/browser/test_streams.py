"""Fast streams, late views, cleared groups."""

import logging

import pytest

from tests.browser.driving import Visitor
from tests.browser.jupyter import Jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
LOG = logging.getLogger(__name__)

FLOOD = """
import time
import nbchannels as nb
from nbchannels.encoding import encode

def message(i):
    return {"i": i, "pad": "x" * (1024 - len('{"i":,"pad":""}') - len(str(i)))}

assert len(encode(message(0)).body) == len(encode(message(14_999)).body) == 1024
begin = time.perf_counter()
with nb.Group("flood").batch() as out:
    for i in range(15_000):
        out.send(message(i))
        ahead = begin + (i + 1) / 3000 - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        if i % 1000 == 999:
            print("sent", i + 1)
print(f"all 15000 in {time.perf_counter() - begin:.2f} s")
"""

LISTEN = """() => {
  const heard = { count: 0, wrong: [], gaps: 0, ready: false };
  globalThis.heard = heard;
  nbtest.client().subscribe('flood', { since: 'now', mode: 'log' }, {
    messages(batch) {
      for (const message of batch) {
        const content = message.content();
        const i = content instanceof Map ? content.get('i') : content.i;
        if (i !== heard.count && heard.wrong.length < 10) {
          heard.wrong.push([heard.count, i]);
        }
        heard.count += 1;
      }
    },
    discontinuity() { heard.gaps += 1; },
    subscribed() { heard.ready = true; }
  });
}"""


def test_15000_messages_of_a_cell_arrive_in_order_and_its_print_is_shown(
    visitor: Visitor, jupyter: Jupyter
):
    jupyter.write_notebook(
        "flood.ipynb",
        {"plot": 'import nbchannels as nb\nnb.LivePlot("flood", y="i")', "flood": FLOOD},
    )
    notebook = visitor.open("flood.ipynb")
    notebook.run("plot")
    plot = notebook.view("plot").look()
    plot.wait_for_chip("live")
    notebook.page.evaluate(LISTEN)
    notebook.wait("() => heard.ready")
    notebook.run("flood")
    notebook.wait("() => heard.count >= 15000")
    heard = notebook.page.evaluate("() => heard")
    assert heard == {"count": 15_000, "wrong": [], "gaps": 0, "ready": True}
    # What it printed meanwhile is all there, and can be seen.
    *lines, last = notebook.text("flood").splitlines()
    assert lines == [f"sent {n}" for n in range(1000, 15_001, 1000)]
    assert last.startswith("all 15000 in ")
    seconds = float(last.split()[3])
    LOG.info("sent in %.2f s", seconds)
    assert seconds >= 5.0, f"faster than 3,000/s: {last}"
    notebook.page.locator('[data-cell="flood"] .jp-OutputArea-output', has_text=last).wait_for()
    # And the plot of the same page missed nothing.
    plot.wait_for_points(15_000)
    (run,) = plot.plot["runs"]
    assert run["series"]["i"]["y"] == list(range(15_000))
    assert plot.look().plot["gaps"] == []
    plot.wait_for_chip("live")
    plot.wait_for_legend("i", "14\u202f999")


def test_a_view_opened_after_500_messages_shows_all_500(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook(
        "late.ipynb",
        {
            "send": "import nbchannels as nb\n"
            'with nb.Group("late").batch() as out:\n'
            "    for step in range(500):\n"
            '        out.send({"step": step, "y": step * step})\n',
            "view": 'nb.LivePlot("late")',
        },
    )
    first = visitor.open("late.ipynb")
    first.run("send", "view")
    first.save()
    second = visitor.open("late.ipynb")
    for page in (first, second):
        view = page.view("view")
        view.wait_for_points(500)
        view.wait_for_paint()
        view.wait_for_legend("y", "249\u202f001")
        view.wait_for_chip("live")
        view.expect_chip("live")
        (run,) = view.plot["runs"]
        assert run["series"]["y"]["x"] == list(range(500))
        assert run["series"]["y"]["y"] == [step * step for step in range(500)]
        assert view.plot["range"] == [0, 499]


def test_clear_empties_every_view(visitor: Visitor, jupyter: Jupyter):
    jupyter.write_notebook(
        "clear.ipynb",
        {
            "view": "import ipywidgets\nimport nbchannels as nb\n"
            'plot = nb.LivePlot("cleared")\nplot',
            "other": 'nb.LivePlot("cleared", kind="bar")',
            "box": "ipywidgets.VBox([plot])",
            "send": 'for step in range(20):\n    nb.Group("cleared").send({"step": step, "y": 1})',
            "clear": 'nb.Group("cleared").clear()',
        },
    )
    first = visitor.open("clear.ipynb")
    first.run("view", "other", "box", "send")
    first.save()
    second = visitor.open("clear.ipynb")
    views = [
        first.view("view"),
        first.view("other"),
        first.view("box", ".widget-vbox"),
        second.view("view"),
        second.view("other"),
    ]
    for view in views:
        view.look().wait_for_legend("y", "1")
    first.run("clear")
    for view in views:
        view.look().wait_until_empty()
        view.wait_for_text("Waiting for messages on group 'cleared'")
        view.expect_chip("live")
    # And they go on.
    jupyter.post("cleared", {"step": 0, "y": 7})
    for view in views:
        view.look().wait_for_legend("y", "7")
        view.expect_chip("live")
    for view in (first.view("view"), second.view("other")):
        (run,) = view.plot["runs"]
        assert run["series"]["y"] == {"x": [0], "y": [7]}
