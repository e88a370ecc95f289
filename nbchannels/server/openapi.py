"""``GET api/openapi.json``: the REST API in OpenAPI 3.1, and the words for people.

Each address and method of the route table has its `Operation` here; a test compares both ways.
"""

import re
import sys
from typing import Any, NamedTuple

from nbchannels.names import MAX_NAME_LENGTH
from nbchannels.server.host import Limits
from nbchannels.server.ingest import BODY_TYPES

__all__ = ["OPERATIONS", "Operation", "document"]

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_EPOCH: Schema = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH - 1}
_GROUP: Schema = _NAME | {"pattern": "^[A-Za-z0-9_.-]+$"}
_CHANNEL: Schema = _NAME | {"pattern": "^[A-Za-z0-9_.-]+(![A-Za-z0-9_.-]*)?$"}


class Operation(NamedTuple):
    """One method of one address.

    Attributes:
        summary: what it does.
        answer: the name of its answer's schema.
        statuses: of errors, beyond 400, 403 and 500.
        query: parameters, by name.
        takes: whether it takes messages.
    """

    summary: str
    answer: str
    statuses: tuple[int, ...] = ()
    query: dict[str, Schema] = {}
    takes: bool = False


#: By the path of the route table and the method.
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("api/status", "GET"): Operation("Who this server is, and what it holds", "Status"),
    ("api/ticket", "POST"): Operation(
        "A ticket for one WebSocket of a page: used once, within 30 seconds", "Ticket"
    ),
    ("api/groups", "GET"): Operation("The groups, the newest first, at most 500", "Groups"),
    ("api/groups/{name}", "GET"): Operation("The statistics of a group", "Group", (404,)),
    ("api/groups/{name}", "POST"): Operation(
        "Send to a group: an object is one message, an array many",
        "Sent",
        (413, 429, 503),
        takes=True,
    ),
    ("api/groups/{name}", "DELETE"): Operation(
        "Clear a group: its history is gone, its subscribers are told", "Cleared", (404,)
    ),
    ("api/groups/{name}/messages", "GET"): Operation(
        "Messages of a group's history, oldest first; go on with since=<next>",
        "Messages",
        (404,),
        {
            "since": {
                "type": "string",
                "default": "earliest",
                "pattern": (
                    "^(earliest|now|last:[0-9]{1,16}|[0-9A-Za-z]{1,64},[0-9]{1,16},[0-9]{1,16})$"
                ),
            },
            "limit": {"type": "integer", "minimum": 1, "maximum": 256, "default": 100},
        },
    ),
    ("api/channels", "GET"): Operation("The channels, the newest first, at most 500", "Channels"),
    ("api/channels/{name}", "GET"): Operation("What is known of a channel", "Channel", (404,)),
    ("api/channels/{name}", "POST"): Operation(
        "Send to a channel: each message goes to exactly one receiver",
        "Sent",
        (413, 429, 503),
        takes=True,
    ),
    ("api/channels/{name}", "DELETE"): Operation(
        "Empty a channel; a process-local one ends", "Emptied"
    ),
    ("api/clients", "GET"): Operation("Pages, kernels and scripts that are connected", "Clients"),
    ("api/consumers", "GET"): Operation("Who serves which channels", "Consumers"),
    ("api/dead-letters", "GET"): Operation(
        "Messages that nobody worked on, newest first",
        "DeadLetters",
        query={
            "channel": _CHANNEL,
            "limit": {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100},
        },
    ),
    ("api/dead-letters/{name}", "GET"): Operation(
        "One of them, with its traceback", "DeadLetter", (404,)
    ),
    ("api/dead-letters/{name}", "DELETE"): Operation("Forget it", "Discarded", (404,)),
    ("api/dead-letters/{name}/resend", "POST"): Operation(
        "Put it back into its channel, as if it were new", "Sent", (404, 429, 503)
    ),
    ("api/diagnoses", "GET"): Operation(
        "What went wrong in silence, here and in kernels, newest first, at most 500", "Diagnoses"
    ),
    ("api/statistics", "GET"): Operation("Counters of this server", "Statistics"),
    ("api/openapi.json", "GET"): Operation("This document", "Document"),
}

