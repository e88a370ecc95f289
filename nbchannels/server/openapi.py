"""``GET api/openapi.json``: the REST API in OpenAPI 3.1, and the words for people.

Each address and method of the route table has its `Operation` here; a test compares both ways.
"""

import re
from typing import NamedTuple

from nbchannels.server.host import Limits
from nbchannels.server.ingest import BODY_TYPES
from nbchannels.server.schemas import CHANNEL, COUNT, GROUP, Schema, ref, schemas

__all__ = ["OPERATIONS", "Operation", "document"]


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
    ("api/groups/{name}/presence", "GET"): Operation(
        "Who is in a group: pages, kernels and scripts that subscribe, and member channels",
        "Presence",
        (404,),
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
    ("api/clients", "GET"): Operation(
        "Pages, kernels and scripts that are connected, or were less than a minute ago", "Clients"
    ),
    ("api/clients/{name}", "DELETE"): Operation(
        "Close a client's connection; it does not come back by itself", "Disconnected", (404,)
    ),
    ("api/consumers", "GET"): Operation("Who serves which channels", "Consumers"),
    ("api/dead-letters", "GET"): Operation(
        "Messages that nobody worked on, newest first",
        "DeadLetters",
        query={
            "channel": CHANNEL,
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
    ("api/layer", "GET"): Operation(
        "The layer: what it holds and may hold, and how late the server's loop is", "Layer"
    ),
    ("api/tail", "GET"): Operation(
        "Messages that go by, previewed; recorded from the first call until 10 seconds after the "
        "last; go on with after=<top>",
        "Tail",
        query={
            "after": COUNT | {"maximum": 10**15 - 1},
            "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 50},
            "order": {"enum": ["newest", "oldest"], "default": "newest"},
            "name": {"type": "string", "description": "a glob of groups and channels"},
            "text": {"type": "string", "description": "that the encoded message has in it"},
            "kind": {"enum": ["group", "channel"]},
            "sender": COUNT | {"maximum": 10**15 - 1},
            "least": COUNT | {"maximum": 10**15 - 1, "description": "bytes"},
        },
    ),
    ("api/tail/{name}", "GET"): Operation(
        "All of a message that went by, by its number in api/tail", "Passed", (404,)
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
            "schemas": schemas(limits),
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
    number = COUNT | {"maximum": 10**15 - 1}
    kinds = {"groups": GROUP, "channels": CHANNEL, "dead-letters": number, "tail": number} | {
        "clients": {"type": "string", "pattern": "^(page|kernel|script)-[0-9]{1,15}$"}
    }
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
            "content": {"application/json": {"schema": ref("Body")}}
            | {kind: {"schema": {}} for kind in BODY_TYPES},
        }
    return described


def _answer(said: str, schema: str) -> Schema:
    return {"description": said, "content": {"application/json": {"schema": ref(schema)}}}
