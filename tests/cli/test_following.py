"""``tail``, against a real server and against one whose answers are known."""

import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from nbchannels.bridge import bridge
from nbchannels.cli.following import Filters, follow, told
from nbchannels.exceptions import LayerUnavailable, PermissionDenied
from nbchannels.kernel.layer import KernelChannelLayer
from tests.cli.conftest import Written

EMPTY = {"top": 0, "missed": 0, "rows": []}


def row(number: int, **more: Any) -> list[Any]:
    values = {"message": {"n": number}, "omitted": None, "name": "index"} | more
    return [
        number, "group", values["name"], 1_000.25, 1, 8, "json", number, values["message"],
        values["omitted"],
    ]  # fmt: skip


class Answers:
    """A layer whose connection gives these answers, one by one."""

    def __init__(self, *answers: Any, top: int = 0) -> None:
        self.connection = self
        self.reconnects = 0
        self.answers = list(answers)
        self.top = top
        self.asked: list[dict[str, Any]] = []

    async def call(self, method: str, arguments: dict[str, Any]) -> Any:
        if method == "tail":
            return {"top": self.top}
        self.asked.append(arguments)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer(self)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def followed(layer: Any, out: Written, most: int, **more: Any) -> None:
    follow(layer, out, more.pop("filters", Filters()), most=most, pause=0.001, **more)


def test_messages_are_shown_and_control_nothing(layer: KernelChannelLayer, out: Written):
    sender = threading.Thread(target=_send_until, args=(layer, out), daemon=True)
    sender.start()
    followed(layer, out, 2, filters=Filters(name="evil.*"))
    out.done = True
    sender.join(10)
    first, second = out.text.splitlines()
    assert first.isprintable()
    assert "evil.group #" in first
    assert r"\u001b[2J \u202e" in first
    assert first.split()[1] == second.split()[1] == "group"


def _send_until(layer: KernelChannelLayer, out: Any) -> None:
    while not getattr(out, "done", False):
        bridge.run(layer.group_send("evil.group", {"text": "\x1b[2J \u202e"}), 5)
        bridge.run(layer.group_send("good.group", {"text": "fine"}), 5)
        time.sleep(0.01)


def test_it_goes_on_after_what_was_told(out: Written):
    layer = Answers(
        {"top": 7, "missed": 0, "rows": [row(6), row(7)]},
        {"top": 7, "missed": 0, "rows": []},
        {"top": 9, "missed": 0, "rows": [row(9)]},
        top=5,
    )
    followed(layer, out, 3, filters=Filters("in*", "n", "group"))
    assert [asked["after"] for asked in layer.asked] == [5, 7, 7]
    assert layer.asked[0] == {
        "after": 5, "limit": 50, "oldest_first": True, "name": "in*", "text": "n", "kind": "group",
    }  # fmt: skip
    assert [line.split("  ")[-1] for line in out.text.splitlines()] == [
        '{"n": 6}',
        '{"n": 7}',
        '{"n": 9}',
    ]


def test_what_is_missing_is_said_at_its_place(out: Written):
    layer = Answers({"top": 1_300, "missed": 1_234, "rows": [row(1_300)]})
    followed(layer, out, 1, json=True)
    missing, message = map(json.loads, out.text.splitlines())
    assert missing == {"missed": "1,234 messages went by too fast and are missing here"}
    assert (message["number"], message["message"]) == (1_300, {"n": 1_300})
    assert out.complaints == f"nbchannels: {missing['missed']}\n"


def test_a_lost_connection_is_said(out: Written):
    def reconnected(layer: Answers) -> Any:
        layer.reconnects += 1
        return {"top": 2, "missed": 0, "rows": [row(2)]}

    away = LayerUnavailable("no answer within 10 s")
    layer = Answers({"top": 1, "missed": 0, "rows": [row(1)]}, away, away, reconnected)
    followed(layer, out, 2)
    assert out.complaints.splitlines() == [
        "nbchannels: no answer within 10 s; waiting",
        "nbchannels: the connection was lost; what was sent meanwhile may be missing here",
    ]


def test_a_server_that_was_started_again_counts_anew(out: Written):
    layer = Answers(
        {"top": 2, "missed": 0, "rows": []}, {"top": 2, "missed": 0, "rows": [row(2)]}, top=900
    )
    followed(layer, out, 1)
    assert [asked["after"] for asked in layer.asked] == [900, 0]


def test_a_refusal_ends_it(out: Written):
    with pytest.raises(PermissionDenied):
        followed(Answers(PermissionDenied("you may not")), out, 1)


def test_what_cannot_be_shown_says_why():
    out: Any = SimpleNamespace(paint=lambda text, style: text)
    line = told(
        dict(
            zip(
                ("number", "kind", "name", "time", "bytes", "offset", "message", "omitted"),
                (1, "channel", "work", 1.0, 2_048, None, None, "Arrow \x1b"),
                strict=True,
            )
        ),
        out,
    )
    assert line.endswith(r"work                        2.0 KiB  (Arrow \x1b)")
