"""What jupyter_events is told: by its schemas, cut in bursts, without contents."""

import asyncio
import io
import json
import logging
import threading
from typing import Any

import jsonschema
import pytest
from jupyter_events import EventLogger

from nbchannels.server.events import BURST, SCHEMAS, Events
from nbchannels.server.host import Host
from tests.server.rig import Rig, say, turn


class Listening:
    """A rig whose events are kept."""

    def __init__(self, **layer: Any) -> None:
        self.now = 100.0
        self.rig = Rig(**layer)
        self.logger = EventLogger()
        self.stream = io.StringIO()
        self.logger.register_handler(logging.StreamHandler(self.stream))
        self.events = Events(self.logger, self.rig.hub, lambda: self.now)
        self.events.start()

    async def told(self) -> list[dict[str, Any]]:
        """What came since, each with its kind and valid by its schema."""
        await turn()
        self.events.tick()
        lines = self.stream.getvalue().splitlines()
        self.stream.truncate(0)
        self.stream.seek(0)
        found = []
        for line in lines:
            event = json.loads(line)
            kind = event["__schema__"].split("/")[-2]
            kept = {k: v for k, v in event.items() if not k.startswith("__") and k != "taskName"}
            jsonschema.validate(kept, SCHEMAS[kind])
            found.append({"kind of event": kind} | kept)
        return found


def test_the_schemas_are_jupyters():
    logger = EventLogger()
    for schema in SCHEMAS.values():
        jsonschema.Draft7Validator.check_schema(schema)
        logger.register_event_schema(schema)
    assert set(logger.schemas.schema_ids) == {
        f"https://events.jupyter.org/nbchannels/{kind}/v1" for kind in SCHEMAS
    }


@pytest.mark.asyncio
async def test_who_comes_and_goes():
    listening = Listening()
    connection, _ = await listening.rig.connect(kind="kernel", label="a.ipynb")
    connection.left()
    came, went = await listening.told()
    key = connection.client.key
    about = {"client": key, "kind": "kernel", "user": "Ada", "label": ""}
    assert came == {"kind of event": "client", "action": "connected"} | about
    assert went["action"] == "disconnected"
    assert went["client"] == key


@pytest.mark.asyncio
async def test_consumers_and_what_they_fail_on():
    listening = Listening()
    connection, _ = await listening.rig.connect(kind="kernel")
    await say(
        connection, op="call", id=1, method="consume",
        arguments={"number": 1, "binding": {"channel": "work"}, "function": "job"},
    )  # fmt: skip
    await listening.rig.layer.send("work", {"secret": "s3cret"})
    await turn()
    ((number, _),) = connection.client.leases.items()
    await say(
        connection, op="settle", leases=[[number, "fail"]],
        errors=[[number, {"error": "ValueError: s3cret", "traceback": "s3cret"}]],
    )  # fmt: skip
    told = [event for event in await listening.told() if event["kind of event"] != "client"]
    assert [(event["kind of event"], event["action"]) for event in told] == [
        ("consumer", "registered"),
        ("consumer", "failed"),
        ("dead_letter", "buried"),
    ]
    assert told[0]["channel"] == told[1]["channel"] == told[2]["channel"] == "work"
    assert told[1]["consumer"].startswith("job of")
    assert (told[2]["number"], told[2]["reason"]) == (1, "failed")
    assert "s3cret" not in json.dumps(told)


@pytest.mark.asyncio
async def test_groups_that_are_cleared():
    listening = Listening()
    await listening.rig.layer.clear("index")
    await listening.rig.layer.flush()
    told = await listening.told()
    assert [(event["action"], event["group"]) for event in told] == [
        ("cleared", "index"),
        ("flushed", ""),
    ]


@pytest.mark.asyncio
async def test_what_expires_is_told_at_the_next_tick():
    now = 100.0
    listening = Listening(clock=lambda: now)
    await listening.rig.layer.send("work", {"n": 1})
    assert await listening.told() == []
    now += 61
    listening.rig.layer.sweep()
    (event,) = await listening.told()
    assert (event["reason"], event["channel"], event["consumer"]) == ("expired", "work", "")
    assert await listening.told() == []


@pytest.mark.asyncio
async def test_a_burst_is_cut_and_the_rest_is_counted():
    listening = Listening()
    for _ in range(BURST + 30):
        await listening.rig.layer.clear("index")
    assert len(await listening.told()) == BURST
    listening.now += 1.0
    await listening.rig.layer.clear("index")
    (event,) = await listening.told()
    assert event["skipped"] == 30
    await listening.rig.layer.clear("index")
    (event,) = await listening.told()
    assert "skipped" not in event


@pytest.mark.asyncio
async def test_a_thousand_dead_letters_at_once_are_counted():
    now = 100.0
    listening = Listening(clock=lambda: now, capacity=2_000)
    for n in range(1_500):
        await listening.rig.layer.send("work", {"n": n})
    now += 61
    listening.rig.layer.sweep()
    told = await listening.told()
    assert [event["number"] for event in told] == list(range(1_451, 1_501))
    assert sum(event.get("skipped", 0) for event in told) == 1_450


@pytest.mark.asyncio
async def test_from_any_thread_on_the_servers_loop():
    listening = Listening()
    heard = asyncio.Event()
    threads = []

    async def listener(logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        threads.append(threading.current_thread())
        heard.set()

    listening.logger.add_listener(schema_id=SCHEMAS["group"]["$id"], listener=listener)
    await asyncio.to_thread(asyncio.run, listening.rig.layer.clear("index"))
    async with asyncio.timeout(5):
        await heard.wait()
    assert threads == [threading.current_thread()]


@pytest.mark.asyncio
async def test_a_handler_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture):
    listening = Listening()

    def broken(schema_id: str, data: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("broken")

    listening.logger.add_modifier(modifier=broken)
    for _ in range(3):
        await listening.rig.layer.clear("index")
    await turn()
    assert caplog.text.count("could not be emitted; said once") == 1


@pytest.mark.asyncio
async def test_texts_are_cut():
    listening = Listening()
    listening.events.note("group", "cleared", group="g" * 1_000)
    (event,) = await listening.told()
    assert len(event["group"]) == 200


async def test_the_server_has_them(jp_serverapp: Any, host: Host):
    (extension,) = jp_serverapp.extension_manager.extension_apps["nbchannels"]
    await extension._start_jupyter_server_extension(jp_serverapp)
    logger = jp_serverapp.event_logger
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def listener(logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        heard.put_nowait(data)

    for schema in SCHEMAS.values():
        assert schema["$id"] in logger.schemas
        logger.add_listener(schema_id=schema["$id"], listener=listener)
    await host.layer.clear("index")
    async with asyncio.timeout(5):
        assert await heard.get() == {"action": "cleared", "group": "index"}
    Events(logger, host.hub).start()  # again, on the same logger
    await extension.stop_extension()
    assert host.layer.witness is None
    assert host.hub.notice is None
