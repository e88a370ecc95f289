"""Consumers, dead letters and diagnoses over HTTP."""

from typing import Any

from nbchannels.diagnoses import Diagnosis, report
from nbchannels.layers.bindings import Binding
from nbchannels.server.clients import Client
from nbchannels.server.consumers import KernelConsumer
from nbchannels.server.host import Host
from nbchannels.server.policy import Policy
from tests.server.conftest import Call


async def bury(host: Host, channel: str = "dead", content: Any = None) -> None:
    """Have one dead letter more."""
    await host.layer.send(channel, content or {"job": 1})
    letter = host.layer.take(channel, None)
    assert letter is not None
    trace = "Traceback: " + "x" * 3_000
    host.layer.finish(channel, letter, "fail", "ValueError: no", trace, "job of a.ipynb")


def enlist(host: Host, channel: str) -> None:
    """Have one consumer of a kernel more."""
    client = Client("p", "kernel:1", "kernel", label="a.ipynb")
    about = {"function": "job", "on": "thread"}
    binding = Binding(channel)
    host.layer.enlist(KernelConsumer(host.hub, client, 1, binding, 1, about, lambda name: True))


class TestConsumers:
    async def test_all_that_may_be_read(self, call: Call, host: Host):
        enlist(host, "work")
        enlist(host, "secret")
        host.policy = Policy(rights={"secret": "write"})
        (consumer,) = (await call("GET", "api/consumers")).value["consumers"]
        assert (consumer["channel"], consumer["client"]) == ("work", "a.ipynb")
        assert (consumer["function"], consumer["on"]) == ("job", "thread")
        assert (consumer["taken"], consumer["failed"], consumer["error"]) == (0, 0, "")

    async def test_a_channel_that_only_has_a_consumer_is_known(self, call: Call, host: Host):
        assert (await call("GET", "api/channels/work")).status == 404
        enlist(host, "work")
        answer = await call("GET", "api/channels/work")
        assert (answer.status, answer.value["waiting"], answer.value["receivers"]) == (200, 0, 1)


class TestDeadLetters:
    async def test_they_are_listed_newest_first_with_their_content(self, call: Call, host: Host):
        await bury(host, "work", {"job": 1})
        await bury(host, "other", {"job": 2})
        found = (await call("GET", "api/dead-letters")).value["dead_letters"]
        assert [(d["number"], d["channel"]) for d in found] == [(2, "other"), (1, "work")]
        assert found[0]["message"] == {"job": 2}
        assert (found[0]["reason"], found[0]["error"]) == ("failed", "ValueError: no")
        assert found[0]["consumer"] == "job of a.ipynb"
        assert len(found[0]["traceback"]) == 1_000
        assert len((await call("GET", "api/dead-letters/2")).value["traceback"]) > 3_000

    async def test_of_one_channel_and_so_many(self, call: Call, host: Host):
        for n in range(3):
            await bury(host, "work", {"n": n})
        await bury(host)
        found = (await call("GET", "api/dead-letters?channel=work&limit=2")).value["dead_letters"]
        assert [d["message"]["n"] for d in found] == [2, 1]
        assert (await call("GET", "api/dead-letters?channel=a/b")).status == 400
        assert (await call("GET", "api/dead-letters?limit=1001")).error["message"] == (
            "limit is '1001'; it takes 1 to 1,000"
        )

    async def test_sent_again(self, call: Call, host: Host):
        await bury(host, "work", {"job": 1})
        answer = await call("POST", "api/dead-letters/1/resend")
        assert (answer.status, answer.value["name"]) == (200, "work")
        assert (await host.layer.channel_statistics("work"))["waiting"] == 1
        assert (await call("GET", "api/dead-letters")).value["dead_letters"] == []
        assert (await call("POST", "api/dead-letters/1/resend")).status == 404

    async def test_discarded(self, call: Call, host: Host):
        await bury(host)
        assert (await call("DELETE", "api/dead-letters/1")).value == {"discarded": 1}
        answer = await call("DELETE", "api/dead-letters/1")
        assert (answer.status, answer.error["code"]) == (404, "not_found")

    async def test_rights_on_the_channel_hold(self, call: Call, host: Host):
        await bury(host, "shown")
        await bury(host, "hidden")
        host.policy = Policy(rights={"shown": "read", "hidden": "write"})
        found = (await call("GET", "api/dead-letters")).value["dead_letters"]
        assert [d["channel"] for d in found] == ["shown"]
        assert (await call("GET", "api/dead-letters/2")).status == 403
        assert (await call("DELETE", "api/dead-letters/1")).status == 403
        assert (await call("POST", "api/dead-letters/1/resend")).status == 403
        assert (await host.layer.statistics())["dead"] == 2


class TestDiagnoses:
    async def test_the_servers_own_and_those_of_clients(self, call: Call, host: Host):
        report("no-handler", "nothing handles it; add def tick", subject="Index")
        client = Client("p", "kernel:1", "kernel", label="a.ipynb")
        host.diagnoses.note(client, Diagnosis("not-awaited", "write await", count=3))
        kernels, own = (await call("GET", "api/diagnoses")).value["diagnoses"]
        assert (own["client"], own["where"], own["kind"]) == (
            "this server", "server", "no-handler",
        )  # fmt: skip
        assert (kernels["client"], kernels["where"], kernels["count"]) == ("a.ipynb", "kernel", 3)

    async def test_a_server_that_has_ended_listens_no_more(self, host: Host):
        await host.close()
        report("no-handler", "told after the end", subject="nobody")
        assert len(host.diagnoses) == 0
