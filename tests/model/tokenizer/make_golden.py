# SPDX-License-Identifier: MIT
"""Writes golden.json next to this file: a tiny byte-level BPE trained by Hugging Face `tokenizers` on the text below, and the
ids it gives to every line of odd_unicode.txt, to the whole of it and to bytes that are not UTF-8, for each pre-tokenizer,
with what belongs to it: NFC for Qwen2, words that are tokens taken whole for LLaMA-3.

    python tests/model/tokenizer/make_golden.py
"""

import json
import pathlib

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).resolve().parent
# Bytes without a token, so that text with them shows what happens then.
MISSING_BYTES = ["\u0101", "\u0104", "\u00f7"]  # 0x01, 0x04, 0xF7 in the byte alphabet
TEXT = """
The river was low that summer, and the ferryman's boat lay on its side in the mud. "It'll float again," he said, "when
the rains come; they've always come." We didn't believe him, but we'd nothing better to do than wait. In 1904 the water
had stood 12 feet higher; in 1921 it was 37 feet at the bridge, and 1234 sheep were lost. There's a mark on the wall.
A good film, a bad film: the story is thin, the acting is great, and I'm not sure that you're going to like the end.
It was terrible. It was great. It was okay. The question is whether the first sentence says what the second one says.
def step(weights, noise, rate):
    for i in range(len(weights)):
        weights[i] -= rate * noise[i]
    return weights
Der Fluss war in jenem Sommer seicht; später stieg er wieder. L'été était chaud, et l'eau très basse à côté du pont.
Летом река обмелела, и лодка лежала на боку. 夏天河水很浅，船躺在泥里。 夏には川の水が少なかった。 여름에 강물이 얕았다.
كان النهر ضحلا في ذلك الصيف. उस गर्मी में नदी उथली थी। Το καλοκαίρι το ποτάμι ήταν ρηχό. 🙂🙂 👍🏽 👨‍👩‍👧
"""
INVALID = [
    b"\xff", b"a\xffb", b"\x80\x80", b"\xc3", b"caf\xc3", b"\xc3(", b"\xc0\x80", b"\xc1\xbf", b"\xe2\x82", b"\xe2\x82x",
    b"\xe2\x28\xa1", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xef\xbf", b"\xf0\x9f\x98",
    b"\xf0\x9f\x98x", b"\xf0\x9f", b"\xf0\x8f\xbf\xbf", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80", b"\xfe\xfe\xff\xff", b"1\xff2 \xff 3", b" \xff\xff's \xc3\xa9\xc3", b"\xe2\x82\xf0\x9f\x98\x80",
]


PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|"
           r"\s*[\r\n]+|\s+(?!\S)|\s+")


def pre_tokenizer(name):
    if name in ["llama-bpe", "qwen2"]:
        pattern = PATTERN.replace("DIGITS", "{1,3}" if name == "llama-bpe" else "")
        return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name == "gpt-2":
        return byte_level
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])


def main():
    whole = (HERE / "odd_unicode.txt").read_bytes().decode()
    lines = whole.split("\n")[:-1]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizer("gpt-2")
    alphabet = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(MISSING_BYTES))
    trainer = trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    golden = {
        "tokens": sorted(model["vocab"], key=model["vocab"].get),
        "merges": [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]],
        "invalid": [text.hex() for text in INVALID],
        "ids": {},
    }
    assert not set(MISSING_BYTES) & set(golden["tokens"])
    # A word that merges to more than one token; only LLaMA-3 takes it whole.
    golden["tokens"].append("\u0120ferrymanly")
    for name in ["gpt-2", "smollm", "llama-bpe", "qwen2"]:
        tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(golden["tokens"])},
                                         merges=[tuple(merge.split(" ")) for merge in golden["merges"]],
                                         ignore_merges=name == "llama-bpe"))
        tokenizer.pre_tokenizer = pre_tokenizer(name)
        if name == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        golden["ids"][name] = {"whole": tokenizer.encode(whole).ids}
        # The file would be twice as large with these for every pre-tokenizer.
        if name in ["gpt-2", "smollm"]:
            golden["ids"][name]["lines"] = [tokenizer.encode(line).ids for line in lines]
            golden["ids"][name]["invalid"] = [
                tokenizer.encode(text.decode("utf-8", errors="replace")).ids for text in INVALID]
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":")).replace("],[", "],\n[").replace("],\"", "],\n\"")
    (HERE / "golden.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
