# SPDX-License-Identifier: MIT
"""Compares `zeroth eval` with scores that Hugging Face transformers gives the same examples; exits with 1 beyond a
tolerance.

    python tests/parity/parity_tasks.py MODEL.gguf --data FOLDER --program build/zeroth [--tasks copa,boolq] [--examples N]

A task is what `zeroth tasks NAME` prints, or a task file. Everything from there on is done anew here: rows are read,
fields found, templates filled, tokens cut into prompt and candidates (by the published tokenizer of SmolLM2, see
parity_tokenizer.py) and scored under the weights that transformers dequantises from the same file. Of `zeroth eval` come
the lines of the held-out examples, and the scores, predictions and metric that are compared.

Needs torch, transformers, accelerate, gguf and tokenizers. Of a model that `zeroth finetune --save both` wrote, give
model.gguf and as --checkpoint its folder; accelerate is then not needed.

With --keep FOLDER the scores of transformers are kept there, a line an example, so that a run of hours that was stopped
goes on where it was.
"""

import argparse
import csv
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import torch
import transformers

from parity_tokenizer import published_tokenizer

SIX = "sst2,rte,wic,copa,multirc,boolq"
HALF_A_POINT = 0.005


def first_word_lower(text):
    head, space, tail = text.partition(" ")
    return (head if head == "I" else head.lower()) + space + tail


FILTERS = {
    "strip": lambda text: text.strip(" \t\n\v\f\r"),
    "lower": str.lower,
    "upper_first": lambda text: text[:1].upper() + text[1:],
    "lower_first_word": first_word_lower,
    "drop_period": lambda text: text.removesuffix("."),
    "add_question_mark": lambda text: text if text.endswith("?") else text + "?",
}


def scalar(value):
    return value if isinstance(value, str) else json.dumps(value)


def look_up(node, keys):
    for key in keys:
        if not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
    return node


def lists_of(path):
    """The keys between one "[]" and the next: "a.b[].c" gives [["a", "b"], ["c"]]."""
    return [[key for key in part.split(".") if key] for part in path.split("[]")]


def json_examples(row, path):
    """The nodes that each example sees: the row, then the element of each list that `path` goes through."""
    nodes = [[row]]
    for keys in lists_of(path)[:-1] if path else []:
        nodes = [above + [element] for above in nodes for element in look_up(above[-1], keys)]
    return nodes


class Example:
    """One example of a file: fields by name or place."""

    def __init__(self, task, nodes):
        self.task, self.nodes, self.candidate = task, nodes, None

    def place(self, path):
        if self.task["format"] != "jsonl":
            return self.nodes[0].get(path)
        parts = lists_of(path)
        return look_up(self.nodes[len(parts) - 1], parts[-1])

    def field(self, name):
        if name == "candidate" and self.candidate is not None:
            return self.candidate
        entry = self.task.get("fields", {}).get(name, name)
        entry = entry if isinstance(entry, dict) else {"from": entry}
        places = entry["from"] if isinstance(entry["from"], list) else [entry["from"]]
        value = scalar(next(found for found in map(self.place, places) if found is not None))
        return entry["values"][value] if "values" in entry else value

    def fill(self, template):
        def put(match):
            if match[0] in ("{{", "}}"):
                return match[0][0]
            name, *filters = match[1].split("|")
            text = self.field(name)
            for each in filters:
                text = FILTERS[each](text)
            return text

        return re.sub(r"\{\{|\}\}|\{([^{}]+)\}", put, template)

    def candidates(self):
        given = self.task["candidates"]
        if isinstance(given, list):
            return [self.fill(text) for text in given]
        *outer, last = lists_of(given["list"])
        texts = []
        for element in look_up(self.nodes[len(outer) - 1], outer[-1]):
            self.candidate = scalar(look_up(element, last))
            texts.append(self.fill(given["text"]))
        self.candidate = None
        return texts

    def label(self):
        rule = self.task["label"]
        value = self.field(rule["field"])
        if "values" in rule:
            return rule["values"][value]
        for bounds in rule.get("ranges", []):
            number = float(value)
            if (number > bounds.get("above", -torch.inf) and number >= bounds.get("at_least", -torch.inf)
                    and number < bounds.get("below", torch.inf) and number <= bounds.get("at_most", torch.inf)):
                return bounds["candidate"]
        return int(value)


