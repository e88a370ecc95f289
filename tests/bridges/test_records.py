"""Python's logging, to a group."""

import logging
import threading

import pytest

from nbchannels.bridges import records
from nbchannels.bridges.records import GroupHandler
from nbchannels.exceptions import InvalidName, LayerUnavailable, SendTimeout


@pytest.fixture
def handler(group):
    found = GroupHandler(group)
    yield found
    found.close()


@pytest.fixture
def log(handler):
    found = logging.Logger("train.model")
    found.addHandler(handler)
    return found


def arrived(group, handler):
    handler.flush()
    return [dict(message.content) for message in group.history(20_000)]


def test_a_record_is_a_message(group, handler, log):
    log.warning("loss is %s", 0.5)
    (found,) = arrived(group, handler)
    assert found.pop("time") > 1e9
    assert found.pop("line") > 0
    assert found.pop("path") == __file__
    assert found == {
        "type": "log.record",
        "level": "WARNING",
        "logger": "train.model",
        "message": "loss is 0.5",
    }


def test_records_keep_their_order(group, handler, log):
    for i in range(500):
        log.info("%d", i)
    assert [m["message"] for m in arrived(group, handler)] == [str(i) for i in range(500)]


def test_a_traceback(group, handler, log):
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        log.exception("it failed")
    (found,) = arrived(group, handler)
    assert found["message"] == "it failed"
    assert found["exc"].endswith("ZeroDivisionError: division by zero")


def test_a_formatter_of_ones_own(group, handler, log):
    handler.setFormatter(logging.Formatter("%(levelname)s! %(message)s"))
    log.error("it failed")
    assert arrived(group, handler)[0]["message"] == "ERROR! it failed"


def test_levels(group):
    handler = GroupHandler(group, level="ERROR")
    log = logging.Logger("train")
    log.addHandler(handler)
    log.warning("no")
    log.error("yes")
    assert [m["message"] for m in arrived(group, handler)] == ["yes"]


def test_a_record_that_cannot_be_made_goes_to_logging_itself(group, handler, log, capsys):
    log.warning("%d", "no number")
    log.warning("a number")
    assert "Logging error" in capsys.readouterr().err
    assert [m["message"] for m in arrived(group, handler)] == ["a number"]


def test_what_does_not_travel_is_made_to(group, handler, log):
    log.warning("half a character: \ud800")
    log.warning("a" * (records.LONGEST + 5))
    half, long = arrived(group, handler)
    assert half["message"] == "half a character: ?"
    assert long["message"].endswith("a… (5 characters more)")


def test_nbchannels_own_records_are_not_sent(group, handler):
    for name in ("nbchannels", "nbchannels.kernel"):
        log = logging.Logger(name)
        log.addHandler(handler)
        log.error("this would never end")
    log = logging.Logger("tornado")
    log.addHandler(handler)
    thread = threading.Thread(target=log.error, args=("nor would this",), name="nbchannels")
    thread.start()
    thread.join()
    assert arrived(group, handler) == []


def test_a_failure_to_send_ends(group, handler, layer, told):
    """The report of a failure is logged, and comes to the handler of the root logger, too."""
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        layer.fail = LayerUnavailable("gone")
        logging.getLogger("train").error("one")
        handler.flush()
        layer.fail = None
        logging.getLogger("train").error("two")
        assert [m["message"] for m in arrived(group, handler)] == ["two"]
    finally:
        root.removeHandler(handler)
    assert [kind for kind, _ in told()] == ["not-sent"]
    assert "1 record could not be sent: gone" in told()[0][1]


def test_drops_are_counted_and_told(group, handler, layer, log, monkeypatch, told):
    monkeypatch.setattr(records, "MOST_RECORDS", 10)
    log.warning("first")
    handler.flush()
    layer.fail = SendTimeout("no room")
    for i in range(100):
        log.warning("%d", i)
    layer.fail = None
    messages = [m["message"] for m in arrived(group, handler)]
    lost = sum(int(m.split()[0]) for m in messages if "were dropped here" in m)
    numbers = [int(m) for m in messages if m.isdecimal()]
    assert lost == 100 - len(numbers) > 0
    assert numbers[-1] == 99
    assert told()[0][0] == "dropped"


def test_much_text_is_bounded(group, handler, layer, log, monkeypatch):
    monkeypatch.setattr(records, "MOST_TEXT", 1000)
    log.warning("first")
    handler.flush()
    layer.fail = SendTimeout("no room")
    for _ in range(100):
        log.warning("a" * 100)
    assert handler._records._text <= 1000
    layer.fail = None


def test_its_name(group, handler):
    assert repr(handler) == "<GroupHandler of group 'run' (NOTSET)>"
    with pytest.raises(InvalidName):
        GroupHandler("my logs")
