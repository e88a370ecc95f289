"""Sentences for those who watch a group."""

import pytest

from nbchannels.bridges.notices import anotify, notify
from nbchannels.exceptions import InvalidMessage, InvalidName


def test_it_is_a_message_of_the_group(group):
    receipt = notify(group, "the training has ended", "success", epochs=5, type="mine")
    assert receipt.offset == 1
    (message,) = group.history()
    assert dict(message.content) == {
        "type": "nbchannels.notification",
        "text": "the training has ended",
        "level": "success",
        "epochs": 5,
    }


@pytest.mark.asyncio
async def test_from_a_coroutine(group):
    assert (await anotify(group, "it goes on")).offset == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("",), "text is a sentence"),
        ((5,), r"notify\('run', an int: 5\): text is a sentence"),
        (("a" * 2001,), "the text has 2,001 characters, the limit is 2,000"),
        (("a", "loud"), "level is a str: 'loud'; it is one of info, success, warning, error"),
    ],
)
def test_what_cannot_be_is_told(group, arguments, said):
    with pytest.raises(InvalidMessage, match=said):
        notify(group, *arguments)
    assert group.history() == []
    with pytest.raises(InvalidName):
        notify("my run", "text")
