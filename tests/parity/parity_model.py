# SPDX-License-Identifier: MIT
"""Compares zeroth's log-probabilities with those of Hugging Face transformers in f32; exits with 1 beyond a tolerance.

    pip install torch transformers gguf
    python tests/parity/parity_model.py MODEL.gguf --data SST-2 --program build/zeroth [--exported FOLDER] [--adapter FOLDER]

The texts are the first sentences of SST-2/dev.tsv. `zeroth score` cuts them into tokens, so that both sides see the
same ones (tests/parity/parity_tokenizer.py compares the tokenizers), and transformers scores them under the weights that it
dequantises from the same file.

FOLDER is what `zeroth finetune --save both` wrote: model.gguf, which zeroth scores again, and beside it the checkpoint
that transformers loads as it is.

With --adapter, what `zeroth finetune --lora-rank` saved as OUT/adapter is scored too: by zeroth over the GGUF file, and by
PEFT (pip install peft) over the model that transformers made of it.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers


def sentences(data, count):
    lines = (data / "dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t", 1)[1].strip() for line in lines[:count]]


def score_with_zeroth(program, model, texts, adapter=None):
    """What `zeroth score` says of each text: its tokens, and the log-probability of each but the first."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "texts.txt"), pathlib.Path(folder, "scores.jsonl")
        source.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        command = [program.resolve(), "score", "--model", model, "--input", source, "--output", target]
        subprocess.run(command + (["--adapter", adapter] if adapter else []), check=True)
        return [json.loads(line) for line in target.read_text().splitlines()]


def score_with_transformers(model, tokens):
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0, :-1].float()
        table = torch.log_softmax(logits, dim=-1)
    return table[torch.arange(len(tokens) - 1), torch.tensor(tokens[1:])].tolist()


def compare(name, scored, model, count, tolerance):
    """Prints the largest difference. True if it is within the tolerance."""
    if len(scored) != count:
        print(f"{name}: expected {count} lines, found {len(scored)}")
        return False
    worst, total = 0.0, 0
    for line in scored:
        tokens, found = line["tokens"], line["logprobs"]
        if len(found) != len(tokens) or any((p is None) != (i == 0) for i, p in enumerate(found)):
            print(f"{name}: expected one null and then a number for each further token, found {found}")
            return False
        if len(tokens) < 2:
            continue
        for ours, theirs in zip(found[1:], score_with_transformers(model, tokens)):
            worst = max(worst, abs(ours - theirs))
            total += 1
    print(f"{name}: {total} log-probabilities of {count} texts, largest difference {worst:.2e} (at most {tolerance:g})")
    return total > 0 and worst <= tolerance


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with dev.tsv")
    parser.add_argument("--program", type=pathlib.Path, required=True, help="zeroth")
    parser.add_argument("--exported", type=pathlib.Path, help="folder of a saved model in both forms")
    parser.add_argument("--adapter", type=pathlib.Path, help="folder of an adapter that was tuned over MODEL.gguf")
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--tolerance", type=float, default=2e-3)
    arguments = parser.parse_args()

    texts = sentences(arguments.data, arguments.sentences)
    load = transformers.AutoModelForCausalLM.from_pretrained
    folder, file = arguments.model.resolve().parent, arguments.model.name
    model = load(folder, gguf_file=file, dtype=torch.float32).eval()
    scored = score_with_zeroth(arguments.program, arguments.model, texts)
    good = compare(file, scored, model, len(texts), arguments.tolerance)

    if arguments.exported:
        model = load(arguments.exported).eval()
        assert model.dtype == torch.float32, f"expected a checkpoint in float32, found {model.dtype}"
        scored = score_with_zeroth(arguments.program, arguments.exported / "model.gguf", texts)
        good = compare(f"{arguments.exported} in both forms", scored, model, len(texts), arguments.tolerance) and good

    if arguments.adapter:
        import peft

        plain = load(folder, gguf_file=file, dtype=torch.float32).eval()
        model = peft.PeftModel.from_pretrained(plain, arguments.adapter).eval()
        scored = score_with_zeroth(arguments.program, arguments.model, texts, arguments.adapter)
        good = compare(f"{arguments.adapter} on {file}", scored, model, len(texts), arguments.tolerance) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
