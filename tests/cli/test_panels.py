"""What is known of the server, from its answers."""

from typing import Any

import pytest

from nbchannels.bridge import bridge
from nbchannels.cli.panels import FIELDS, PANELS, Looker
from nbchannels.kernel.layer import KernelChannelLayer


class Answers:
    """A connection that knows what is answered."""

    def __init__(self) -> None:
        self.reconnects = 0
        self.time = 100.0
        self.groups: list[dict[str, Any]] = []
        self.asked: list[bool] = []
        self.lost_at: int | None = None
        self.statistics = {"sent": 0, "group_sent": 0}

    def rows(self, *rows: list[Any], gone: tuple[str, ...] = (), more: bool = False) -> None:
        self.groups.append({"rows": list(rows), "gone": list(gone), "more": more})

    async def call(self, method: str, arguments: dict[str, Any]) -> Any:
        if method == "inspect_layer":
            return {"statistics": self.statistics}
        if arguments["panel"] != "groups":
            return {"time": self.time, "rows": [], "gone": [], "more": False}
        self.asked.append(arguments["reset"])
        if self.lost_at == len(self.asked):
            self.reconnects += 1
        answer = self.groups.pop(0) if self.groups else {"rows": [], "gone": [], "more": False}
        return answer | {"time": self.time}


def group(name: str, offset: int, epoch: str = "e") -> list[Any]:
    return [name, offset, offset, 10 * offset, 0, 0, 100.0, epoch]


def names(found: dict[str, Any]) -> list[str]:
    return sorted(row["name"] for row in found["groups"])


@pytest.mark.asyncio
async def test_changes_are_kept_and_more_is_asked_for():
    answers = Answers()
    looker = Looker(answers)
    answers.rows(group("a", 1), more=True)
    answers.rows(group("b", 1), group("nbchannels.view.x", 1))
    assert names(await looker.rows(["groups"])) == ["a", "b"]
    answers.rows(group("a", 2), gone=("b",))
    (row,) = (await looker.rows(["groups"]))["groups"]
    assert (row["name"], row["offset"]) == ("a", 2)
    assert answers.asked == [True, False, False]


@pytest.mark.asyncio
async def test_reserved_names_on_request():
    answers = Answers()
    answers.rows(group("nbchannels.view.x", 1))
    assert names(await Looker(answers, show_all=True).rows(["groups"])) == ["nbchannels.view.x"]


@pytest.mark.asyncio
async def test_after_a_reconnect_all_is_asked_anew():
    answers = Answers()
    looker = Looker(answers)
    answers.rows(group("a", 1), group("b", 1))
    await looker.rows(["groups"])
    answers.lost_at = 2  # the answer to this question is a part only
    answers.rows(group("c", 1))
    answers.rows(group("a", 1), group("c", 1))
    assert names(await looker.rows(["groups"])) == ["a", "c"]
    assert answers.asked == [True, False, True]


@pytest.mark.asyncio
async def test_rates():
    answers = Answers()
    looker = Looker(answers)
    answers.rows(group("a", 100), group("b", 5))
    first = await looker.look()
    assert first.rate is None
    assert [row["rates"] for row in first.rows["groups"]] == [[], []]
    answers.time += 2.0
    answers.statistics = {"sent": 4, "group_sent": 40}
    answers.rows(group("a", 140), group("new", 6))
    look = await looker.look()
    assert look.rate == 22.0
    assert {row["name"]: row["rate"] for row in look.rows["groups"]} == {"a": 20, "b": 0, "new": 3}
    answers.time += 1.0
    answers.rows(group("a", 7, epoch="other"))  # cleared: its numbers begin anew
    look = await looker.look()
    assert {row["name"]: row["rates"] for row in look.rows["groups"]} == {
        "a": [20, 7],
        "b": [0, 0],
        "new": [3, 0],
    }


def test_the_fields_are_the_servers(layer: KernelChannelLayer):
    """The server's rows have as many values as are named here, of the right kinds."""
    bridge.run(layer.group_send("fields", {"y": 1}))
    bridge.run(layer.send("work", {"n": 1}))
    consumer = {"number": 1, "binding": {"channel": "other"}, "function": "job", "on": "thread"}
    bridge.run(layer.connection.call("consume", consumer))
    for panel in PANELS:
        asked = {"panel": panel, "reset": True}
        answer = bridge.run(layer.connection.call("inspect", asked), 10)
        assert answer["rows"]
        assert {len(row) for row in answer["rows"]} == {len(FIELDS[panel])}
    look = bridge.run(Looker(layer.connection).look(), 10)
    (row,) = [row for row in look.rows["groups"] if row["name"] == "fields"]
    assert (row["offset"], row["subscribers"]) == (1, 0)
    (row,) = look.rows["channels"]
    assert (row["name"], row["waiting"], row["receivers"]) == ("work", 1, 0)
    (row,) = look.rows["consumers"]
    assert (row["channel"], row["function"], row["failed"]) == ("other", "job", 0)
    (row,) = [row for row in look.rows["clients"] if row["connected"]]
    assert (row["kind"], row["label"], row["consumers"]) == ("script", "a test", 1)
