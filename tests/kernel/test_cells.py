"""The body of a cell as a function: its names, its colour, its lines."""

import inspect
import linecache
import traceback

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbchannels.kernel.cells import function_of


@pytest.fixture
def shell():
    shell = InteractiveShell()
    yield shell
    shell.history_manager.end_session()


def made(shell, body, channel="work"):
    return function_of(body, f"%%consume {channel}", channel, shell)


def test_it_sees_the_notebooks_names_and_keeps_its_own(shell):
    shell.user_ns["factor"] = 3
    function = made(shell, "y = message * factor\nreturn y\n")
    assert function(2) == 6
    shell.user_ns["factor"] = 4
    assert function(2) == 8
    assert "y" not in shell.user_ns
    assert "work" not in shell.user_ns


def test_global_keeps(shell):
    made(shell, "global last\nlast = message\n")(5)
    assert shell.user_ns["last"] == 5


@pytest.mark.parametrize(
    ("body", "is_async"),
    [
        ("return 1", False),
        ("await message", True),
        ("async for x in message: pass", True),
        ("async with message: pass", True),
        ("return [x async for x in message]", True),
        ("return [await x for x in message]", True),
        ("async def f():\n    await message\n", False),
        ("f = lambda: [x for x in message]", False),
        ("if message:\n    for x in message:\n        await x\n", True),
    ],
)
def test_await_makes_it_a_coroutine_function(shell, body, is_async):
    assert inspect.iscoroutinefunction(made(shell, body)) is is_async


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("work", "work"),
        ("sensor.*", "sensor"),
        ("http.request", "http_request"),
        ("*", "consume"),
        ("7up", "consume_7up"),
        ("class", "consume_class"),
    ],
)
def test_it_is_named_after_its_channel(shell, channel, name):
    assert made(shell, "pass", channel).__qualname__ == name


def test_a_traceback_shows_the_lines_of_the_cell(shell):
    function = made(shell, "x = 1\nreturn x / 0  # here\n")
    with pytest.raises(ZeroDivisionError) as caught:
        function({})
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (frame.lineno, frame.line, frame.name) == (3, "return x / 0  # here", "work")
    assert linecache.getline(frame.filename, 3) == "return x / 0  # here\n"


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("x = 1\ny = = 2\n", 3, "invalid syntax"),
        ("for x in y\n    pass\n", 2, "expected ':'"),
        ("x = 1\nif x:\n    break\n", 4, "outside loop"),
        ("x = 1\nyield x\n", 3, "a consumer returns its answer"),
        ("x = 1\n\ny = [(yield from x)]\n", 4, "a consumer returns its answer"),
    ],
)
def test_a_syntax_error_stands_at_its_line_of_the_cell(shell, body, line, said):
    with pytest.raises(SyntaxError, match=said) as caught:
        made(shell, body)
    assert caught.value.lineno == line
    assert caught.value.text.strip() in body


def test_a_generator_inside_is_fine(shell):
    assert made(shell, "def f():\n    yield 1\nreturn list(f())\n")({}) == [1]


def test_magics_in_the_body(shell, capsys):
    made(shell, "%config\nname = %pwd\nreturn name\n")({})
    assert "InteractiveShell" in capsys.readouterr().out


def test_only_comments_are_a_body(shell):
    assert made(shell, "# nothing yet\n")({}) is None
