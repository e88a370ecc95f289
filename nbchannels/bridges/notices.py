"""``notify``: a sentence for whoever watches a group."""

from typing import Any

from nbchannels.channel import Group
from nbchannels.exceptions import InvalidMessage, shown
from nbchannels.names import require_group_name
from nbchannels.receipt import Receipt

__all__ = ["LEVELS", "LONGEST", "NOTIFICATION", "anotify", "notify"]

#: The type of the message.
NOTIFICATION = "nbchannels.notification"
LEVELS = ("info", "success", "warning", "error")
#: Characters of a text; a page shows the first 140 of them at once.
LONGEST = 2_000


def notify(group: str | Group, text: str, level: str = "info", **details: Any) -> Receipt:
    """Tell those who watch a group something, in a sentence.

    In JupyterLab and Notebook 7 it is a notification on each page with a view of the group, unless
    its reader has turned them off (the setting ``notifications`` of Channels). It is shown as text.
    What comes fast is held back for some seconds and counted. All other readers of the group get
    the message ``{"type": "nbchannels.notification", "text": …, "level": …}``.

    Args:
        group: its name, or a `Group`.
        text: the sentence, of at most 2,000 characters.
        level: ``"info"``, ``"success"``, ``"warning"`` or ``"error"``.
        details: further fields of the message, for those who read it.

    Raises:
        InvalidMessage: the text or the level cannot be; nothing was sent.
        ChannelsError: as `Group.send`.
    """
    found, content = _notification(group, text, level, details)
    return found.send(content)


async def anotify(group: str | Group, text: str, level: str = "info", **details: Any) -> Receipt:
    """The async twin of `notify`."""
    found, content = _notification(group, text, level, details)
    return await found.asend(content)


def _notification(
    group: str | Group, text: Any, level: Any, details: dict[str, Any]
) -> tuple[Group, dict[str, Any]]:
    found = group if isinstance(group, Group) else Group(require_group_name(group))
    if not isinstance(text, str) or not text.strip():
        raise InvalidMessage(f"notify({found.name!r}, {shown(text)}): text is a sentence")
    if len(text) > LONGEST:
        raise InvalidMessage(
            f"notify({found.name!r}): the text has {len(text):,} characters, the limit is "
            f"{LONGEST:,}; send the rest as a field: details={{...}}"
        )
    if level not in LEVELS:
        raise InvalidMessage(
            f"notify({found.name!r}): level is {shown(level)}; it is one of {', '.join(LEVELS)}"
        )
    return found, {**details, "type": NOTIFICATION, "text": text, "level": level}
