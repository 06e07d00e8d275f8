# SPDX-License-Identifier: MIT
"""Compares zeroth's tokenizer with Hugging Face's on a real GGUF file of SmolLM2; exits with 1 on any difference.

    python tests/parity/parity_tokenizer.py MODEL.gguf [--data FOLDER] [--program PATH]

The reference is the published tokenizer of SmolLM2, `Sequence[Digits(individual_digits), ByteLevel]` without a normalizer
or unknown token, built here with `tokenizers` from the file's vocabulary and merges. The tokenizer that `transformers`
makes from the GGUF file itself leaves out the Digits step; what that changes is counted and reported, and is no failure.
Control tokens in a text are ordinary text on all sides. Also exported by the program and read back by
AutoTokenizer.from_pretrained: tokenizer.json and tokenizer_config.json.

Texts: the lines of tests/model/tokenizer/odd_unicode.txt; every code point, between letters, digits and spaces;
random strings; and, where --data has them, the sentences of SST-2/*.tsv and RTE/*.jsonl.

PATH is tests/model/tokenizer/tokenize_lines.cpp compiled; without it the script compiles it with $CXX or c++.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE_POINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c != 0x0A]


def published_tokenizer(path):
    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    assert fields["tokenizer.ggml.pre"].contents() == "smollm", "this script knows the pre-tokenizer of SmolLM2 only"
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token, kind in zip(tokens, types) if kind == 3])
    return tokenizer


def random_texts(count, seed):
    generator = random.Random(seed)
    pool = list(" \t\r\u00a0\u3000\u2028'’.,!?-_()\"aeionrstlvdmTHE0123456789") + [" ", "  ", "'s", "'ll", "'re", " the"]
    pool += list("éñßЖя中国あ한글אبनमस्ते½²٣५\u0301\u200d\ufe0f😀👍🏽\U00011de1\x01\x7f")
    return ["".join(generator.choice(pool) for _ in range(generator.randrange(1, 40))) for _ in range(count)]


def tsv_texts(path):
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [row[-1] for row in rows[1:]]


def jsonl_texts(path):
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [record[key] for record in records for key in ["premise", "hypothesis"]]


def text_sets(data):
    yield "odd_unicode.txt", (ROOT / "tests/model/tokenizer/odd_unicode.txt").read_bytes().decode().split("\n")[:-1]
    yield "every code point", [
        "".join(f"1{c}a {c}'s" for c in CODE_POINTS[i:i + 64]) for i in range(0, len(CODE_POINTS), 64)]
    yield "random strings", random_texts(20000, seed=1)
    if data:
        for name, read in [("SST-2/dev.tsv", tsv_texts), ("SST-2/train.tsv", tsv_texts), ("RTE/val.jsonl", jsonl_texts),
                           ("RTE/train.jsonl", jsonl_texts)]:
            if (data / name).exists():
                yield name, read(data / name)
            else:
                print(f"{name:20} not there, skipped")


def encode_with_program(program, model, texts):
    with tempfile.NamedTemporaryFile("wb", suffix=".txt") as file:
        file.write("".join(json.dumps(text) + "\n" for text in texts).encode())
        file.flush()
        result = subprocess.run([program, model, file.name], check=True, capture_output=True, text=True)
    lines = result.stdout.split("\n")[:-1]
    assert len(lines) == len(texts), f"expected {len(texts)} lines, found {len(lines)}"
    return [[int(number) for number in line.removesuffix(" !").removesuffix("!").split()] for line in lines]


def compile_program(folder):
    program = pathlib.Path(folder) / "tokenize_lines"
    source = ROOT / "tests/model/tokenizer/tokenize_lines.cpp"
    subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O2", f"-I{ROOT / 'include'}", source, "-o", program],
                   check=True)
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path)
    arguments = parser.parse_args()

    published = published_tokenizer(arguments.model)
    from_gguf = AutoTokenizer.from_pretrained(arguments.model.parent, gguf_file=arguments.model.name).backend_tokenizer
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        program = arguments.program or compile_program(folder)
        subprocess.run([program, arguments.model, "--export", folder], check=True)
        exported = AutoTokenizer.from_pretrained(folder).backend_tokenizer
        references = {"published": published, "exported": exported, "from GGUF": from_gguf}
        for reference in references.values():
            reference.encode_special_tokens = True
        print(f"{'texts':20} {'compared':>9} {'tokens':>9}   different from: " + ", ".join(references))
        for name, texts in text_sets(arguments.data):
            ours = encode_with_program(program, arguments.model, texts)
            different = {}
            for key, reference in references.items():
                theirs = [encoding.ids for encoding in reference.encode_batch(texts, add_special_tokens=False)]
                unequal = [i for i in range(len(texts)) if ours[i] != theirs[i]]
                different[key] = len(unequal)
                if key != "from GGUF":
                    failures += len(unequal)
                    for i in unequal[:3]:
                        print(f"  {key}, {texts[i]!r}:\n    ours   {ours[i]}\n    theirs {theirs[i]}")
            print(f"{name:20} {len(texts):9} {sum(map(len, ours)):9}   " + ", ".join(map(str, different.values())))
    print("no difference" if failures == 0 else f"{failures} differences")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
