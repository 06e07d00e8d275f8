# SPDX-License-Identifier: MIT
"""Times steps of MeZO and Sparse MeZO in PyTorch and in zeroth, alternating in one run, on the same weights and threads.

usage: python versus.py MODEL.gguf --build FOLDER [--rounds N] [--threads N] [--data FOLDER] [--reviews FILE]

Three comparisons, all in f32 with Gaussian noise and batches of 16:
  identical       16 x 32 random tokens for both, PyTorch's passes as published (peer.Published), its head only at
                  the last position
  in_place        the same tokens, PyTorch's passes done in place (peer.InPlace)
  published_loop  real batches of SST-2 (--data, a folder with SST-2/train.tsv; else of --reviews), prepared in PyTorch
                  as MeZO's code does: each candidate a whole sequence, padded, logits at all positions

The losses at theta must agree. Theta is restored after each of PyTorch's steps, because PyTorch's own restore is not
exact; how much the loss has changed by then is printed. A ratio of steps is the product of three that are printed with
it: `work`, the products of PyTorch's forwards over those of ours; `speed`, products per second of our forwards over
PyTorch's; and `passes`, what PyTorch's step takes beyond its forwards, (step / forwards) over ours. Prints, last, one
line of JSON.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import tempfile

import torch
import transformers

import peer
from measure import BATCH, Server, peer_round, print_figures, put, put_ratios, random_rows, single_token_examples

# A difference of losses beyond this would be other work; f32 sums in another order give about 1e-5.
TOLERANCE = 1e-3


class Random:
    """The same 16 x 32 tokens on both sides."""

    candidates = [1000, 2000]

    def __init__(self, model):
        self.rows = random_rows(model.config.vocab_size, 32)
        self.model = model
        self.ids = torch.tensor(self.rows)
        self.labels = torch.zeros(BATCH, dtype=torch.long)

    def draw(self, _round):
        """Our examples, PyTorch's loss, the positions it works on and those where it needs the head."""
        ours = single_token_examples(self.rows, self.candidates)
        loss = lambda: peer.loss_of_equal_lengths(self.model, self.ids, self.candidates, self.labels)  # noqa: E731
        return ours, loss, self.ids.numel(), BATCH


class Texts:
    """Batches of real texts, tokenised once as MeZO's code does, and padded anew each step."""

    words = [" terrible", " great"]

    def __init__(self, model, tokenizer, rows):
        self.model = model
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        self.examples = []
        for text, label in random.Random(0).sample(rows, min(1000, len(rows))):
            prompt = tokenizer(text.strip() + " It was", add_special_tokens=False)["input_ids"]
            candidates = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in self.words]
            self.examples.append({"prompt": prompt, "candidates": candidates, "label": label})

    def draw(self, number):
        batch = random.Random(number).sample(self.examples, BATCH)
        labels = torch.tensor([example["label"] for example in batch])
        sequences = [example["prompt"] + option for example in batch for option in example["candidates"]]
        lengths = [len(option) for example in batch for option in example["candidates"]]
        ids, _ = peer.collate(sequences, self.pad)

        def loss():
            return peer.loss_as_published(self.model, *peer.collate(sequences, self.pad), lengths, len(self.words), labels)

        return batch, loss, ids.numel(), ids.numel()


