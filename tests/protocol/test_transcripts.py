"""The client session holds to the transcripts that both languages share."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from nbchannels.protocol.client import ClientSession
from nbchannels.protocol.codec import decode_records, encode_record
from nbchannels.protocol.events import (
    DELIVERY,
    ENTRY,
    MESSAGE,
    PUBLISH,
    RECEIPT_WANTED,
    REDELIVERED,
    RETRIED,
    SEND,
    Event,
    Position,
    Record,
    Since,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "v1"
CASES = json.loads((VECTORS / "client.json").read_text())["cases"]
KINDS = {
    "PUBLISH": PUBLISH,
    "SEND": SEND,
    "MESSAGE": MESSAGE,
    "DELIVERY": DELIVERY,
    "ENTRY": ENTRY,
}
CODECS = ["raw", "json", "msgpack", "arrow"]
FLAGS = {"redelivered": REDELIVERED, "retried": RETRIED, "receipt": RECEIPT_WANTED}


def record_from(vector: dict[str, Any]) -> Record:
    return Record(
        KINDS[vector["kind"]],
        CODECS.index(vector.get("codec", "raw")),
        sum(FLAGS[flag] for flag in vector.get("flags", [])),
        vector.get("name", ""),
        vector.get("id", 0),
        vector.get("tag", 0),
        vector.get("sequence", 0),
        vector.get("time", 0.0),
        vector.get("sender", 0),
        vector.get("body", "").encode(),
    )


def plain(record: Record) -> tuple[Any, ...]:
    return (*record[:9], bytes(record.body))


def event_as_dict(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = {"event": event.name}
    match event.name:
        case "welcomed":
            found |= {"server": event.control.server, "connection": event.control.connection}
            if event.control.layer.get("trouble") is not None:
                found["trouble"] = event.control.layer["trouble"]
        case "subscribed":
            found["group"] = event.subject.group
            for field in ("epoch", "offset", "top", "recovered", "reason", "cleared", "lost"):
                found[field] = getattr(event.control, field)
        case "message":
            found["group"] = event.subject.group
            found |= {"offset": event.record.sequence, "body": bytes(event.record.body).decode()}
        case "gap":
            found["group"] = event.subject.group
            found |= {"from": event.control.first, "to": event.control.last}
            found["reason"] = event.control.reason
        case "accepted" | "rejected":
            found |= {"kind": event.subject.kind, "name": event.subject.name}
            found["sequence"] = event.subject.sequence
            if event.name == "accepted":
                found["receipt"] = event.detail
            else:
                found["code"] = event.detail["code"]
        case "result":
            found |= {"id": event.control.id, "value": event.control.value}
        case "entry":
            found |= {"id": event.record.id, "offset": event.record.sequence}
            found["body"] = bytes(event.record.body).decode()
        case "error":
            found |= {"id": event.control.id, "code": event.control.error["code"]}
        case "delivery":
            found |= {"channel": event.record.name, "lease": event.record.sequence}
            found["body"] = bytes(event.record.body).decode()
        case "unsubscribed":
            found["group"] = event.control.group
            found["code"] = event.control.error and event.control.error["code"]
        case "close":
            found |= dict(zip(("code", "reason"), event.detail, strict=True))
        case "goaway":
            found["spread"] = event.control.spread
        case "layer":
            found["trouble"] = event.control.trouble
        case other:
            pytest.fail(f"an event that the document does not know: {other}")
    return found


class Runner:
    """Plays the steps of one transcript against a session."""

    def __init__(self) -> None:
        self.session = ClientSession("script", "0.1.0", "0123456789abcdef0123456789abcdef")
        self.now = 0.0
        self.events: list[Event] = []
        self.published: dict[int, Any] = {}

    def step_now(self, now: float) -> None:
        self.now = now

    def step_state(self, state: str) -> None:
        assert self.session.state == state

    def step_call(self, call: list[Any]) -> None:
        name, arguments = call
        session = self.session
        match name:
            case "connected":
                session.connected(self.now)
            case "disconnected":
                self.events += session.disconnected()
            case "tick":
                self.events += session.tick(self.now)
            case "subscribe":
                begin = {}
                if "position" in arguments:
                    begin["position"] = Position(**arguments["position"])
                else:
                    begin["since"] = convert(arguments["since"], Since)
                session.subscribe(arguments["group"], mode=arguments["mode"], **begin)
            case "publish":
                outgoing = session.publish(
                    arguments["kind"],
                    arguments["name"],
                    CODECS.index(arguments["codec"]),
                    arguments["body"].encode(),
                    arguments["receipt"],
                )
                self.published[outgoing.sequence] = outgoing
            case "withdraw":
                session.withdraw(self.published[arguments["sequence"]])
            case "settle":
                session.settle([(lease, outcome) for lease, outcome in arguments["leases"]])
            case "unsubscribe" | "call" | "credit":
                getattr(session, name)(**arguments)
            case _:
                pytest.fail(f"no such call: {name}")

    def step_receives(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            data = json.dumps(record) if "op" in record else encode_record(record_from(record))
            self.events += self.session.receive(data, self.now)

    def step_sends(self, expected: list[dict[str, Any]]) -> None:
        found: list[Any] = []
        while (message := self.session.take()) is not None:
            if isinstance(message, str):
                found.append(json.loads(message))
            else:
                found.extend(plain(record) for record in decode_records(message))
        assert found == [r if "op" in r else plain(record_from(r)) for r in expected]

    def step_emits(self, expected: list[dict[str, Any]]) -> None:
        found = [event_as_dict(event) for event in self.events]
        self.events = []
        shown = [
            {key: value for key, value in event.items() if key in wanted}
            for event, wanted in zip(found, expected, strict=False)
        ]
        assert shown == expected
        assert len(found) == len(expected), found


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_transcript(case: dict[str, Any]) -> None:
    runner = Runner()
    for step in case["steps"]:
        for name, value in step.items():
            getattr(runner, f"step_{name}")(value)
