"""The schemas of the REST API: what its answers and bodies are."""

import sys
from typing import Any

from nbchannels.names import MAX_NAME_LENGTH
from nbchannels.server.host import Limits

__all__ = ["CHANNEL", "COUNT", "GROUP", "Schema", "ref", "schemas"]

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_EPOCH: Schema = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH - 1}
GROUP: Schema = _NAME | {"pattern": "^[A-Za-z0-9_.-]+$"}
CHANNEL: Schema = _NAME | {"pattern": "^[A-Za-z0-9_.-]+(![A-Za-z0-9_.-]*)?$"}


def ref(name: str) -> Schema:
    """A reference to the schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**fields: Schema) -> Schema:
    """An object that has exactly these fields."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


_RECEIPT: dict[str, Schema] = {
    "kind": {"enum": ["group", "channel"]},
    "name": CHANNEL,
    "members": _COUNT_OR_NULL,
    "subscribers": _COUNT_OR_NULL,
    "dropped": COUNT,
    "epoch": {"type": ["string", "null"]},
    "offset": _COUNT_OR_NULL,
    "tag": _COUNT_OR_NULL,
    "meaning": {"enum": ["memory", "primary", "replicas", "foreign"]},
    "duplicate": _FLAG,
    "hint": _TEXT_OR_NULL,
}
_HELD: dict[str, Schema] = {
    "members": COUNT,
    "subscribers": COUNT,
    "messages": COUNT,
    "bytes": COUNT,
    "epoch": _EPOCH,
    "offset": COUNT,
}


_SECONDS: Schema = {"type": "number", "minimum": 0}
_DEPTH: dict[str, Schema] = {
    "waiting": COUNT,
    "bytes": COUNT,
    "oldest": _SECONDS,
    "capacity": COUNT,
    "expiry": _SECONDS,
    "receivers": COUNT,
    "recent": _FLAG,
    "sent": COUNT,
    "received": COUNT,
    "dropped": COUNT,
    "expired": COUNT,
}
#: Of a consumer in a kernel more is known than of one on the server.
_CONSUMER: Schema = {
    "type": "object",
    "properties": {
        "channel": _TEXT,
        "filters": _list(_list(_TEXT)),
        "client": _TEXT,
        "where": {"enum": ["page", "kernel", "script", "server"]},
        "connected": _FLAG,
        "number": COUNT,
        "function": _TEXT,
        "on": _TEXT,
        "error": _TEXT,
        "slowest": _SECONDS,
    }
    | dict.fromkeys(("held", "credit", "taken", "done", "failed", "later", "returned"), COUNT),
    "required": ["channel", "filters", "client", "where", "connected", "number", "error"],
}
_DEAD_LETTER: dict[str, Schema] = {
    "number": COUNT,
    "channel": CHANNEL,
    "reason": {"enum": ["expired", "failed", "retries", "returns"]},
    "error": _TEXT,
    "traceback": _TEXT,
    "consumer": _TEXT,
    "time": {"type": "number"},
    "sent": {"type": "number"},
    "retries": COUNT,
    "returns": COUNT,
    "bytes": COUNT,
    "codec": {"enum": ["raw", "json", "msgpack", "arrow"]},
    "message": {"type": ["object", "null"]},
    "omitted": _TEXT_OR_NULL,
}
#: Of members the channel is told.
_PRESENT: Schema = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["page", "kernel", "script", "channel", "others"]},
        "user": _TEXT,
        "label": _TEXT_OR_NULL,
        "connection": _COUNT_OR_NULL,
        "since": {"type": ["number", "null"]},
        "here": {"type": "boolean"},
        "as": {"enum": ["subscriber", "member"]},
        "channel": CHANNEL,
    },
    "required": ["kind", "user", "label", "connection", "since", "here", "as"],
    "additionalProperties": False,
}
_PASSED: dict[str, Schema] = {
    "number": COUNT,
    "kind": {"enum": ["group", "channel"]},
    "name": CHANNEL,
    "time": {"type": "number"},
    "sender": COUNT,
    "bytes": COUNT,
    "codec": {"enum": ["raw", "json", "msgpack", "arrow"]},
    "offset": _COUNT_OR_NULL,
    "message": {"type": ["object", "null"]},
}
_DIAGNOSIS: dict[str, Schema] = {
    "number": COUNT,
    "kind": _TEXT,
    "sentence": _TEXT,
    "subject": _TEXT,
    "detail": _TEXT,
    "client": _TEXT,
    "where": {"enum": ["page", "kernel", "script", "server"]},
    "count": COUNT,
    "first": {"type": "number"},
    "time": {"type": "number"},
}