def compare(name, server, loop, batches, rounds):
    """Figures of one comparison. Every round times each thing once, and the sides take turns to go first."""
    rows = []
    others = [operations for operations in server.greeting["operations"] if operations != "cpu"]
    for number in range(-1, rounds):  # the first one warms up
        ours, loss, positions, heads = batches.draw(max(number, 0))
        row = {"positions": positions}

        def run_ours():
            row["ours"] = {what: server.ask(what, ours) for what in ("forwards", "mezo", "s_mezo")}
            for other in others:
                row[other] = {what: server.ask(what, ours, operations=other) for what in ("forwards", "s_mezo")}

        def run_peer():
            row["peer"] = peer_round(loop, loss, number + 2)

        for run in (run_ours, run_peer) if number % 2 == 0 else (run_peer, run_ours):
            run()
        row["work"] = (positions * server.greeting["layers"] + heads * server.greeting["head"]) / row["ours"]["forwards"]["products"]
        here, there = row["ours"]["forwards"]["losses"][0], row["peer"]["forwards"]["losses"][0]
        row["difference"] = max(abs(row[side]["forwards"]["losses"][0] - there) for side in ("ours", *others))
        if row["difference"] > TOLERANCE:
            raise SystemExit(f"versus: {name}: the losses differ, {here:.6f} here and {there:.6f} in PyTorch")
        for what in ("mezo", "s_mezo"):
            row[what + "_drift"] = abs(row["peer"][what]["after"] - there)
        if number >= 0:
            rows.append(row)
            at = {side: row[side]["s_mezo"]["losses"] for side in ("ours", "peer")}
            print(
                f"  round {number}: loss {here:.6f} here, {there:.6f} in PyTorch; at theta +- epsilon z, each its own "
                f"noise, {at['ours'][0]:.4f} {at['ours'][1]:.4f} and {at['peer'][0]:.4f} {at['peer'][1]:.4f}; two "
                f"forwards, MeZO, S-MeZO {', '.join('%.3f' % row['ours'][w]['seconds'] for w in row['ours'])} s here, "
                f"{', '.join('%.3f' % row['peer'][w]['seconds'] for w in row['peer'])} s in PyTorch",
                flush=True,
            )

    def seconds(row, side, what):
        return row[side][what]["seconds"]

    figures = {}
    put_ratios(figures, rows)
    for other in others:
        for what in ("forwards", "s_mezo"):
            put(figures, f"{what}_speedup_{other}", [seconds(r, "peer", what) / seconds(r, other, what) for r in rows])
    put(figures, "work", [r["work"] for r in rows])
    put(figures, "speed", [seconds(r, "peer", "forwards") / seconds(r, "ours", "forwards") / r["work"] for r in rows])
    figures["positions_in_pytorch"] = sum(r["positions"] for r in rows) / rounds
    figures["positions_here"] = sum(r["ours"]["forwards"]["rows"] for r in rows) / rounds
    for what in ("mezo", "s_mezo"):
        put(figures, f"{what}_drift_of_loss_in_pytorch", [r[what + "_drift"] for r in rows])
    figures["loss"] = rows[0]["ours"]["forwards"]["losses"][0]
    figures["largest_difference_of_losses"] = max(r["difference"] for r in rows)
    print_figures(figures)
    return figures


def rows_of(options):
    """(text, label) of SST-2, or of the reviews where it is not here, and which it was."""
    sst2 = options.data / "SST-2/train.tsv"
    if sst2.exists():
        lines = sst2.read_text(encoding="utf-8").splitlines()[1:]
        return "SST-2", [(text, int(label)) for label, text in (line.split("\t", 1) for line in lines)]
    lines = options.reviews.read_text(encoding="utf-8").splitlines()
    fields = (line.split("\t") for line in lines)
    return "movie reviews", [(f[2], int(float(f[1]) > 0)) for f in fields if abs(float(f[1])) > 0.5]


def load(options):
    """The model's weights, dequantised by us and read by transformers."""
    with tempfile.TemporaryDirectory() as folder:
        command = [options.build / "bin/zeroth", "export", "--model", options.model, "--output", folder, "--overwrite"]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        # Into memory of its own: the file goes.
        for p in model.parameters():
            p.data = p.data.clone()
    return model.eval(), tokenizer


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2].removeprefix("usage: "))
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only", choices=("identical", "in_place", "published_loop"))
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("ZEROTH_SHARED", "../shared")) / "data")
    parser.add_argument("--reviews", type=pathlib.Path)
    options = parser.parse_args()
    options.threads = options.threads or os.cpu_count()
    options.reviews = options.reviews or options.model.parent / "movieReviewSnippets_GroundTruth.txt"

    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model, tokenizer = load(options)
    server = Server([options.build / "bench/bench_step_server", options.model, "--threads", options.threads])
    print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}, {options.threads} threads")

    results = {}
    if options.only in (None, "identical"):
        print("identical: the same tokens, passes as published")
        results["identical"] = compare("identical", server, peer.Published(model), Random(model), options.rounds)
    if options.only in (None, "in_place"):
        print("in_place: the same tokens, passes in place")
        results["in_place"] = compare("in_place", server, peer.InPlace(model), Random(model), options.rounds)
    if options.only in (None, "published_loop"):
        source, rows = rows_of(options)
        print(f"published_loop: batches of {source} as the published loop prepares them, passes as published")
        texts = Texts(model, tokenizer, rows)
        results["published_loop"] = compare("published_loop", server, peer.Published(model), texts, options.rounds)
        results["published_loop"]["data"] = source

    summary = {"pytorch": torch.__version__}
    for key, part, figure in (
        ("s_mezo_speedup", "identical", "s_mezo_speedup"),
        ("s_mezo_speedup_eigen", "identical", "s_mezo_speedup_eigen"),
        ("s_mezo_speedup_onednn", "identical", "s_mezo_speedup_onednn"),
        ("mezo_speedup", "identical", "mezo_speedup"),
        ("s_mezo_speedup_in_place", "in_place", "s_mezo_speedup"),
        ("s_mezo_speedup_published_loop", "published_loop", "s_mezo_speedup"),
    ):
        if figure in results.get(part, {}):
            summary[key] = results[part][figure]
            summary[key + "_spread"] = results[part][figure + "_spread"]
    print(json.dumps(summary | results))


if __name__ == "__main__":
    main()
