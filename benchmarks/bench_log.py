"""What ``log`` costs its caller, beside appending a dict to a list and beside dumping it as JSON.

The three are called in turn, in several passes, in one run; told is the fastest pass of each. The
rows go to a layer of this process, and its thread sends them meanwhile: what it takes from the
caller is part of the price. A library that writes each row as a line of JSON pays the dump at
least.

Goal: a microsecond more than the append on an idle machine, and less than the dump.
"""

import argparse
import json
import time
import warnings

import nbchannels as nb
from nbchannels.layers.memory import InMemoryChannelLayer

ROWS, PASSES = 50_000, 5


def appended(rows):
    kept = []
    append = kept.append  # not a list comprehension: a loop of a user's calls it
    for i in range(rows):
        append({"loss": 0.5, "accuracy": 0.25, "epoch": i})


def dumped(rows):
    kept = []
    append = kept.append
    for i in range(rows):
        row = {"loss": 0.5, "accuracy": 0.25, "epoch": i, "_step": i, "_timestamp": time.time()}
        append(json.dumps(row))


def logged(rows):
    for i in range(rows):
        nb.log("run", loss=0.5, accuracy=0.25, epoch=i)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    warnings.simplefilter("ignore")  # nobody listens
    nb.channel_layers.set("default", InMemoryChannelLayer())
    nb.log("run", loss=0.0)
    best = {}
    for _ in range(PASSES):
        for way in (appended, dumped, logged):
            begun = time.perf_counter()
            way(rows)
            taken = (time.perf_counter() - begun) / rows * 1e6
            best[way] = min(best.get(way, taken), taken)
            nb.flush(timeout=60)
    for way, taken in best.items():
        print(f"{way.__name__:<9} {taken:6.2f} µs a row  {taken / best[appended]:5.1f} × append")
    messages = len(nb.Group("run").history(10_000))
    print(f"{PASSES * rows + 1:,} rows went in {messages:,} messages")


if __name__ == "__main__":
    main()