_SAID = {
    400: "Something in the request is wrong; the message says what, and what is right",
    403: "Not logged in, or without the right",
    404: "Nothing of this name is there",
    413: "A message or the body is over its limit",
    429: "A channel is full: it holds its capacity of messages that nobody has received",
    500: "An error in nbchannels itself",
    503: "The layer cannot take this now",
}


def document(base_url: str, version: str, limits: Limits) -> Schema:
    """The document of a server below ``base_url``."""
    paths: dict[str, Schema] = {}
    for (path, verb), operation in OPERATIONS.items():
        shown = "/" + path.removeprefix("api/")
        item = paths.setdefault(shown, _parameters(path))
        item[verb.lower()] = _described(path, verb, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nbchannels",
            "version": version,
            "summary": "Realtime channels for Jupyter over HTTP",
            "description": (
                "A body without a named codec is read as JSON, whatever its content type says. "
                f"A message is a JSON object of at most {limits.message:,} bytes; an array of at "
                f"most {limits.batch:,} objects is as many messages, all checked before the first "
                "is sent. Requests with Jupyter's token need no XSRF token; those with its cookie "
                "do."
            ),
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": f"{base_url.rstrip('/')}/nbchannels/api"}],
        "security": [{"token": []}, {"query": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(limits),
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "token <Jupyter's token>",
                },
                "query": {"type": "apiKey", "in": "query", "name": "token"},
            },
        },
    }


def _parameters(path: str) -> Schema:
    if "{name}" not in path:
        return {}
    kinds = {"groups": _GROUP, "channels": _CHANNEL, "dead-letters": _COUNT}
    schema = kinds[path.split("/")[1]]
    return {"parameters": [{"name": "name", "in": "path", "required": True, "schema": schema}]}


def _described(path: str, verb: str, operation: Operation) -> Schema:
    words = re.sub(r"\.json|-", "", path.removeprefix("api/").replace("{name}", "one")).split("/")
    described: Schema = {
        "operationId": "_".join([verb.lower(), *words]),
        "summary": operation.summary,
        "responses": {"200": _answer("The answer", operation.answer)}
        | {
            str(status): _answer(_SAID[status], "Error")
            for status in sorted({400, 403, 500, *operation.statuses})
        },
    }
    if operation.query:
        described["parameters"] = [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in operation.query.items()
        ]
    if operation.takes:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref("Body")}}
            | {kind: {"schema": {}} for kind in BODY_TYPES},
        }
    return described


def _answer(said: str, schema: str) -> Schema:
    return {"description": said, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(name: str) -> Schema:
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
    "name": _CHANNEL,
    "members": _COUNT_OR_NULL,
    "subscribers": _COUNT_OR_NULL,
    "dropped": _COUNT,
    "epoch": {"type": ["string", "null"]},
    "offset": _COUNT_OR_NULL,
    "tag": _COUNT_OR_NULL,
    "meaning": {"enum": ["memory", "primary", "replicas"]},
    "duplicate": _FLAG,
    "hint": _TEXT_OR_NULL,
}
_HELD: dict[str, Schema] = {
    "members": _COUNT,
    "subscribers": _COUNT,
    "messages": _COUNT,
    "bytes": _COUNT,
    "epoch": _EPOCH,
    "offset": _COUNT,
}


_SECONDS: Schema = {"type": "number", "minimum": 0}
_DEPTH: dict[str, Schema] = {
    "waiting": _COUNT,
    "bytes": _COUNT,
    "oldest": _SECONDS,
    "capacity": _COUNT,
    "expiry": _SECONDS,
    "receivers": _COUNT,
    "sent": _COUNT,
    "received": _COUNT,
    "dropped": _COUNT,
    "expired": _COUNT,
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
        "number": _COUNT,
        "function": _TEXT,
        "on": _TEXT,
        "error": _TEXT,
        "slowest": _SECONDS,
    }
    | dict.fromkeys(("held", "credit", "taken", "done", "failed", "later", "returned"), _COUNT),
    "required": ["channel", "filters", "client", "where", "connected", "number", "error"],
}
_DEAD_LETTER: dict[str, Schema] = {
    "number": _COUNT,
    "channel": _CHANNEL,
    "reason": {"enum": ["expired", "failed", "retries", "returns"]},
    "error": _TEXT,
    "traceback": _TEXT,
    "consumer": _TEXT,
    "time": {"type": "number"},
    "sent": {"type": "number"},
    "retries": _COUNT,
    "returns": _COUNT,
    "bytes": _COUNT,
    "codec": {"enum": ["raw", "json", "msgpack", "arrow"]},
    "message": {"type": ["object", "null"]},
    "omitted": _TEXT_OR_NULL,
}
_DIAGNOSIS: dict[str, Schema] = {
    "kind": _TEXT,
    "sentence": _TEXT,
    "subject": _TEXT,
    "detail": _TEXT,
    "client": _TEXT,
    "where": {"enum": ["page", "kernel", "script", "server"]},
    "count": _COUNT,
    "first": {"type": "number"},
    "time": {"type": "number"},
}


