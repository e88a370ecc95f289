"""What pages are told of problems without asking: when, how often, and by whom it can be read."""

import asyncio
import json
from typing import Any

import pytest

from nbchannels.decoding import decode
from nbchannels.diagnoses import Diagnosis
from nbchannels.layers import survey
from nbchannels.names import PROBLEMS
from nbchannels.protocol.events import MESSAGE
from nbchannels.server.policy import KernelUser, Policy
from nbchannels.server.problems import MOST_TEXT, Problems
from nbchannels.server.tail import Tail
from tests.server.rig import Rig, publish, say, turn

pytestmark = pytest.mark.asyncio


def problems(rig: Rig) -> Problems:
    return Problems(rig.hub, rig.policy.permits)


async def entries(rig: Rig) -> list[dict[str, Any]]:
    page = await rig.layer.read(PROBLEMS)
    return [decode(record.codec, record.body) for record in page.records]


async def call(connection, transport, method, **arguments):
    transport.take()
    await say(connection, op="call", id=1, method=method, arguments=arguments)
    (found,) = (
        item for item in transport.take() if isinstance(item, dict) and item["op"] != "accepted"
    )
    return found.get("value", found.get("error"))


async def test_nothing_is_told_while_nothing_happens():
    rig = Rig()
    told = problems(rig)
    await rig.layer.group_send("index", {"y": 1})
    assert [told.tick() for _ in range(3)] == [False, False, False]
    assert not survey.has_history(rig.layer, PROBLEMS)
    assert PROBLEMS not in rig.layer._registry.groups  # and nothing was begun by looking


async def test_what_happened_between_two_ticks_is_told_once():
    rig = Rig()
    connection, transport = await rig.connect()
    told = problems(rig)
    for n in range(50):
        await call(connection, transport, "report", kind="no-handler", sentence=f"no handler {n}")
    assert [told.tick(), told.tick()] == [True, False]
    (entry,) = await entries(rig)
    assert (entry["diagnoses"], entry["dead"], entry["failed"]) == (50, 0, 0)
    assert entry["news"] == {
        "kind": "no-handler", "name": "", "who": "user:ada", "sentence": "no handler 49",
    }  # fmt: skip


async def test_a_repetition_is_told_but_is_no_news():
    rig = Rig()
    told = problems(rig)
    for count in (1, 2):
        rig.hub.diagnoses.note_own(Diagnosis("slow-filter", "slow", count=count))
        assert told.tick()
    first, second = await entries(rig)
    assert first["news"]["sentence"] == "slow"
    assert (second["diagnoses"], second["news"]) == (1, None)


async def test_a_dead_letter_is_told_and_one_that_is_discarded_too():
    rig = Rig()
    connection, transport = await rig.connect()
    told = problems(rig)
    rig.layer._bury("work", await letter(rig), "failed", "e" * 1000, "", "measure")
    assert told.tick()
    await call(connection, transport, "discard", number=1)
    assert told.tick()
    first, second = await entries(rig)
    assert first["dead"] == 1
    assert first["news"] == {
        "kind": "failed", "name": "work", "who": "measure", "sentence": "e" * MOST_TEXT,
    }  # fmt: skip
    assert (second["dead"], second["news"]) == (0, None)


async def letter(rig: Rig) -> Any:
    await rig.layer.send("work", {"n": 1, "password": "secret"})
    return rig.layer._registry.mailboxes["work"].letters.popleft()


async def test_channels_that_nobody_may_read_are_left_out():
    rig = Rig()
    rig.policy.denied.add(("read", "work"))
    told = problems(rig)
    rig.layer._bury("work", await letter(rig), "failed", "no", "", "")
    told.tick()
    (entry,) = await entries(rig)
    assert (entry["dead"], entry["news"]) == (0, None)


async def test_after_everything_was_flushed_it_is_told_how_it_stands():
    rig = Rig()
    told = problems(rig)
    rig.hub.diagnoses.note_own(Diagnosis("slow-filter", "slow"))
    told.tick()
    await rig.layer.flush()
    assert await entries(rig) == []
    assert [told.tick(), told.tick()] == [True, False]
    (entry,) = await entries(rig)
    assert entry["diagnoses"] == 1


async def test_who_was_sent_to_and_is_there_now_is_a_problem_no_more():
    rig = Rig()
    connection, transport = await rig.connect()
    told = problems(rig)
    for kind, name in (("group", "index"), ("group", "other"), ("channel", "work")):
        await call(
            connection, transport, "report", kind="nobody-listens", sentence=f"no one: {name}",
            subject=f"{kind} {name}",
        )  # fmt: skip
    told.tick()
    cursor = rig.layer.cursor("index")
    waiting = asyncio.create_task(rig.layer.receive("work"))
    await turn()
    assert told.tick()
    assert [entry["diagnoses"] for entry in await entries(rig)] == [3, 1]
    assert [d["subject"] for d in rig.hub.diagnoses.newest()] == ["group other"]
    assert "other" not in rig.layer._registry.groups  # looking began nothing
    waiting.cancel()
    cursor.close()


