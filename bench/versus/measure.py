# SPDX-License-Identifier: MIT
"""What the comparisons with PyTorch have in common: our side as a child process, clocks, and figures with their spread."""

import json
import os
import random
import subprocess
import time

BATCH = 16


class Server:
    """A program that answers the requests of step_runner.hpp; `greeting` is what it says first."""

    def __init__(self, command, libraries=None):
        self.name = str(command[0]).rsplit("/", 1)[-1]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ({"LD_LIBRARY_PATH": libraries} if libraries else {}),
        )
        self.greeting = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"versus: {self.name} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, what, examples, **more):
        print(json.dumps({"do": what, "examples": examples} | more), file=self.process.stdin, flush=True)
        return self.read()

    def close(self):
        """Ends it, and with it what it holds of the device's memory."""
        self.process.stdin.close()
        return self.process.wait()


def timed(call, wait=lambda: None):
    """Seconds and result of a call; `wait` returns when what it has queued is done."""
    wait()
    start = time.perf_counter()
    result = call()
    wait()
    return time.perf_counter() - start, result


def spread(values):
    values = sorted(values)
    middle = len(values) // 2
    median = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
    return median, [values[0], values[-1]]


def put(figures, name, values):
    figures[name], figures[name + "_spread"] = spread(values)


def print_figures(figures):
    for key, value in figures.items():
        if not key.endswith("_spread"):
            low_high = figures.get(key + "_spread")
            print(f"  {key:36} {value:.4g}" + (f" ({low_high[0]:.4g} to {low_high[1]:.4g})" if low_high else ""))


def random_rows(vocabulary, length):
    """The same 16 sequences of tokens on both sides."""
    draw = random.Random(1)
    return [[draw.randrange(vocabulary) for _ in range(length)] for _ in range(BATCH)]


def single_token_examples(rows, candidates):
    """Sequences as our side receives them; the first candidate is the right one."""
    return [{"prompt": row, "candidates": [[c] for c in candidates], "label": 0} for row in rows]


def peer_round(loop, loss, seed, wait=lambda: None):
    """Runs two plain forwards in PyTorch and a step of each kind; returns each one's seconds and losses."""
    seconds, losses = timed(lambda: (loss(), loss()), wait)
    row = {"forwards": {"seconds": seconds, "losses": losses}}
    for what in ("mezo", "s_mezo"):
        seconds, losses = timed(lambda: loop.step(loss, seed, what == "s_mezo"), wait)  # noqa: B023
        row[what] = {"seconds": seconds, "losses": losses, "after": loss()}
        loop.reset()
    return row


def put_ratios(figures, rows):
    """PyTorch's seconds over zeroth's, round by round, and each side's step over its two forwards."""

    def seconds(row, side, what):
        return row[side][what]["seconds"]

    for what in ("forwards", "mezo", "s_mezo"):
        put(figures, f"{what}_speedup", [seconds(r, "peer", what) / seconds(r, "ours", what) for r in rows])
    for what in ("mezo", "s_mezo"):
        over = {side: [seconds(r, side, what) / seconds(r, side, "forwards") for r in rows] for side in ("ours", "peer")}
        put(figures, f"{what}_over_two_forwards_here", over["ours"])
        put(figures, f"{what}_over_two_forwards_in_pytorch", over["peer"])
        put(figures, f"{what}_passes", [p / o for p, o in zip(over["peer"], over["ours"])])
    for what in ("forwards", "mezo", "s_mezo"):
        for side, word in (("ours", "here"), ("peer", "in_pytorch")):
            put(figures, f"{what}_seconds_{word}", [seconds(r, side, what) for r in rows])
