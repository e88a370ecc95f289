"""What %channels tells of consumers and dead letters."""

import asyncio

import pytest

from nbchannels.bridge import bridge
from nbchannels.channel import Channel
from nbchannels.consuming import consume, unconsume
from nbchannels.exceptions import InvalidName, NotFound
from nbchannels.kernel import reports, status
from nbchannels.kernel.layer import KernelChannelLayer
from nbchannels.layers.manager import channel_layers
from nbchannels.layers.memory import InMemoryChannelLayer
from tests.kernel.conftest import RunningServer

pytestmark = pytest.mark.filterwarnings("ignore::nbchannels.pending.NobodyListens")


@pytest.fixture
def layer():
    layer = InMemoryChannelLayer()
    before = channel_layers.set("default", layer)
    yield layer
    unconsume()
    channel_layers.set("default", before)


def bury(layer, channel="work", **content):
    bridge.run(layer.send(channel, content))
    letter = layer.take(channel, None)
    layer.finish(channel, letter, "fail", "ValueError: no", "Traceback\n  in job", "job of a.ipynb")


def worked(layer, count):
    """So many messages were worked on."""

    def is_done():
        services = reports.services_here(layer)
        return sum(s.count for s in services) >= count and not any(s.held for s in services)

    async def wait():
        async with asyncio.timeout(10):
            while not is_done():  # noqa: ASYNC110 - services tell nobody
                await asyncio.sleep(0.005)

    bridge.run(wait())


def test_the_consumers_of_this_kernel(layer, capsys):
    assert reports.consumers() == (
        'no consumers yet; @nb.consume("work") or %%consume work makes one'
    )

    @consume("work")
    def job(message):
        if message["n"] == 2:
            raise ValueError("no twos")

    for n in range(3):
        Channel("work").send({"n": n})
    worked(layer, 3)
    (line,) = reports.here(layer)
    assert (
        line.split()
        == (
            "work test_the_consumers_of_this_kernel.<locals>.job on thread "
            "3 taken, 1 failed: ValueError: no twos"
        ).split()
    )
    told = status.report()
    assert "consumers of this kernel:" in told
    assert line in told
    assert "! 1 dead letter: %channels dead" in told
    assert reports.consumers() == line
    assert reports.served_channels() == ["work"]


def test_ending_one(layer):
    with pytest.raises(NotFound, match="no consumer of channel 'work'; there are none"):
        reports.stop("work")
    consume("work")(print)
    consume("sensor.*")(print)
    with pytest.raises(NotFound, match="did you mean 'work'"):
        reports.stop("wrk")
    with pytest.raises(NotFound, match=r"there are sensor\.\*, work"):
        reports.stop("other")
    assert reports.stop("work") == "channel 'work': 1 consumer of this kernel ended"
    assert reports.served_channels() == ["sensor.*"]


def test_the_report_says_nothing_of_consumers_where_there_are_none(layer):
    told = status.report()
    assert "consumers" not in told
    assert "dead" not in told


def test_dead_letters(layer):
    assert reports.dead() == "no dead letters"
    bury(layer, job=1)
    bury(layer, "other", job=2)
    first, second, hint = reports.dead().splitlines()
    assert first.split()[0] == "2"
    assert "other" in first
    assert "failed" in first
    assert "ValueError: no  {'job': 2}" in first
    assert "{'job': 1}" in second
    assert "%channels dead N" in hint
    assert len(reports.dead("work").splitlines()) == 2
    assert reports.dead("none") == "no dead letters of channel 'none'"


def test_one_dead_letter_with_its_traceback(layer):
    bury(layer, job=1)
    told = reports.dead("1")
    assert "failed by job of a.ipynb" in told
    assert "Traceback\n  in job" in told
    assert "%channels resend 1" in told
    with pytest.raises(NotFound, match="no dead letter 7"):
        reports.dead("7")


def test_more_than_are_shown_is_said(layer):
    for n in range(25):
        bury(layer, n=n)
    assert "these are the newest 20" in reports.dead()


def test_sending_again_and_forgetting(layer):
    bury(layer, job=1)
    bury(layer, job=2)
    assert "sent to channel 'work'" in reports.resend("1")
    assert Channel("work").receive(5).content == {"job": 1}
    assert reports.discard("2") == "dead letter 2 is forgotten"
    assert reports.dead() == "no dead letters"
    for call in (reports.resend, reports.discard):
        with pytest.raises(NotFound, match="no dead letter 2"):
            call("2")
        with pytest.raises(NotFound, match="a dead letter has a number, not 'two'"):
            call("two")


def test_a_layer_without_consumers(layer):
    class Foreign:
        alias = "django"

    assert reports.services_here(Foreign()) == []


@pytest.mark.integration
@pytest.mark.slow
def test_all_of_the_server(server: RunningServer):
    layer = KernelChannelLayer(find=server.found)
    other = KernelChannelLayer(find=server.found)
    before = channel_layers.set("default", layer)
    try:
        consume("work", channel_layer=layer)(print)
        consume("page", path="^/a", channel_layer=other)(print)
        mine = reports.consumers().splitlines()
        assert [line.split()[0] for line in mine] == ["page", "work"]
        assert "path~^/a" in mine[0]
        assert "of a test" in mine[1]
        assert len(reports.here(layer)) == 1
    finally:
        unconsume(channel_layer=layer)
        bridge.run(layer.close())
        bridge.run(other.close())
        channel_layers.set("default", before)


def test_who_is_in_a_group(layer):
    assert reports.who("index") == "nobody is in group 'index'"
    bridge.run(layer.group_add("index", "work"))
    assert reports.who("index").split() == ["channel", "work", "member"]
    assert reports.who("idnex") == "nobody is in group 'idnex'; did you mean 'index'?"
    with pytest.raises(InvalidName):
        reports.who("a/b")


def test_who_says_what_people_call_them(layer):
    told = {"user": "Ada", "label": None, "connection": 1, "since": 1.0, "as": "subscriber"}

    def present(group, members):
        return [
            told | {"kind": "page"},
            told | {"kind": "page", "label": "a.ipynb"},
            told | {"kind": "kernel", "label": "a\x1b[2J.ipynb", "user": "kernel:123"},
            told | {"kind": "kernel", "user": "kernel:123"},
            told | {"kind": "script", "label": "load.py", "as": "member", "channel": "c!1"},
        ]

    layer.present = present
    bridge.run(layer.group_add("index", "c!1"))
    lines = [line.split("since")[0].split(maxsplit=1) for line in reports.who("index").splitlines()]
    assert [[word.strip() for word in line] for line in lines] == [
        ["page", "Ada"],
        ["page", "a.ipynb (Ada)"],
        ["kernel", r"a\x1b[2J.ipynb"],
        ["kernel", "kernel:123"],
        ["script", "load.py (Ada)"],
    ]
    assert reports.who("index").splitlines()[-1].endswith("member, channel 'c!1'")
