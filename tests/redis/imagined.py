"""Histories that a small model makes by chance: of a layer that loses nothing silently."""

import random

from nbchannels.layers.cursor import Anchor
from nbchannels.protocol.events import Position
from tests.redis.history import History

__all__ = ["group_history", "work_history"]


class Reader:
    """A subscriber of the model."""

    def __init__(self, seen, log, offset):
        self.seen, self.offset = seen, offset
        seen.anchored(log.anchor(offset))


class Log:
    """A log with subscribers, producers and all that may befall them."""

    def __init__(self, chance):
        self.chance, self.history = chance, History()
        self.epoch, self.entries, self.first = "e0", [], 1
        self.readers = [Reader(self.history.subscriber(n, "orders"), self, 0) for n in "abc"]

    def anchor(self, offset, reason=None):
        tag = self.entries[offset - 1][1] if offset else 0
        told = {"recovered": reason is None, "reason": reason}
        return Anchor(self.epoch, offset, tag, len(self.entries), **told)

    def append(self, message, *, retried=False):
        self.entries.append((message, self.chance.randrange(1, 2**32), retried))
        return Position(self.epoch, len(self.entries), self.entries[-1][1])

    def send(self):
        sent = self.history.send(self.chance.choice(["p", "q"]), "orders")
        which = (sent.message["producer"], sent.message["number"])
        fate = self.chance.random()
        if fate < 0.05:
            sent.failed("full")
        elif fate < 0.1:
            sent.unknown("cut before")
        elif fate < 0.2:  # written, but the answer is lost; tried again
            place = self.append(which)
            sent.unknown("cut after")
            if self.chance.random() < 0.5:
                again = self.history.send(which[0], "orders", which[1])
                if self.chance.random() < 0.5:
                    for reader in self.readers[:2]:
                        self.read(reader, 1_000)
                    self.clear()
                    place = self.append(which, retried=True)
                again.acknowledged(place)
        else:
            sent.acknowledged(self.append(which))

    def read(self, reader, most):
        if reader.offset < self.first - 1:
            reader.seen.gap(reader.offset + 1, self.first - 1, "trimmed")
            reader.offset = self.first - 1
        for message, tag, retried in self.entries[reader.offset : reader.offset + most]:
            reader.offset += 1
            reader.seen.delivered(reader.offset, tag, message, retried=retried)

    def clear(self):
        self.epoch, self.entries, self.first = f"e{int(self.epoch[1:]) + 1}", [], 1
        for reader in self.readers:
            reader.seen.anchored(self.anchor(0, "epoch"))
            reader.offset = 0

    def forget_the_end(self):
        """As a failover does that loses what was acknowledged."""
        kept = self.chance.randint(self.first - 1, len(self.entries))
        del self.entries[kept:]
        for reader in self.readers:
            reader.offset = min(reader.offset, kept)
            if reader.offset >= self.first - 1:
                reader.seen.anchored(self.anchor(reader.offset, "tag"))
            else:
                reader.offset = kept
                reader.seen.anchored(self.anchor(kept, "tag"))

    def reconnect(self, reader):
        if reader.offset >= self.first - 1:
            reader.seen.anchored(self.anchor(reader.offset))
        else:
            reader.offset = self.first
            reader.seen.anchored(self.anchor(reader.offset, "trimmed"))

    def step(self):
        reader = self.chance.choice(self.readers)
        match self.chance.choices(range(7), [40, 40, 4, 1, 1, 6, 2])[0]:
            case 0:
                self.send()
            case 1:
                self.read(reader, self.chance.randint(1, 5))
            case 2:
                self.first = max(self.first, len(self.entries) - 3)
            case 3:
                self.clear()
            case 4:
                self.forget_the_end()
            case 5:
                self.reconnect(reader)
            case 6:
                name = f"late {len(self.history.events)}"
                seen = self.history.subscriber(name, "orders")
                self.readers.append(Reader(seen, self, len(self.entries)))


def group_history(seed):
    chance = random.Random(seed)
    log = Log(chance)
    for _ in range(chance.randint(20, 120)):
        log.step()
    for reader in log.readers:
        log.read(reader, 1_000)
        if chance.random() < 0.1:
            reader.seen.left()
    return log.history


def work_history(seed):
    chance = random.Random(seed)
    history = History()
    workers = [history.worker(name, "work") for name in ("v", "w")[: chance.randint(1, 2)]]
    queue = []
    for _ in range(chance.randint(5, 40)):
        sent = history.send("p", "work")
        fate = chance.random()
        if fate < 0.1:
            sent.failed("full")
        else:
            queue.append((sent.message["producer"], sent.message["number"]))
            sent.unknown("cut") if fate < 0.2 else sent.acknowledged()
        while queue and chance.random() < 0.5:
            run(queue.pop(0), workers, chance)
    for message in queue:
        run(message, workers, chance)
    return history


def run(message, workers, chance):
    if chance.random() < 0.1:
        workers[0].given_up(message, "expired")
        return
    chance.choice(workers).done(message)
    if chance.random() < 0.2:
        chance.choice(workers).done(message, marked=True)
