"""What a receiver gets: a message with where it came from. Channels 1.x's ``Message``."""

import copy
import sys
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from nbchannels.typing import MessageDict

__all__ = ["Message"]


class Message:
    """One message: its content, and where it came from.

    It reads like the dict it holds: ``message["y"]``, ``"y" in message``, ``message.get("y")``.

    Args:
        content: the dict that was sent.
        channel_name: the channel it was received from; ``None`` for a message of a group.
        channel_layer: the layer it came through; without, its channels are on the default one.

    Attributes:
        content: the dict that was sent.
        channel_layer: the layer it came through.
        group: the name of the group, for a message of a group's log.
        offset: its number in the group's log.
        time: seconds since 1970, stamped by the layer.
        retries: how often a consumer has put it back with `ConsumeLater`.
        redelivered: whether somebody had it before, and was gone before it was settled.

    Source: the Channels 1.x Reference, "Message".
    """

    def __init__(
        self,
        content: MessageDict,
        channel_name: str | None = None,
        channel_layer: Any = None,
        *,
        group: str | None = None,
        offset: int | None = None,
        time: float | None = None,
        retries: int = 0,
        redelivered: bool = False,
    ) -> None:
        self.content = content
        self.channel_layer = channel_layer
        self.group = group
        self.offset = offset
        self.time = time
        self.retries = retries
        self.redelivered = redelivered
        self._channel_name = channel_name

    @property
    def channel_name(self) -> str | None:
        """The name of the channel it was received from; ``None`` for a message of a group."""
        return self._channel_name

    @property
    def channel(self) -> Any:
        """The `Channel` it was received from; ``None`` for a message of a group."""
        return None if self._channel_name is None else self._channel(self._channel_name)

    @property
    def reply_channel(self) -> Any:
        """The `Channel` that its sender takes the answer from; ``None`` if it wants none.

        Raises:
            InvalidName: the content has a ``reply_channel`` that is no name.
        """
        name = self.content.get("reply_channel")
        return self._channel(name) if name else None

    def _channel(self, name: Any) -> Any:
        # A channel receives messages, a message has channels: of the two, this one asks the door,
        # when it is used.
        return sys.modules["nbchannels"].Channel(name, channel_layer=self.channel_layer)

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.content[key] = value

    def __contains__(self, key: object) -> bool:
        return key in self.content

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)

    def __bool__(self) -> bool:
        """A message is always true, also an empty one."""
        return True

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Message):
            return self.content == other.content
        return self.content == other

    __hash__ = None  # type: ignore[assignment]

    def keys(self) -> KeysView[str]:
        """The keys of the content."""
        return self.content.keys()

    def values(self) -> ValuesView[Any]:
        """The values of the content."""
        return self.content.values()

    def items(self) -> ItemsView[str, Any]:
        """The items of the content."""
        return self.content.items()

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``, or ``default``."""
        return self.content.get(key, default)

    def copy(self) -> "Message":
        """A copy whose content can be changed without changing this one's."""
        return Message(
            copy.deepcopy(self.content),
            self._channel_name,
            self.channel_layer,
            group=self.group,
            offset=self.offset,
            time=self.time,
            retries=self.retries,
            redelivered=self.redelivered,
        )

    def __repr__(self) -> str:
        source = f"group {self.group!r} " if self.group else f"channel {self._channel_name!r} "
        number = f"offset {self.offset} " if self.offset is not None else ""
        return f"<Message {source}{number}{self.content!r}>"