def read_examples(task, path):
    """Every example of a file by its line and its number among those of the line."""
    text = path.read_bytes().decode("utf-8", errors="replace").removeprefix("\ufeff")
    examples = {}
    if task["format"] == "jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                for element, nodes in enumerate(json_examples(json.loads(line), task.get("examples"))):
                    examples[number, element] = Example(task, nodes)
        return examples
    if task["format"] == "tsv":
        rows = [(i, line.rstrip("\r").split("\t")) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
    else:
        reader, rows, line = csv.reader(text.splitlines(keepends=True)), [], 0
        for cells in reader:
            if cells:
                rows.append((line + 1, cells))
            line = reader.line_num
    names = task.get("columns") or rows.pop(0)[1]
    return {(line, 0): Example(task, [dict(zip(names, cells, strict=True))]) for line, cells in rows}


class Scorer:
    def __init__(self, model_file, checkpoint, longest):
        load = transformers.AutoModelForCausalLM.from_pretrained
        if checkpoint:
            self.model = load(checkpoint, dtype=torch.float32).eval()
        else:
            self.model = load(model_file.resolve().parent, gguf_file=model_file.name, dtype=torch.float32).eval()
        self.tokenizer, self.longest = published_tokenizer(model_file), longest
        self.seen, self.cache = [], transformers.DynamicCache()

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def row_after(self, tokens):
        """The logits that follow; what `tokens` begins with in common with those of the call before is not done again."""
        shared = 0
        while shared < min(len(self.seen), len(tokens) - 1) and self.seen[shared] == tokens[shared]:
            shared += 1
        if shared < len(self.seen):
            if shared:
                self.cache.crop(shared - len(self.seen))  # a negative number takes from the end
            else:
                self.cache = transformers.DynamicCache()
        self.seen = tokens
        with torch.no_grad():
            rest = torch.tensor([tokens[shared:]])
            return self.model(rest, past_key_values=self.cache, use_cache=True, logits_to_keep=1).logits[0, -1]

    def log_probabilities(self, prompt, continuation):
        with torch.no_grad():
            tokens = torch.tensor([prompt + continuation[:-1]])
            logits = self.model(tokens, logits_to_keep=len(continuation)).logits[0]
        table = torch.log_softmax(logits.double(), dim=-1)
        return [table[i, token].item() for i, token in enumerate(continuation)]

    def scores(self, prompt, candidates, own_shared):
        """The log-probabilities of each candidate's tokens after the prompt."""
        sequences = [self.encode(prompt + text) for text in candidates]
        compared = sequences + ([self.encode(prompt)] if own_shared else [])
        shared = 0
        while all(len(s) > shared and s[shared] == compared[0][shared] for s in compared):
            shared += 1
        longest = max(len(s) - shared for s in sequences)
        begin = max(0, shared - (self.longest - longest))
        assert begin < shared, "this script needs a prompt of at least one token"
        head = sequences[0][begin:shared]
        if longest == 1:  # what follows the prompt is asked of one and the same row
            row = torch.log_softmax(self.row_after(head).double(), dim=-1)
            return [[row[s[-1]].item()] for s in sequences]
        return [self.log_probabilities(head, s[shared:]) for s in sequences]

    def candidate_scores(self, task, example):
        own_shared = task.get("shared_beginning") == "candidate"
        candidates, how = example.candidates(), task.get("score", "mean")
        tokens = self.scores(example.fill(task["prompt"]), candidates, own_shared)
        if isinstance(how, dict):
            neutral = self.scores(example.fill(how["against"]), candidates, own_shared)
            return [sum(a) - sum(b) for a, b in zip(tokens, neutral)]
        return [sum(t) / (len(t) if how == "mean" else 1) for t in tokens]


class KeptScores:
    """Scores of a task's examples on disk: for the same task, model and length those of an earlier run count."""

    def __init__(self, folder, name, task, arguments):
        self.scores, self.file = {}, None
        if not folder:
            return
        model = arguments.checkpoint or arguments.model
        of = [task, str(model.resolve()), model.stat().st_size, arguments.max_tokens, transformers.__version__]
        digest = hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{pathlib.Path(name).stem}.{digest}.jsonl"
        if path.exists():
            whole = path.read_text()
            path.write_text(whole[:whole.rfind("\n") + 1])  # without a line that was cut off
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self.scores[row["line"], row["element"]] = row["scores"]
        self.file = path.open("a")

    def get(self, place, compute):
        if place not in self.scores:
            self.scores[place] = compute()
            if self.file:
                line = {"line": place[0], "element": place[1], "scores": self.scores[place]}
                self.file.write(json.dumps(line) + "\n")
                self.file.flush()
        return self.scores[place]


def metric_of(task, labels, predictions, groups):
    metric = task.get("metric", "accuracy")
    name = metric if isinstance(metric, str) else metric["name"]
    right = [l == p for l, p in zip(labels, predictions)]
    if name == "accuracy":
        return sum(right) / len(right)
    if name == "exact_match":
        return sum(all(r for r, g in zip(right, groups) if g == group) for group in set(groups)) / len(set(groups))
    positive = metric["positive"]
    found = sum(l == p == positive for l, p in zip(labels, predictions))
    precision = found / max(1, predictions.count(positive))
    recall = found / max(1, labels.count(positive))
    return 2 * precision * recall / (precision + recall) if found else 0.0


def find(data, task, name):
    for path in (data / name, data / task.get("folder", "") / name):
        if path.exists():
            return path
    return None


def compare(name, arguments, scorer):
    """Prints what differs. True if nothing does beyond the tolerance; None if the data are not there."""
    text = pathlib.Path(name).read_text(encoding="utf-8") if name.endswith(".json") else subprocess.run(
        [arguments.program.resolve(), "tasks", name], check=True, capture_output=True, text=True).stdout
    task = json.loads(text)
    path = find(arguments.data, task, task["files"].get("all") or task["files"]["held_out"])
    if path is None:
        print(f"{name}: no data")
        return None
    threads = ["--threads", str(arguments.threads)] if arguments.threads else []
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, "eval.json")
        subprocess.run([arguments.program.resolve(), "eval", "--model", arguments.model, "--task", name, "--data",
                        arguments.data, "--eval-examples", str(arguments.examples), "--max-tokens",
                        str(arguments.max_tokens), "--output", output, *threads], check=True, stderr=subprocess.DEVNULL)
        found = json.loads(output.read_text())
    examples = read_examples(task, path)
    kept = KeptScores(arguments.keep, name, task, arguments)
    for row in sorted(found["per_example"], key=lambda row: examples[row["line"], row["element"]].fill(task["prompt"])):
        place = row["line"], row["element"]
        kept.get(place, lambda place=place: scorer.candidate_scores(task, examples[place]))
    worst, flipped, labels, predictions, groups, good = 0.0, 0, [], [], [], True
    for row in found["per_example"]:
        place = row["line"], row["element"]
        example = examples[place]
        scores = kept.scores[place]
        labels.append(example.label())
        predictions.append(scores.index(max(scores)))
        group = task.get("metric", {}).get("group") if isinstance(task.get("metric"), dict) else None
        groups.append(example.fill(group) if group else len(groups))
        worst = max([worst] + [abs(a - b) for a, b in zip(scores, row["scores"], strict=True)])
        if labels[-1] != row["label"]:
            print(f"{name}: {path}:{row['line']}: expected the label {labels[-1]}, found {row['label']}")
            good = False
        if predictions[-1] != row["prediction"]:
            flipped += 1
            good = good and abs(scores[predictions[-1]] - scores[row["prediction"]]) <= 2 * arguments.tolerance
    metric = metric_of(task, labels, predictions, groups)
    accuracy = metric_of({}, labels, predictions, groups)
    print(f"{name}: {len(labels)} examples, {found['metric']} {found['metric_value']:.4f} (transformers {metric:.4f}), "
          f"accuracy {found['accuracy']:.4f} ({accuracy:.4f}), "
          f"largest difference of a score {worst:.2e} (at most {arguments.tolerance:g}), {flipped} predictions differ",
          flush=True)
    for ours, theirs in [(found["metric_value"], metric), (found["accuracy"], accuracy)]:
        good = good and abs(ours - theirs) <= (HALF_A_POINT if flipped else 1e-12)
    return good and worst <= arguments.tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--checkpoint", type=pathlib.Path, help="folder that transformers loads instead of MODEL.gguf")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder above the tasks' folders")
    parser.add_argument("--program", type=pathlib.Path, required=True, help="zeroth")
    parser.add_argument("--tasks", default=SIX, help="names or task files, separated by commas")
    parser.add_argument("--examples", type=int, default=500)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--tolerance", type=float, default=2e-3)
    parser.add_argument("--keep", type=pathlib.Path, help="folder that keeps the scores of transformers")
    parser.add_argument("--threads", type=int, help="of torch and of zeroth")
    arguments = parser.parse_args()

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    scorer = Scorer(arguments.model, arguments.checkpoint, arguments.max_tokens)
    results = [compare(name, arguments, scorer) for name in arguments.tasks.split(",")]
    return 0 if any(results) and False not in results else 1


if __name__ == "__main__":
    sys.exit(main())
