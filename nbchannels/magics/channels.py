"""``%channels``, ``%send``, ``%group_send``, ``%watch``: arguments in, library calls out."""

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import display

from nbchannels.channel import Channel, Group
from nbchannels.kernel import doctor, reports, status
from nbchannels.magics.telling import told
from nbchannels.receipt import Receipt
from nbchannels.widgets.log import LiveLog
from nbchannels.widgets.plot import LivePlot
from nbchannels.widgets.table import LiveTable
from nbchannels.widgets.value import LiveValue
from nbchannels.widgets.view import LiveView

__all__ = ["ChannelsMagics"]

_CHANNELS = """%channels                     the connection, and what goes on
%channels doctor              what is wrong, and what to do
%channels log                 what happened
%channels top                 the groups with their numbers
%channels consumers           who serves which channels
%channels who GROUP           who is in a group
%channels stop CHANNEL        end a consumer of this kernel
%channels dead [CHANNEL | N]  messages that nobody worked on
%channels resend N            send one of them again
%channels discard N           forget one of them
%channels connect URL [TOKEN] another server"""
_VIEWS: dict[str, type[LiveView]] = {
    "plot": LivePlot,
    "value": LiveValue,
    "log": LiveLog,
    "table": LiveTable,
}


@magics_class
class ChannelsMagics(Magics):
    """The line magics of nbchannels."""

    @line_magic
    def channels(self, line: str) -> None:
        """The connection to the server, and what goes on.

        ::

            %channels                     the connection, and what goes on
            %channels doctor              what is wrong, and what to do
            %channels log                 what happened
            %channels top                 the groups with their numbers
            %channels consumers           who serves which channels
            %channels who GROUP           who is in a group
            %channels stop CHANNEL        end a consumer of this kernel
            %channels dead [CHANNEL | N]  messages that nobody worked on
            %channels resend N            send one of them again
            %channels discard N           forget one of them
            %channels connect URL [TOKEN] another server
        """
        match line.split():
            case []:
                text = told(status.report)
            case ["log"]:
                text = status.log()
            case ["top"]:
                text = told(status.top)
            case ["doctor"]:
                text = told(doctor.report)
            case ["consumers"]:
                text = told(reports.consumers)
            case ["who", group]:
                text = told(reports.who, group)
            case ["stop", channel]:
                text = told(reports.stop, channel)
            case ["dead", *which] if len(which) < 2:
                text = told(reports.dead, *which)
            case ["resend", number]:
                text = told(reports.resend, number)
            case ["discard", number]:
                text = told(reports.discard, number)
            case ["connect", url]:
                text = told(status.connect, url)
            case ["connect", url, token]:
                text = told(status.connect, url, token)
            case _:
                raise UsageError(f"%channels {line!r} is not known; there are\n{_CHANNELS}")
        print(text)

    @line_magic
    def send(self, line: str) -> Receipt:
        """Send a message to a channel: one receiver gets it.

        ::

            %send work {"job": 1}
        """
        name, content = self._name_and_content(line, '%send work {"job": 1}')
        return told(lambda: Channel(name).send(content))

    @line_magic
    def group_send(self, line: str) -> Receipt:
        """Send a message to a group: everyone who listens gets it.

        ::

            %group_send index {"y": 1.5}
        """
        name, content = self._name_and_content(line, '%group_send index {"y": 1.5}')
        return told(lambda: Group(name).send(content))

    @magic_arguments()
    @argument("group", help="the name of the group")
    @argument("--as", dest="kind", default="plot", help="how to show it: plot, value, log, table")
    @argument("--window", default=None, help="the last so many of x: '5 min', or of points: 500")
    @line_magic
    def watch(self, line: str) -> None:
        """Show a live view of a group.

        ::

            %watch sensors
            %watch sensors --as plot --window 5min
        """
        if not line.strip():
            raise UsageError("which group? %watch sensors")
        options = parse_argstring(self.watch, line)
        view = _VIEWS.get(options.kind)
        if view is None:
            raise UsageError(
                f"there is no view {options.kind!r}; there is {', '.join(_VIEWS)}: "
                f"%watch {options.group} --as plot"
            )
        # IPython keeps the quotes that it splits a line by.
        window = (options.window or "").strip("'\"") or None
        if window and window.isdigit():
            window = int(window)
        if window is not None and "window" not in view.options:
            raise UsageError(f"a {options.kind} has no window: %watch {options.group} --as plot")
        given = {} if window is None else {"window": window}
        display(told(lambda: view(options.group, **given)))

    def _name_and_content(self, line: str, example: str) -> tuple[str, Any]:
        """The name, and the value of the expression behind it."""
        match line.split(maxsplit=1):
            case [name, expression]:
                assert self.shell is not None
                return name, self.shell.ev(expression)
        raise UsageError(f"a name and a message, please: {example}")
