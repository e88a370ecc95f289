"""The schemas are complete, strict, and of the server's own limits."""

import dataclasses

import jsonschema
import pytest

from nbchannels.diagnoses import Diagnosis
from nbchannels.layers.memory import InMemoryChannelLayer
from nbchannels.receipt import Receipt
from nbchannels.server.clients import Client
from nbchannels.server.diagnoses import Collection
from nbchannels.server.host import Limits
from nbchannels.server.schemas import schemas

KNOWN = schemas(Limits())


def check(value, name):
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": KNOWN}}
    jsonschema.Draft202012Validator(schema).validate(value)


def test_the_limit_of_a_batch_is_the_servers():
    (_, batch) = schemas(Limits(batch=7))["Body"]["anyOf"]
    assert batch["maxItems"] == 7


def test_what_the_parts_say_of_themselves_is_described():
    check(Receipt("group", "index", 0, 1).to_wire(), "Receipt")
    kept = Collection()
    kept.note(Client("p", "user:ada", "page"), Diagnosis("a", "x"))
    check({"diagnoses": kept.newest()}, "Diagnoses")


@pytest.mark.asyncio
async def test_the_depth_of_a_channel_is_described():
    layer = InMemoryChannelLayer()
    await layer.send("work", {})
    facts = await layer.channel_statistics("work")
    check(facts | {"name": "work", "process_local": False}, "Channel")


def test_a_field_more_or_less_is_not_as_described():
    said = dataclasses.asdict(Receipt("group", "index"))
    with pytest.raises(jsonschema.ValidationError, match="another"):
        check(said | {"another": 1}, "Receipt")
    del said["hint"]
    with pytest.raises(jsonschema.ValidationError, match="hint"):
        check(said, "Receipt")
