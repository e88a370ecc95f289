"""What was given up: bounded, told newest first, in its place when it comes back."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nbchannels.encoding import JSON, RAW, Encoded
from nbchannels.layers.deadletters import MOST_ERROR, MOST_TRACEBACK, DeadLetters
from nbchannels.layers.mailbox import Letter


def letter(body: bytes = b'{"n":1}', codec: int = JSON, **fields) -> Letter:
    return Letter(Encoded(codec, body), 1.0, 61.0, **fields)


def test_it_tells_what_it_is_and_why():
    dead = DeadLetters().bury(
        "work", letter(retries=3), "failed", 9.0, "ValueError: no", "Traceback…", "work of a.ipynb"
    )
    assert dead.describe() == {
        "number": 1,
        "channel": "work",
        "reason": "failed",
        "error": "ValueError: no",
        "traceback": "Traceback…",
        "consumer": "work of a.ipynb",
        "time": 9.0,
        "sent": 1.0,
        "retries": 3,
        "returns": 0,
        "bytes": 7,
    }
    assert dead.content() == {"n": 1}
    assert dead.describe(traceback=2)["traceback"] == "k…"


def test_what_cannot_be_read_says_so():
    dead = DeadLetters().bury("work", letter(b"{"), "failed", 9.0)
    assert "cannot be decoded" in dead.content()["unreadable"]
    assert DeadLetters().bury("work", letter(b"\0", RAW), "failed", 9.0).content() == {
        "body": b"\0"
    }


def test_long_words_are_cut():
    dead = DeadLetters().bury("work", letter(), "failed", 9.0, "e" * 9999, "t" * 99_999 + "!")
    assert len(dead.error) == MOST_ERROR
    assert len(dead.traceback) == MOST_TRACEBACK
    assert dead.traceback.endswith("!"), "the end says what went wrong"


def test_the_oldest_goes_by_number_and_by_bytes():
    dead = DeadLetters(most=3, most_bytes=100)
    for n in range(5):
        dead.bury("work", letter(b"x" * 10), "failed", float(n))
    assert [d.number for d in dead.newest(9)] == [5, 4, 3]
    assert (dead.forgotten, dead.bytes) == (2, 30)
    dead.bury("work", letter(b"x" * 90), "failed", 9.0)
    assert [d.number for d in dead.newest(9)] == [6, 5]
    assert dead.bytes == 100
    dead.bury("work", letter(b"x" * 500), "failed", 9.0)
    assert [d.number for d in dead.newest(9)] == [7], "the newest is kept, whatever its size"


def test_numbers_that_are_none():
    dead = DeadLetters()
    dead.bury("work", letter(), "failed", 9.0)
    for number in (2, 0, -1, "1", None, [1], True, 1.0):
        assert dead.get(number) is None, number
        assert dead.take(number) is None, number
    assert len(dead) == 1


class DeadLettersMachine(RuleBasedStateMachine):
    """Against a list."""

    def __init__(self):
        super().__init__()
        self.dead = DeadLetters(most=4)
        self.kept: list[tuple[int, str]] = []
        self.taken: list = []

    @rule(channel=st.sampled_from("ab"), size=st.integers(0, 9))
    def bury(self, channel, size):
        found = self.dead.bury(channel, letter(b"x" * size), "failed", 1.0)
        self.kept.append((found.number, channel))
        del self.kept[:-4]

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def take(self, data):
        number, channel = data.draw(st.sampled_from(self.kept))
        found = self.dead.take(number)
        assert found.channel == channel
        self.kept.remove((number, channel))
        self.taken.append(found)

    @precondition(lambda self: self.taken)
    @rule()
    def put_back(self):
        found = self.taken.pop()
        self.dead.put_back(found)
        self.kept = sorted([*self.kept, (found.number, found.channel)])

    @rule(limit=st.integers(0, 6), channel=st.sampled_from(["a", "b", None]))
    def newest(self, limit, channel):
        expected = [n for n, c in reversed(self.kept) if channel in (None, c)][:limit]
        assert [d.number for d in self.dead.newest(limit, channel)] == expected

    @invariant()
    def the_books_agree(self):
        everything = self.dead.newest(99)
        assert [d.number for d in everything] == [n for n, _ in reversed(self.kept)]
        assert self.dead.bytes == sum(len(d.letter.encoded.body) for d in everything)
        assert len(self.dead) == len(everything)


TestDeadLetters = DeadLettersMachine.TestCase
