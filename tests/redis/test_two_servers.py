"""Two Jupyter servers, kernels of both and a script: one set of channels."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.kernel.conftest import RunningServer
from tests.redis.jupyters import Notebook, Script, SharingServer, all_at_once, eventually
from tests.redis.servers import RedisServer

SENDERS, EACH = 5, 200


class Site(NamedTuple):
    """All that shares a Redis; ``everyone`` has a `say`."""

    redis: RedisServer
    one: SharingServer
    two: SharingServer
    a: Notebook
    b: Notebook
    script: Script

    @property
    def everyone(self) -> list[Any]:
        return [self.a, self.b, self.script]

    def all_say(self, code: str) -> list[str]:
        return all_at_once(*(lambda who=who: who.say(code) for who in self.everyone))


def ask(server: RunningServer, method: str, path: str, content: Any = None) -> Any:
    """The answer of a server's API; of an error its status and text."""
    request = urllib.request.Request(
        f"{server.url}nbchannels/{path}",
        data=None if content is None else json.dumps(content).encode(),
        headers={"Authorization": f"token {server.token}"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def site(redis_is_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("two")
    with RedisServer(folder / "redis") as redis:
        one, two = all_at_once(
            lambda: SharingServer(folder / "one", redis.url),
            lambda: SharingServer(folder / "two", redis.url),
        )
        try:
            a, b = Notebook(one, "a.ipynb"), Notebook(two, "b.ipynb")
            script = Script(redis.url)
            yield Site(redis, one, two, a, b, script)
            script.end()
            a.end()
            b.client.stop_channels()
        finally:
            one.kill()
            two.kill()


def test_all_see_one_order(site: Site) -> None:
    site.all_say(
        "got = []\nhandle = nb.Group('order').subscribe(lambda m: got.append((m['from'], m['n'])))"
    )
    send = (
        "with nb.Group('order').batch() as out:\n"
        f"    for n in range({EACH}): out.send({{'from': %r, 'n': n}})"
    )
    rows = [[{"from": name, "n": n} for n in range(EACH)] for name in ("one", "two")]
    answers = all_at_once(
        lambda: site.a.say(send % "a"),
        lambda: site.b.say(send % "b"),
        lambda: site.script.say(send % "script"),
        lambda: ask(site.one, "POST", "api/groups/order", rows[0]),
        lambda: ask(site.two, "POST", "api/groups/order", rows[1]),
    )
    assert [answer["count"] for answer in answers[3:]] == [EACH, EACH]
    everything = SENDERS * EACH
    for who in site.everyone:
        eventually(lambda who=who: int(who.say("print(len(got))")), everything)
    seen = [json.loads(text) for text in site.all_say("import json; print(json.dumps(got))")]
    assert seen[0] == seen[1] == seen[2]
    for name in ("a", "b", "script", "one", "two"):
        assert [n for sender, n in seen[0] if sender == name] == list(range(EACH))
    # Each process counts what it has sent.
    counters = site.script.say(
        "from nbchannels.bridge import bridge\n"
        "print(json.dumps(bridge.run(nb.get_channel_layer().statistics())))"
    )
    assert json.loads(counters)["group_sent"] >= EACH
    assert ask(site.one, "GET", "api/layer")["statistics"]["group_sent"] >= 2 * EACH
    # Who comes late finds the same, at either server and without one.
    late = "print(json.dumps([(m['from'], m['n']) for m in nb.Group('order').history(1000)]))"
    newcomer = Script(site.redis.url)
    try:
        assert json.loads(newcomer.say("import json\n" + late)) == seen[0]
    finally:
        newcomer.end()
    for server in (site.one, site.two):
        page = ask(server, "GET", "api/groups/order/messages?since=last:100&limit=100")
        told = [[entry["message"]["from"], entry["message"]["n"]] for entry in page["messages"]]
        assert told == seen[0][-100:]
    site.all_say("handle.close()")


def test_who_is_there_is_told_everywhere(site: Site) -> None:
    site.all_say("there = nb.Group('attended').subscribe(lambda m: None)")
    code = (
        "print(json.dumps([(p['kind'], p['label']) for p in nb.Group('attended').presence()"
        " if p['as'] == 'subscriber']))"
    )
    expected = [["kernel", "a.ipynb"], ["kernel", "b.ipynb"], ["script", "loader.py"]]
    for who in site.everyone:
        eventually(lambda who=who: sorted(json.loads(who.say("import json\n" + code))), expected)
    found = ask(site.two, "GET", "api/groups/attended/presence")["presence"]
    assert sorted((one["label"], one["here"]) for one in found) == [
        ("a.ipynb", False), ("b.ipynb", True), ("loader.py", False),
    ]  # fmt: skip
    site.b.say("there.close()")
    eventually(lambda: sorted(json.loads(site.a.say(code))), [expected[0], expected[2]])


def test_each_job_is_done_once(site: Site) -> None:
    worker = (
        "done, go = [], threading.Event()\n"
        "@nb.consume('jobs')\n"
        "def work(message):\n"
        "    done.append(message['n'])\n"
        "    assert go.wait(60)\n"
    )
    site.all_say(worker)
    site.a.say(
        "with nb.Channel('jobs').batch() as out:\n    for n in range(200): out.send({'n': n})"
    )
    # Each has one in hand and no more: nobody goes on before all have some.
    for who in site.everyone:
        eventually(lambda who=who: who.say("print(len(done))"), "1")
    site.all_say("go.set()")

    def count() -> int:
        return sum(map(int, site.all_say("print(len(done))")))

    eventually(count, 200)
    told = [json.loads(text) for text in site.all_say("import json; print(json.dumps(done))")]
    assert sorted(sum(told, [])) == list(range(200))
    site.all_say("nb.unconsume('jobs')")


def test_a_question_is_answered_by_another_server_and_without_one(site: Site) -> None:
    answer = "@nb.consume('who.%s', reply=True)\ndef answer(message): return {'i': '%s', **message}"
    for name, who in zip("abs", site.everyone, strict=True):
        who.say(answer % (name, name))
    for name in "abs":
        question = f"print(nb.Channel('who.{name}').ask({{'x': 1}}, timeout=30)['i'])"
        assert site.all_say(question) == [name] * 3


def test_a_request_is_answered_by_the_server_that_took_it(site: Site) -> None:
    site.b.say(
        "@nb.consume('http.request')\n"
        "def hello(message):\n"
        "    message.reply_channel.send({'status': 200, 'content': b'{\"from\": \"b\"}'})"
    )
    eventually(lambda: ask(site.two, "GET", "http/hello"), {"from": "b"})
    status, text = ask(site.one, "GET", "http/hello")
    assert status == 503
    assert "no consumer on this server serves GET /hello" in text
    assert "other servers" in text
    site.b.say("nb.unconsume('http.request')")


def test_the_api_tells_and_does_the_same_at_both(site: Site) -> None:
    site.a.say("for n in range(3): nb.Channel('later').send({'n': n})")
    found = ask(site.two, "GET", "api/channels/later")
    assert (found["waiting"], found["receivers"]) == (3, 0)
    assert "later" in [one["name"] for one in ask(site.two, "GET", "api/channels")["channels"]]
    assert ask(site.two, "DELETE", "api/channels/later") == {"removed": 3}
    assert ask(site.one, "GET", "api/channels/later")["waiting"] == 0
    # What a kernel of one server gave up, the other one tells, and sends again.
    site.a.say("@nb.consume('fragile')\ndef fails(message): raise ValueError('no')")
    site.b.say("nb.Channel('fragile').send({'n': 7})")

    def dead() -> list[tuple[str, Any]]:
        letters = ask(site.two, "GET", "api/dead-letters")["dead_letters"]
        return [(one["error"], one["message"]) for one in letters if one["channel"] == "fragile"]

    eventually(dead, [("ValueError: no", {"n": 7})])
    site.a.say("nb.unconsume('fragile')")
    site.script.say(
        "again = []\n@nb.consume('fragile')\ndef works(message): again.append(message['n'])"
    )
    (number,) = [
        one["number"]
        for one in ask(site.two, "GET", "api/dead-letters")["dead_letters"]
        if one["channel"] == "fragile"
    ]
    assert ask(site.two, "POST", f"api/dead-letters/{number}/resend")["kind"] == "channel"
    eventually(lambda: site.script.say("print(again)"), "[7]")
    assert dead() == []
    status, _ = ask(site.one, "POST", f"api/dead-letters/{number}/resend")
    assert status == 404


def test_a_kernel_on_redis_itself(site: Site) -> None:
    kernel = Notebook(
        site.one, "direct.ipynb",
        f"import os; os.environ['NBCHANNELS_REDIS_URL'] = {site.redis.url!r}",
    )  # fmt: skip
    try:
        assert kernel.say("print(os.environ.get('NBCHANNELS_URL', '') != '')") == "True"
        # The server's own variable is not inherited: this kernel said it itself.
        assert site.a.say("import os; print(os.environ.get('NBCHANNELS_REDIS_URL'))") == "None"
        site.b.say("nb.Group('direct').send({'n': 1})")
        assert kernel.say("print([m['n'] for m in nb.Group('direct').history(9)])") == "[1]"
        kernel.say("@nb.consume('double', reply=True)\ndef double(m): return {'y': 2 * m['x']}")
        assert site.a.say("print(nb.Channel('double').ask({'x': 4}, timeout=30)['y'])") == "8"
        told = kernel.say("%load_ext nbchannels\n%channels")
        assert f"● Redis at redis://127.0.0.1:{site.redis.port}/0, directly" in told
        assert "double" in told
        doctor = kernel.say("%channels doctor")
        assert "without a server" in doctor
        assert "plots and pages" not in doctor
        # Its plot is read by pages of its server, which is on the same Redis.
        kernel.say("plot = nb.LivePlot('direct'); plot.window = '5 min'")
        settings = kernel.say("print(plot.specification['id'])")
        eventually(
            lambda: ask(site.one, "GET", f"api/groups/nbchannels.view.{settings}")["messages"], 1
        )
        kernel.say("there = nb.Group('direct').subscribe(lambda m: None)")

        def people() -> list[tuple[str, str, bool]]:
            found = ask(site.two, "GET", "api/groups/direct/presence")["presence"]
            return [(one["kind"], one["label"], one["here"]) for one in found]

        eventually(people, [("kernel", "direct.ipynb", False)])
    finally:
        kernel.end()


def test_a_kernel_on_another_redis_than_its_server_is_told(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with RedisServer(tmp_path_factory.mktemp("other")) as other:
        kernel = Notebook(
            site.one, "other.ipynb",
            f"import os; os.environ['NBCHANNELS_REDIS_URL'] = {other.url!r}",
        )  # fmt: skip
        try:
            # Below the cell, or the next: the look at the server goes on beside.
            _, told = kernel.run("nb.Group('index').send({'n': 1})")
            deadline = time.monotonic() + 30
            while "plots and pages of this notebook see nothing" not in told:
                assert time.monotonic() < deadline, told
                told += kernel.run("None")[1]
            doctor, _ = kernel.run("%load_ext nbchannels\n%channels doctor")
            assert "its Jupyter server is on another Redis" in doctor
            assert "plots and pages of this notebook see nothing" in doctor
        finally:
            kernel.end()


def test_while_redis_stands_still_the_server_and_its_kernels_say_so(site: Site) -> None:
    site.a.say("%load_ext nbchannels")

    def trouble() -> str:
        return ask(site.one, "GET", "api/status")["layer"]["trouble"] or ""

    assert trouble() == ""
    site.redis.freeze()
    try:
        status, text = ask(site.one, "POST", "api/groups/still", {"n": 1})
        assert status == 503
        assert "does not answer" in text
        eventually(lambda: "does not answer" in trouble(), True)
        eventually(lambda: "what is sent now fails" in site.a.say("%channels"), True)
        assert "the server is there, but Redis at" in site.a.say("%channels doctor")
    finally:
        site.redis.thaw()
    eventually(trouble, "")
    eventually(lambda: "! Redis at" in site.a.say("%channels"), False)
    assert "on the Redis primary" in site.a.say("print(nb.Group('still').send({'n': 2}))")


# The last: of its server and kernel nothing is left.
def test_jobs_of_a_server_that_was_killed_come_back_marked(site: Site) -> None:
    site.b.say("there = nb.Group('left').subscribe(lambda m: None)")
    eventually(lambda: len(ask(site.one, "GET", "api/groups/left/presence")["presence"]), 1)
    site.b.say(
        "taken = []\n"
        "@nb.consume('heavy')\n"
        "def holds(message):\n"
        "    taken.append(message['n'])\n"
        "    threading.Event().wait()"
    )
    for n in range(3):
        site.a.say(f"nb.Channel('heavy').send({{'n': {n}}})")
    eventually(lambda: site.b.say("print(taken)"), "[0]")
    site.two.kill()
    site.script.say(
        "came = []\n"
        "@nb.consume('heavy')\n"
        "def works(message): came.append((message['n'], message.redelivered))"
    )
    eventually(
        lambda: site.script.say("print(sorted(came))"), "[(0, True), (1, False), (2, False)]"
    )
    # Its people are gone with it.
    eventually(lambda: ask(site.one, "GET", "api/groups/left/presence")["presence"], [])
