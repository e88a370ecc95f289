"""``nbchannels top``: the server's state, live, in a terminal."""

import importlib
import locale
import signal
import time
from concurrent.futures import Future
from typing import Any

from nbchannels.bridge import bridge
from nbchannels.cli.panels import Look, Looker
from nbchannels.cli.reaching import ask
from nbchannels.cli.screen import Line, Viewed, page_of, plain, screen
from nbchannels.cli.terminal import Style
from nbchannels.cli.writing import Output
from nbchannels.exceptions import LayerUnavailable
from nbchannels.kernel.layer import KernelChannelLayer

__all__ = ["Model", "top", "top_once"]

#: Milliseconds that a key is waited for before the picture is looked at again.
GLANCE = 100
#: Seconds after which an answer that does not come is told.
LATE = 3.0
_COLOURS: dict[Style, str] = {
    "good": "COLOR_GREEN", "warning": "COLOR_YELLOW", "bad": "COLOR_RED",
}  # fmt: skip


class Model:
    """What is known of the server, looked at every now and then without holding up the keys.

    Args:
        layer: of the server.
        interval: seconds between two looks.
        show_all: names that are nbchannels' own, too.
    """

    def __init__(
        self, layer: KernelChannelLayer, interval: float, *, show_all: bool = False
    ) -> None:
        self._connection = layer.connection
        self._looker = Looker(layer.connection, show_all=show_all)
        self._interval = interval
        self._asked: Future[Look] | None = None
        self._since = 0.0
        self.look: Look | None = None
        self.detail = ""

    @property
    def server(self) -> str:
        """Its address and version."""
        found, welcome = self._connection.found, self._connection.session.welcome
        version = welcome.version if welcome is not None else ""
        return " ".join(filter(None, [version, found.url if found is not None else ""]))

    def poll(self, now: float) -> bool:
        """Take an answer that has come, and ask when it is time; whether there is news.

        Raises:
            ChannelsError: the server refused us for good.
        """
        asked = self._asked
        if asked is None:
            if now - self._since >= self._interval:
                self._since = now
                self._asked = bridge.start(self._looker.look())
            return False
        if not asked.done():
            late = "" if now - self._since < LATE else f"no answer yet: {self._connection.detail}"
            news, self.detail = late != self.detail, late or self.detail
            return news
        self._asked = None
        try:
            self.look, self.detail = asked.result(), ""
        except LayerUnavailable as error:
            if not error.temporary:
                raise
            self.detail = str(error)
        return True


def top_once(
    layer: KernelChannelLayer, out: Output, interval: float, *, show_all: bool = False
) -> None:
    """Print the state once. Rates take two looks, with the interval between them."""
    looker = Looker(layer.connection, show_all=show_all)
    ask(looker.look())
    time.sleep(interval)
    look = ask(looker.look())
    model = Model(layer, interval)
    out.lines(plain(look, Viewed(is_unicode=out.is_unicode), model.server))


def top(layer: KernelChannelLayer, out: Output, interval: float, *, show_all: bool = False) -> None:
    """Show the state until ``q`` or Ctrl-C; where there is no screen, once.

    Args:
        layer: of the server.
        out: the terminal.
        interval: seconds between two looks.
        show_all: names that are nbchannels' own, too.

    Raises:
        ChannelsError: the server refused us for good.
    """
    curses, problem = _curses()
    if problem:
        out.complain(f"this terminal cannot be drawn on ({problem}); once, then")
        top_once(layer, out, interval, show_all=show_all)
        return
    locale.setlocale(locale.LC_ALL, "")
    ask(layer.connection.call("inspect_layer", {}))  # what is wrong is said before the screen
    model = Model(layer, interval, show_all=show_all)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        _Screen(curses, model, out).run()
    finally:
        signal.signal(signal.SIGTERM, before)


def _curses() -> tuple[Any, str]:
    """The library that draws, and why it cannot; empty if it can."""
    try:
        curses: Any = importlib.import_module("curses")
    except ImportError as error:  # Windows
        return None, str(error)
    try:
        curses.setupterm()
    except curses.error as error:
        return None, str(error)
    return curses, "" if curses.tigetstr("cup") else "it has no way to place text"


def _end(number: int, frame: Any) -> None:
    """Leave the terminal as it was."""
    raise SystemExit(128 + number)


class _Screen:
    """The terminal, drawn on."""

    def __init__(self, curses: Any, model: Model, out: Output) -> None:
        self._curses = curses
        self._model = model
        self._viewed = Viewed(is_unicode=out.is_unicode)
        self._has_colours = out.has_colours
        self._attributes: dict[Style, int] = {}
        self._keys: dict[int, str] = {
            curses.KEY_UP: "up", curses.KEY_DOWN: "down", curses.KEY_LEFT: "left",
            curses.KEY_RIGHT: "right", curses.KEY_PPAGE: "page up", curses.KEY_NPAGE: "page down",
            curses.KEY_HOME: "home", curses.KEY_END: "end", curses.KEY_BTAB: "back tab",
            ord("\t"): "tab",
        }  # fmt: skip

    def run(self) -> None:
        """Until the user leaves; then the terminal is as it was."""
        curses = self._curses
        window = curses.initscr()
        try:
            curses.noecho()
            curses.cbreak()
            window.keypad(True)
            self._prepare(window)
            self._watch(window)
        finally:
            window.keypad(False)
            curses.echo()
            curses.nocbreak()
            curses.endwin()

    def _watch(self, window: Any) -> None:
        while True:
            news = False if self._viewed.is_paused else self._model.poll(time.monotonic())
            if news:
                self._draw(window)
            key = window.getch()
            if key == -1:
                continue
            if not self._press(window, key):
                return
            self._draw(window)

    def _prepare(self, window: Any) -> None:
        curses = self._curses
        self._attributes = {
            "plain": 0, "good": 0, "warning": curses.A_BOLD, "bad": curses.A_BOLD,
            "bold": curses.A_BOLD, "dim": curses.A_DIM, "cursor": curses.A_REVERSE,
        }  # fmt: skip
        try:
            curses.curs_set(0)
            if self._has_colours and curses.has_colors():
                curses.start_color()
                curses.use_default_colors()
                for number, style in enumerate(_COLOURS, 1):
                    curses.init_pair(number, getattr(curses, _COLOURS[style]), -1)
                    self._attributes[style] = curses.color_pair(number)
        except curses.error:  # a terminal without an invisible cursor, or without colours
            pass
        window.timeout(GLANCE)
        self._draw(window)

    def _press(self, window: Any, key: int) -> bool:
        height, _ = window.getmaxyx()
        name = self._keys.get(key) or (chr(key) if 32 <= key < 127 else "")
        look = self._model.look
        rows = {panel: len(found) for panel, found in look.rows.items()} if look else {}
        return self._viewed.press(name, rows, page_of(look, self._viewed, height))

    def _draw(self, window: Any) -> None:
        height, columns = window.getmaxyx()
        model = self._model
        lines = screen(model.look, self._viewed, model.server, model.detail, columns, height)
        window.erase()
        for number, line in enumerate(lines):
            self._put(window, number, line)
        window.refresh()

    def _put(self, window: Any, number: int, line: Line) -> None:
        encoding = window.encoding
        text = line.text.encode(encoding, "replace").decode(encoding)
        try:
            window.addstr(number, 0, text, self._attributes[line.style])
        except self._curses.error:  # the last cell: the cursor has no place behind it
            pass