def schemas(limits: Limits) -> Schema:
    """The schemas by their names.

    Args:
        limits: of the server.
    """
    counters = {"type": "object", "additionalProperties": COUNT}
    channel = _object(name=CHANNEL, process_local=_FLAG, **_DEPTH)
    message = {"type": "object", "additionalProperties": ref("Value")}
    return {
        "Error": _object(
            error={
                "type": "object",
                "properties": {"code": _TEXT, "message": _TEXT, "temporary": _FLAG},
                "required": ["code", "message", "temporary"],
            }
        ),
        # What JSON says and a message can hold: integers have 64 bits at most.
        "Value": {
            "anyOf": [
                {"type": ["null", "boolean", "string"]},
                {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1},
                {"type": "number", "minimum": -sys.float_info.max, "maximum": sys.float_info.max},
                _list(ref("Value")),
                message,
            ]
        },
        "Message": message,
        "Body": {
            "anyOf": [
                ref("Message"),
                _list(ref("Message")) | {"minItems": 1, "maxItems": limits.batch},
            ]
        },
        "Receipt": _object(**_RECEIPT),
        "Sent": {
            "anyOf": [
                _object(**_RECEIPT, text=_TEXT),
                _object(receipts=_list(ref("Receipt")), count=COUNT, text=_TEXT),
            ]
        },
        "Status": _object(
            version=_TEXT,
            protocol={"const": "nbchannels.v1"},
            server={"type": "string", "pattern": "^[0-9a-f]{32}$"},
            uptime={"type": "number", "minimum": 0},
            layer=_object(alias=_TEXT, backend=_TEXT, trouble=_TEXT_OR_NULL),
            counts=_object(groups=COUNT, channels=COUNT, connections=COUNT, clients=COUNT),
        ),
        "Ticket": _object(ticket=_TEXT, expires=COUNT),
        "Group": _object(name=GROUP, **_HELD),
        "Groups": _object(groups=_list(ref("Group"))),
        "Cleared": _object(epoch=_EPOCH),
        "Entry": _object(
            offset=COUNT,
            tag=COUNT,
            time={"type": "number"},
            sender=COUNT,
            codec={"enum": ["raw", "json", "msgpack", "arrow"]},
            size=COUNT,
            message={"type": ["object", "null"]},
            omitted=_TEXT_OR_NULL,
        ),
        "Messages": _object(
            group=GROUP,
            epoch=_EPOCH,
            offset=COUNT,
            tag=COUNT,
            top=COUNT,
            recovered=_FLAG,
            reason={"enum": [None, "epoch", "trimmed", "tag"]},
            cleared=_FLAG,
            lost=_COUNT_OR_NULL,
            messages=_list(ref("Entry")),
            next=_TEXT,
        ),
        "Channel": channel,
        "Channels": _object(channels=_list(ref("Channel"))),
        "Emptied": _object(removed=COUNT),
        "Client": _object(
            key=_TEXT,
            kind={"enum": ["page", "kernel", "script"]},
            user=_TEXT,
            label=_TEXT_OR_NULL,
            connection=_COUNT_OR_NULL,
            channels=COUNT,
            leases=COUNT,
            consumers=COUNT,
            groups=_list(_TEXT),
            lag=COUNT,
            connected=_FLAG,
            since={"type": "number"},
            buffered=COUNT,
        ),
        "Disconnected": _object(disconnected=_TEXT),
        "Presence": _object(group=GROUP, presence=_list(_PRESENT)),
        "Layer": _object(
            alias=_TEXT,
            backend=_TEXT,
            where=_TEXT,
            shared=_FLAG,
            trouble=_TEXT_OR_NULL,
            version=_TEXT,
            uptime=_SECONDS,
            statistics=counters,
            connections=COUNT,
            clients=COUNT,
            hub=counters,
            capacity=counters,
            loop_delay=_SECONDS,
        ),
        "Tail": _object(
            top=COUNT, missed=COUNT, messages=_list(_object(**_PASSED, omitted=_TEXT_OR_NULL))
        ),
        "Passed": _object(
            message={"type": ["object", "null"]},
            omitted=_TEXT_OR_NULL,
            hex={"type": "string", "pattern": "^[0-9a-f]*$"},
        ),
        "Clients": _object(clients=_list(ref("Client"))),
        "Consumer": _CONSUMER,
        "Consumers": _object(consumers=_list(ref("Consumer"))),
        "DeadLetter": _object(**_DEAD_LETTER),
        "DeadLetters": _object(dead_letters=_list(ref("DeadLetter"))),
        "Discarded": _object(discarded=COUNT),
        "Diagnosis": _object(**_DIAGNOSIS),
        "Diagnoses": _object(diagnoses=_list(ref("Diagnosis"))),
        "Statistics": _object(layer=counters, connections=counters, tickets=counters),
        "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
    }
