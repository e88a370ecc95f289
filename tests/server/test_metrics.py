"""What Prometheus is told, at a real server's /metrics."""

import re
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from nbchannels.exceptions import ChannelFull
from nbchannels.server.host import Host
from nbchannels.server.metrics import Metrics
from tests.server.conftest import Call

Numbers = dict[str, float]


@pytest.fixture(autouse=True)
def started(jp_serverapp: Any, jp_asyncio_loop: Any) -> None:
    """The server is told that it runs; the fixtures stop before that."""
    (extension,) = jp_serverapp.extension_manager.extension_apps["nbchannels"]
    jp_asyncio_loop.run_until_complete(extension._start_jupyter_server_extension(jp_serverapp))


def numbers(text: str) -> Numbers:
    """The samples that are ours: ``name{label="value"}``."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            if sample.name.startswith("nbchannels_"):
                found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def scraped(call: Call) -> Numbers:
    answer = await call("GET", "/metrics")
    assert answer.status == 200
    return numbers(answer.value.decode())


async def test_the_numbers_are_right_after_sends(call: Call, host: Host):
    before = await scraped(call)
    assert before["nbchannels_messages_sent_total{kind=group}"] == 0
    for n in range(3):
        await host.layer.group_send("index", {"n": n})
    await host.layer.send("work", {"n": 1})
    await host.layer.new_channel()
    found = await scraped(call)
    assert found["nbchannels_messages_sent_total{kind=group}"] == 3
    assert found["nbchannels_messages_sent_total{kind=channel}"] == 1
    assert found["nbchannels_groups{}"] == 1
    assert found["nbchannels_channels{}"] == 2
    assert found["nbchannels_history_bytes{}"] > 0
    assert found["nbchannels_waiting_bytes{}"] == 7
    assert set(found) == set(before)  # the series are there from the beginning


async def test_refusals_failures_and_dead_letters(call: Call, host: Host):
    layer = host.layer
    layer._capacities.override("small", 1)
    await layer.send("small", {})
    with pytest.raises(ChannelFull):
        await layer.send("small", {})
    lease = await layer.lease("small")
    assert (await scraped(call))["nbchannels_leases{}"] == 1
    await layer.settle(lease, "fail", "ValueError: no")
    found = await scraped(call)
    assert found["nbchannels_messages_refused_total{}"] == 1
    assert found["nbchannels_consumer_failures_total{}"] == 1
    assert found["nbchannels_dead_letters_total{reason=failed}"] == 1
    assert found["nbchannels_dead_letters_total{reason=expired}"] == 0
    assert found["nbchannels_dead_letters_held{}"] == 1
    await layer.flush()
    found = await scraped(call)
    assert found["nbchannels_dead_letters_held{}"] == 0
    assert found["nbchannels_dead_letters_total{reason=failed}"] == 1  # a counter never falls


async def test_requests_by_door_and_status(call: Call):
    await call("GET", "api/status")
    await call("GET", "api/nothing")
    await call("GET", "http/nobody")
    await call("GET", "app/none")
    found = await scraped(call)
    assert found["nbchannels_http_requests_total{door=api,status=2xx}"] == 1
    assert found["nbchannels_http_requests_total{door=api,status=4xx}"] == 1
    assert found["nbchannels_http_requests_total{door=http,status=5xx}"] == 1
    assert found["nbchannels_http_requests_total{door=app,status=4xx}"] == 1


async def test_names_of_users_make_no_series(call: Call, host: Host):
    before = await scraped(call)
    for n in range(50):
        await host.layer.group_send(f"group-{n}", {})
        await host.layer.send(f"channel-{n}", {})
    after = await scraped(call)
    assert set(after) == set(before)
    assert not any(re.search(r"group-\d|channel-\d", name) for name in after)


async def test_the_last_second_is_told(call: Call, host: Host):
    host.hub.delay = 0.25
    assert (await scraped(call))["nbchannels_loop_delay_seconds{}"] == 0.25


def ours() -> list[str]:
    return [name for name in REGISTRY._names_to_collectors if name.startswith("nbchannels_")]


async def test_they_go_with_the_server(jp_serverapp: Any):
    assert ours()
    (extension,) = jp_serverapp.extension_manager.extension_apps["nbchannels"]
    await extension.stop_extension()
    assert not ours()
    await extension.stop_extension()  # idempotent


async def test_of_two_servers_the_first_is_told_of(host: Host, caplog: pytest.LogCaptureFixture):
    registry = CollectorRegistry(auto_describe=True)
    first, second = Metrics(host, registry), Metrics(host, registry)
    first.start()
    second.start()
    assert "another server in this process" in caplog.text
    second.stop()
    assert b"nbchannels_groups 0.0" in generate_latest(registry)
    first.stop()
    assert generate_latest(registry) == b""