def _schemas(limits: Limits) -> Schema:
    counters = {"type": "object", "additionalProperties": _COUNT}
    channel = _object(name=_CHANNEL, process_local=_FLAG, **_DEPTH)
    message = {"type": "object", "additionalProperties": _ref("Value")}
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
                _list(_ref("Value")),
                message,
            ]
        },
        "Message": message,
        "Body": {
            "anyOf": [
                _ref("Message"),
                _list(_ref("Message")) | {"minItems": 1, "maxItems": limits.batch},
            ]
        },
        "Receipt": _object(**_RECEIPT),
        "Sent": {
            "anyOf": [
                _object(**_RECEIPT, text=_TEXT),
                _object(receipts=_list(_ref("Receipt")), count=_COUNT, text=_TEXT),
            ]
        },
        "Status": _object(
            version=_TEXT,
            protocol={"const": "nbchannels.v1"},
            server={"type": "string", "pattern": "^[0-9a-f]{32}$"},
            uptime={"type": "number", "minimum": 0},
            layer=_object(alias=_TEXT, backend=_TEXT),
            counts=_object(groups=_COUNT, channels=_COUNT, connections=_COUNT, clients=_COUNT),
        ),
        "Ticket": _object(ticket=_TEXT, expires=_COUNT),
        "Group": _object(name=_GROUP, **_HELD),
        "Groups": _object(groups=_list(_ref("Group"))),
        "Cleared": _object(epoch=_EPOCH),
        "Entry": _object(
            offset=_COUNT,
            tag=_COUNT,
            time={"type": "number"},
            sender=_COUNT,
            codec={"enum": ["raw", "json", "msgpack", "arrow"]},
            size=_COUNT,
            message={"type": ["object", "null"]},
            omitted=_TEXT_OR_NULL,
        ),
        "Messages": _object(
            group=_GROUP,
            epoch=_EPOCH,
            offset=_COUNT,
            tag=_COUNT,
            top=_COUNT,
            recovered=_FLAG,
            reason={"enum": [None, "epoch", "trimmed", "tag"]},
            cleared=_FLAG,
            lost=_COUNT_OR_NULL,
            messages=_list(_ref("Entry")),
            next=_TEXT,
        ),
        "Channel": channel,
        "Channels": _object(channels=_list(_ref("Channel"))),
        "Emptied": _object(removed=_COUNT),
        "Client": _object(
            kind={"enum": ["page", "kernel", "script"]},
            user=_TEXT,
            label=_TEXT_OR_NULL,
            connection=_COUNT_OR_NULL,
            channels=_COUNT,
            leases=_COUNT,
            consumers=_COUNT,
            groups=_list(_TEXT),
            lag=_COUNT,
        ),
        "Clients": _object(clients=_list(_ref("Client"))),
        "Consumer": _CONSUMER,
        "Consumers": _object(consumers=_list(_ref("Consumer"))),
        "DeadLetter": _object(**_DEAD_LETTER),
        "DeadLetters": _object(dead_letters=_list(_ref("DeadLetter"))),
        "Discarded": _object(discarded=_COUNT),
        "Diagnosis": _object(**_DIAGNOSIS),
        "Diagnoses": _object(diagnoses=_list(_ref("Diagnosis"))),
        "Statistics": _object(layer=counters, connections=counters, tickets=counters),
        "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
    }
