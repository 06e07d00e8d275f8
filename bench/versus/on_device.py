#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times steps of MeZO and Sparse MeZO in PyTorch and in zeroth, alternating, on the same GPU; needs only PyTorch 2.5.

usage: python on_device.py --server bench_cuda_step_server [--smoke] [--seconds N] [smollm2-135m|llama-7b]...
       python on_device.py --device cpu --build FOLDER [--threads N] [--rounds N] MODEL.gguf

bf16 weights in the shapes that bench_cuda_step measures, Gaussian noise, passes as published (peer.Published), the head
only at the last position. SmolLM2's weights are the same on both sides, and losses at theta must agree; LLaMA-7b's are
each side's own. Theta is restored after each of PyTorch's steps. A model's rounds end with its part of --seconds.
Prints, last, a line of JSON. Without PyTorch or a device it says so and returns 77. On a CPU it does the same in f32
with a model from a file.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

from measure import BATCH, Server, peer_round, print_figures, put, put_ratios, random_rows, single_token_examples

try:
    import torch

    import llama
    import peer
except ImportError as error:
    print(f"skipped: {error}")
    raise SystemExit(77) from None

CANDIDATES = [5, 9]
# Tokens of each sequence, and the part of the time that is left when its turn comes.
SHAPES = {"smollm2-135m": (32, 0.35), "llama-7b": (256, 1.0)}
LEAST_ROUNDS = 3
# Differences of losses beyond these would be other work: f32 sums in another order give about 1e-5. In bf16 each of the
# layers' results is rounded to 8 bits, at other places on either side.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 2e-2}


def skip(reason):
    print(f"skipped: {reason}")
    raise SystemExit(77)


class Gpu:
    """Both sides on device 0."""

    device, dtype = "cuda", torch.bfloat16
    wait = staticmethod(lambda: torch.cuda.synchronize())

    def __init__(self, options):
        self.options = options
        if not torch.cuda.is_available():
            skip("PyTorch finds no CUDA device")
        self.name = torch.cuda.get_device_name()
        self.models = [(name, *SHAPES[name]) for name in options.models or SHAPES]

    def open(self, name, folder):
        """Our side, the model's config.json, and whether the folder has the weights that it holds."""
        command = [self.options.server, name] + (["--layers", 2] if self.options.smoke else [])
        small = name == "smollm2-135m"
        server = Server(command + (["--save", folder] if small else []), self.options.libraries)
        if "skipped" in server.greeting:
            skip(server.greeting["skipped"])
        return server, server.greeting["config"], small


class Cpu:
    """Both sides on some threads, on the weights of a file."""

    device, dtype, name = "cpu", torch.float32, "CPU"
    wait = staticmethod(lambda: None)

    def __init__(self, options):
        self.options = options
        torch.set_num_threads(options.threads)
        self.models = [(name, options.tokens, 1.0) for name in options.models]

    def open(self, name, folder):
        command = [self.options.build / "bin/zeroth", "export", "--model", name, "--output", folder, "--overwrite"]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
        server = Server([self.options.build / "bench/bench_step_server", name, "--threads", self.options.threads])
        return server, json.loads((folder / "config.json").read_text(encoding="utf-8")), True


def open_model(side, name, folder):
    """Our side and PyTorch's model, and whether they hold the same weights."""
    server, config, same = side.open(name, folder)
    model = llama.Llama(config, side.device, side.dtype)
    if same:
        model.load(folder)
    else:
        torch.manual_seed(1)
        model.fill_random()
    return server, model, same


def compare(side, server, model, same, length, deadline):
    """Figures of a model. Every round times each thing once, and the sides take turns to go first."""
    rows = random_rows(model.vocabulary, length)
    ids = torch.tensor(rows, device=side.device)
    labels = torch.zeros(BATCH, dtype=torch.long, device=side.device)
    examples = single_token_examples(rows, CANDIDATES)
    loop = peer.Published(model)
    loss = lambda: peer.loss_of_equal_lengths(model, ids, CANDIDATES, labels)  # noqa: E731
    found, took, difference = [], 0, 0
    number = -1  # the first one warms up
    while number < LEAST_ROUNDS or (number < side.options.rounds and time.monotonic() + took < deadline):
        start = time.monotonic()
        row = {}

        def run_ours():
            row["ours"] = {what: server.ask(what, examples) for what in ("forwards", "mezo", "s_mezo")}  # noqa: B023

        def run_peer():
            row["peer"] = peer_round(loop, loss, number + 2, side.wait)  # noqa: B023

        for run in (run_ours, run_peer) if number % 2 == 0 else (run_peer, run_ours):
            run()
        here, there = (row[where]["forwards"]["losses"][0] for where in ("ours", "peer"))
        if same:
            difference = max(difference, abs(here - there))
        if difference > TOLERANCE[side.dtype]:
            raise SystemExit(f"versus: the losses differ, {here:.6f} here and {there:.6f} in PyTorch")
        if number >= 0:
            found.append(row)
            seconds = {w: ", ".join("%.4f" % row[w][what]["seconds"] for what in row[w]) for w in row}
            print(
                f"  round {number}: loss {here:.6f} here, {there:.6f} in PyTorch; two forwards, MeZO, S-MeZO "
                f"{seconds['ours']} s here, {seconds['peer']} s in PyTorch",
                flush=True,
            )
        took = time.monotonic() - start
        number += 1
    figures = {}
    put_ratios(figures, found)
    for what in ("mezo", "s_mezo"):
        drifts = [abs(r["peer"][what]["after"] - r["peer"]["forwards"]["losses"][0]) for r in found]
        put(figures, f"{what}_drift_of_loss_in_pytorch", drifts)
    figures["rounds"] = len(found)
    if same:
        figures["largest_difference_of_losses"] = difference
    if side.device == "cuda":
        figures["most_bytes_in_pytorch"] = torch.cuda.max_memory_allocated()
    print_figures(figures)
    return figures


def main():
    usage = "\n       ".join(line.strip().removeprefix("usage: ") for line in __doc__.split("\n")[2:4])
    parser = argparse.ArgumentParser(usage=usage)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--server", type=pathlib.Path)
    parser.add_argument("--libraries", help="LD_LIBRARY_PATH of the server alone")
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if (options.server is None) if options.device == "cuda" else (options.build is None or not options.models):
        parser.error("--device cuda needs --server, --device cpu needs --build and a model")
    unknown = [name for name in options.models if options.device == "cuda" and name not in SHAPES]
    if unknown:
        parser.error(f"expected one of {', '.join(SHAPES)}, found '{unknown[0]}'")
    if options.smoke:
        options.rounds = LEAST_ROUNDS

    end = time.monotonic() + options.seconds
    torch.set_grad_enabled(False)
    side = (Gpu if options.device == "cuda" else Cpu)(options)
    print(f"PyTorch {torch.__version__}, {side.name}")
    results = {"part": "pytorch", "pytorch": torch.__version__, "device": side.name, "models": {}}
    for name, length, part in side.models:
        deadline = time.monotonic() + part * (end - time.monotonic())
        with tempfile.TemporaryDirectory() as folder:
            server, model, same = open_model(side, name, pathlib.Path(folder) / "model")
        print(f"{name}: {BATCH} x {length} tokens, {'the same' if same else 'each its own'} weights, passes as published")
        results["models"][name] = compare(side, server, model, same, length, deadline)
        server.close()
        del model
        if options.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        # What there is so far, should the time not be enough for the rest.
        print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
