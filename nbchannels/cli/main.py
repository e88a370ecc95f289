"""The command line: what it may say, and what it ends with.

Exit codes: 0, it was done; 1, it could not be done, and a sentence on standard error says why; 2,
the command line is wrong; 130, interrupted; 141, whoever read the output has gone.
"""

import argparse
import importlib.metadata
import os
import shutil
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from nbchannels.channel import Channel, Group
from nbchannels.cli.diagnosing import diagnose
from nbchannels.cli.following import Filters, follow
from nbchannels.cli.listing import list_all, who
from nbchannels.cli.panels import PANELS
from nbchannels.cli.reaching import UsageError, reach
from nbchannels.cli.recording import Wanted, info, into, record_groups, replay_file
from nbchannels.cli.sending import send, send_lines
from nbchannels.cli.top import top, top_once
from nbchannels.cli.writing import Output
from nbchannels.exceptions import ChannelsError, InvalidName
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.pending import SEND_TIMEOUT, NobodyListens
from nbchannels.recording.pace import require_speed

__all__ = ["main"]

DONE, FAILED, WRONG, INTERRUPTED, UNREAD = 0, 1, 2, 130, 141

_ABOUT = """\
What goes on in a Jupyter server's channels, in a terminal.

The server: --url and --token, else NBCHANNELS_URL and NBCHANNELS_TOKEN, else the only running
server of this user that has nbchannels. A token on the command line can be seen by other users of
this machine; in the environment it cannot."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; {self.prog} --help shows what there is")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0.05 to 3600 seconds")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        return require_speed(float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0, nor 'max'") from None


def _moment(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def _version() -> str:
    try:
        return importlib.metadata.version("nbchannels")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        return "0+unknown"


def _parser() -> _Parser:
    common = _Parser(add_help=False)
    server = common.add_argument_group("the server")
    unsaid = argparse.SUPPRESS
    server.add_argument("--url", default=unsaid, help="its address, as in the browser")
    server.add_argument("--token", default=unsaid, help="that it takes")
    described = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="nbchannels", description=_ABOUT, parents=[common], formatter_class=described
    )
    parser.add_argument("--version", action="version", version=f"nbchannels {_version()}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Parser
    )

    def command(name: str, said: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(
            name, help=said, description=said, parents=[common]
        )
        return made

    def json(of: argparse.ArgumentParser, said: str) -> None:
        of.add_argument("--json", action="store_true", help=said)

    ls = command("ls", "groups, channels, consumers and clients")
    ls.add_argument("panel", nargs="?", choices=PANELS, help="only these")
    ls.add_argument("-a", "--all", action="store_true", help="nbchannels' own names, too")
    json(ls, "one object, with a list for each")
    who_ = command("who", "who is in a group: kernels with their notebook, pages, scripts")
    who_.add_argument("group")
    json(who_, "a list of objects")
    tail = command("tail", "messages as they go by, until Ctrl-C")
    tail.add_argument("name", nargs="?", metavar="NAME", help="a group or channel, or a glob")
    tail.add_argument("--text", help="only messages that have this in them")
    tail.add_argument("--kind", choices=("group", "channel"), help="only what was sent to these")
    tail.add_argument("-n", "--count", type=_count, help="end after so many")
    json(tail, "an object in a line for each")
    sending = command("send", "send a message to a group, or with --channel to a channel")
    sending.add_argument("name", metavar="NAME")
    sending.add_argument("message", metavar="JSON", help="the message; - reads lines of them")
    sending.add_argument("--channel", action="store_true", help="one receiver gets it")
    sending.add_argument(
        "--timeout", type=_seconds, default=SEND_TIMEOUT, help="seconds to wait for the receipt"
    )
    json(sending, "the receipt as an object")
    _recordings(command, json)
    live = command("top", "all of it, live; q ends")
    live.add_argument("-a", "--all", action="store_true", help="nbchannels' own names, too")
    live.add_argument("--once", action="store_true", help="one table; so without a terminal")
    live.add_argument("--interval", type=_seconds, default=1.0, help="seconds between two looks")
    doctor = command("doctor", "what is wrong, and what to do; exit code 1 if something is")
    json(doctor, "a list of objects: mark, what, remedy")
    return parser


def _recordings(command: Any, json: Any) -> None:
    recording = command("record", "groups into an MCAP file, until Ctrl-C")
    recording.add_argument("groups", nargs="+", metavar="GROUP")
    recording.add_argument("-o", "--output", required=True, metavar="FILE", help="run.mcap")
    recording.add_argument("--duration", type=_moment, help="end after so many seconds")
    recording.add_argument("--history", action="store_true", help="begin with what the groups keep")
    recording.add_argument(
        "--redact", action="append", default=[], metavar="KEY",
        help="a key whose values do not reach the file, a glob; once for each",
    )  # fmt: skip
    recording.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    json(recording, "the summary as an object")
    replaying = command("replay", "send a recording as if it happened now")
    replaying.add_argument("path", metavar="FILE")
    replaying.add_argument(
        "--into", action="append", default=[], metavar="NAME",
        help="another group for all, or RECORDED=NAME for one; once for each",
    )  # fmt: skip
    replaying.add_argument(
        "--speed", type=_speed, default=1.0, help="how many times as fast as it was, or max"
    )
    replaying.add_argument(
        "--group", action="append", metavar="RECORDED", help="only this; once for each"
    )
    replaying.add_argument("--start", type=_moment, help="seconds after the first message")
    replaying.add_argument("--stop", type=_moment, help="seconds after the first message")
    json(replaying, "the summary as an object")
    about = command("info", "what is in a recording; asks no server")
    about.add_argument("path", metavar="FILE")
    json(about, "as an object")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code.

    Args:
        arguments: without the name of the program; ``None``: those of this process.
    """
    out = Output()
    try:
        options = _parser().parse_args(arguments)
        return _run(options, out)
    except (UsageError, InvalidName) as error:
        out.complain(str(error))
        return WRONG
    except (ChannelsError, TimeoutError) as error:
        out.complain("; ".join([str(error), *getattr(error, "__notes__", ())]))
        return FAILED
    except BrokenPipeError:
        # Python would complain when it flushes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace, out: Output) -> int:
    # A receipt is printed, and its hint with it.
    warnings.simplefilter("ignore", NobodyListens)
    if options.command == "info":
        info(out, options.path, json=options.json)
        return DONE
    layer = reach(getattr(options, "url", None), getattr(options, "token", None))
    room = shutil.get_terminal_size().columns if out.is_terminal else None
    match options.command:
        case "ls":
            panels = [options.panel] if options.panel else list(PANELS)
            list_all(layer, out, panels, show_all=options.all, json=options.json, room=room)
        case "who":
            who(layer, out, options.group, json=options.json)
        case "send":
            _send(layer, options, out)
        case "tail":
            filters = Filters(options.name, options.text, options.kind)
            return _until_interrupted(
                follow, layer, out, filters, json=options.json, most=options.count
            )
        case "record":
            wanted = Wanted(
                options.groups, options.output, options.duration, options.history,
                options.redact, options.overwrite,
            )  # fmt: skip
            record_groups(layer, out, wanted, json=options.json)
        case "replay":
            replay_file(
                layer, out, options.path, into=into(options.into), speed=options.speed,
                json=options.json, groups=options.group, start=options.start, stop=options.stop,
            )  # fmt: skip
        case "top":
            once = options.once or not (out.is_terminal and sys.stdin.isatty())
            return _until_interrupted(
                top_once if once else top, layer, out, options.interval, show_all=options.all
            )
        case "doctor":
            return DONE if diagnose(out, json=options.json) else FAILED
    return DONE


def _send(layer: KernelChannelLayer, options: argparse.Namespace, out: Output) -> None:
    made = Channel if options.channel else Group
    target: Channel | Group = made(options.name, channel_layer=layer)
    if options.message == "-":
        send_lines(target, sys.stdin.buffer, out, options.timeout, as_json=options.json)
    else:
        send(target, options.message, out, options.timeout, as_json=options.json)


def _until_interrupted(command: Any, *arguments: Any, **options: Any) -> int:
    """What ends by Ctrl-C has done its work then."""
    try:
        command(*arguments, **options)
    except KeyboardInterrupt:
        pass
    return DONE
