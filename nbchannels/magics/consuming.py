"""``%%consume``: a cell as a consumer."""

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from nbchannels.consuming import consume
from nbchannels.kernel.cells import function_of
from nbchannels.magics.telling import told

__all__ = ["ConsumeMagics"]


@magics_class
class ConsumeMagics(Magics):
    """The cell magic of nbchannels."""

    @no_var_expand
    @magic_arguments()
    @argument("channel", help="a name, or a glob such as sensor.*")
    @argument("--reply", action="store_true", help="what the cell returns, a dict, is the answer")
    @argument("--on", default=None, help="thread: beside the cells; main: between them")
    @argument("--capacity", type=int, default=None, help="messages that wait before ChannelFull")
    @argument("--expiry", type=float, default=None, help="seconds that a message waits")
    @cell_magic
    def consume(self, line: str, cell: str) -> None:
        """Run the cell for each message of a channel, as the body of a function of ``message``.

        ::

            %%consume work
            print(message["job"])

            %%consume square --reply
            return {"y": message["x"] ** 2}

        It sees the notebook's names; what it assigns stays inside, so use ``global`` to keep
        something. With ``await`` in it, it runs between the cells, else beside them. Its prints
        and its errors appear below this cell. Run the cell again to replace it; %channels stop
        CHANNEL ends it.
        """
        if not line.strip() or not cell.strip():
            raise UsageError("a channel, and what to do with each message:\n" + _EXAMPLE)
        options = parse_argstring(self.consume, line)
        channel = options.channel.strip("'\"")  # IPython keeps the quotes
        function = function_of(cell, f"%%consume {line}", channel, self.shell)
        put_in_service: Any = consume(
            channel,
            reply=options.reply,
            on=options.on,
            capacity=options.capacity,
            expiry=options.expiry,
        )
        told(put_in_service, function)
        print(f"each message of channel {channel!r} runs this cell")


_EXAMPLE = """%%consume work
print(message["job"])"""