async def test_a_diagnosis_is_dismissed():
    rig = Rig()
    connection, transport = await rig.connect()
    told = problems(rig)
    rig.hub.diagnoses.note_own(Diagnosis("a", "x"))
    rig.hub.diagnoses.note_own(Diagnosis("b", "y"))
    told.tick()
    number = rig.hub.diagnoses.newest()[0]["number"]
    assert await call(connection, transport, "dismiss", number=number) is None
    assert [d["kind"] for d in rig.hub.diagnoses.newest()] == ["a"]
    assert told.tick()
    assert [entry["diagnoses"] for entry in await entries(rig)] == [2, 1]
    for wrong in (number, 0, "1", True, None):
        found = await call(connection, transport, "dismiss", number=wrong)
        assert found["code"] == "not_found"
    rig.policy.denied.add(("write", ""))
    connection.rights._until.clear()
    found = await call(connection, transport, "dismiss", number=1)
    assert found["code"] == "forbidden"


async def test_its_own_words_are_no_traffic():
    rig = Rig()
    connection, transport = await rig.connect()
    await say(connection, op="subscribe", group=PROBLEMS, mode="latest", since="now", id=1)
    await publish(connection, "index", 1)
    await call(connection, transport, "tail", on=True)
    before = await rig.layer.statistics()
    told = problems(rig)
    rig.hub.diagnoses.note_own(Diagnosis("slow-filter", "slow"))
    assert told.tick()
    assert not told.tick()  # its own entry is no reason for another
    await turn()
    assert [r.kind for r in transport.take() if not isinstance(r, dict)] == [MESSAGE]
    after = await rig.layer.statistics()
    for total in ("group_sent", "groups"):
        assert after[total] == before[total] == 1
    assert [row[0] for row in survey.groups(rig.layer)] == ["index"]
    assert (await rig.layer.names())["groups"] == ["index"]
    assert (await call(connection, transport, "tail_read"))["rows"] == []
    (row,) = (await call(connection, transport, "inspect", panel="clients"))["rows"]
    assert (row[6], row[13]) == (0, [])
    assert connection.describe()["groups"] == []


async def test_who_may_look_may_read_it_and_nobody_may_write_it():
    """Rules on names do not take from a reader what the inspector shows anyway."""

    class Authorizer:
        def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
            return user == "reader" and action == "read"

    policy = Policy(Authorizer(), {"*": "write"})
    for user in ("reader", "stranger", None):
        may_look = await policy.allows(user, "read", "server", "")
        assert await policy.allows(user, "read", "group", PROBLEMS) is may_look
    assert not await policy.allows("reader", "read", "group", "index")
    open_to_all = Policy()
    for user in ("ada", KernelUser("k")):
        assert await open_to_all.allows(user, "read", "group", PROBLEMS)
        assert not await open_to_all.allows(user, "write", "group", PROBLEMS)
    assert not open_to_all.permits("write", "channel", PROBLEMS)


@pytest.mark.parametrize(("redact", "hidden"), [([], False), (["pass*"], True)])
async def test_a_dead_letter_shows_what_is_in_it(redact, hidden):
    rig = Rig()
    rig.hub.tail = Tail(redact)
    connection, transport = await rig.connect()
    rig.layer._bury("work", await letter(rig), "failed", "no", "", "")
    found = await call(connection, transport, "inspect_dead", number=1)
    assert found["message"] == {"n": 1, "password": "•••" if hidden else "secret"}
    assert ("secret" in json.dumps(found)) is not hidden
    assert (found["hex"] == "") is hidden
    missing = await call(connection, transport, "inspect_dead", number=2)
    assert missing["code"] == "not_found"
    rig.policy.denied.add(("read", "work"))
    connection.rights._until.clear()
    found = await call(connection, transport, "inspect_dead", number=1)
    assert found["code"] == "forbidden"


async def test_all_diagnoses_are_dismissed_at_once():
    rig = Rig()
    connection, transport = await rig.connect()
    rig.hub.diagnoses.note_own(Diagnosis("a", "x"))
    rig.hub.diagnoses.note_own(Diagnosis("b", "y"))
    assert await call(connection, transport, "dismiss", all=True) is None
    assert rig.hub.diagnoses.newest() == []
