"""A mailbox against a plain list."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nbchannels.encoding import JSON, Encoded
from nbchannels.layers.mailbox import Letter, Mailbox


class MailboxMachine(RuleBasedStateMachine):
    """FIFO, capacity, expiry in waiting time, and letters that come back."""

    def __init__(self):
        super().__init__()
        self.box = Mailbox("work", capacity=5, expiry=10.0)
        self.waiting: list[tuple[int, float]] = []
        self.taken: list[tuple[Letter, int]] = []
        self.now = 0.0
        self.count = 0
        self.lost = 0

    def forget_expired(self):
        kept = [(number, expires) for number, expires in self.waiting if expires > self.now]
        self.lost += len(self.waiting) - len(kept)
        self.waiting = kept

    @rule(seconds=st.floats(0, 6))
    def time_goes_on(self, seconds):
        self.now += seconds

    @rule()
    def put(self):
        self.count += 1
        letter = Letter(Encoded(JSON, b"%d" % self.count), self.now, self.now + 10.0)
        fits = self.box.put(letter, self.now)
        if len(self.waiting) >= 5:
            self.forget_expired()
        assert fits == (len(self.waiting) < 5)
        if fits:
            self.waiting.append((self.count, self.now + 10.0))

    @rule()
    def take(self):
        self.box.expire(self.now)
        self.forget_expired()
        letter = self.box.take()
        if letter is None:
            assert not self.waiting
        else:
            number, _ = self.waiting.pop(0)
            assert letter.encoded.body == b"%d" % number
            self.taken.append((letter, number))

    @precondition(lambda self: self.taken)
    @rule()
    def give_back(self):
        letter, number = self.taken.pop()
        self.box.give_back(letter, self.now)
        self.waiting.insert(0, (number, self.now + 10.0))
        assert self.box.letters[0].redelivered

    @precondition(lambda self: self.taken)
    @rule()
    def put_later(self):
        letter, number = self.taken.pop(0)
        self.box.put_later(letter, self.now)
        self.waiting.append((number, self.now + 10.0))
        assert self.box.letters[-1].retries == letter.retries + 1

    @invariant()
    def agrees(self):
        assert [int(x.encoded.body) for x in self.box.letters] == [n for n, _ in self.waiting]
        assert self.box.expired == self.lost


TestMailbox = MailboxMachine.TestCase


def test_idle():
    box = Mailbox("work", 5, 10.0)
    assert box.idle
    box.kept = True
    assert not box.idle
    box.kept = False
    box.groups.add("index")
    assert not box.idle
