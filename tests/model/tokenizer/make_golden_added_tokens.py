# SPDX-License-Identifier: MIT
"""Writes golden_added_tokens.json: small folders of tokenizers whose files add tokens in every way, and the ids that
`transformers` and `tokenizers` give to texts, special tokens in them split.

    python tests/model/tokenizer/make_golden_added_tokens.py
"""

import base64
import json
import pathlib
import tempfile

from tokenizers import Tokenizer
from transformers import GPT2Tokenizer, LlamaTokenizer, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import import_protobuf

FOLDER = pathlib.Path(__file__).resolve().parent
SPACE = "\u2581"
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
PREPEND = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, REPLACE]}
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
BPE = json.loads((FOLDER / "golden_sentencepiece.json").read_text())["models"]["bpe"]


def token(id, content, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": False, **flags}


def document(added, normalizer=REPLACE, step=None, fallback=False, unigram=None, **flags):
    vocab = {piece: i for i, piece in enumerate(["<unk>", "a", "b", "ab", SPACE, SPACE + "a"] + BYTES * fallback)}
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": fallback,
             "vocab": vocab, "merges": ["a b", f"{SPACE} a"], **flags}
    if unigram:
        model = {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": unigram}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizer,
            "pre_tokenizer": step, "post_processor": None, "decoder": None, "model": model}


def byte_level(added, **flags):
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **flags}
    vocab = {piece: i for i, piece in enumerate(["a", "b", "ab", "\u0120", "\u0120a", "e", "\u00c3", "\u00a9"])}
    return {**document(added, None, step), "model": {
        "type": "BPE", "dropout": None, "unk_token": None, "vocab": vocab, "merges": ["a b", "\u0120 a"],
        "ignore_merges": flags.pop("ignore_merges", False)}}


def sentencepiece_model(pieces):
    model = import_protobuf().ModelProto()
    for piece, score, kind in pieces:
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = False
    return base64.b64encode(model.SerializeToString()).decode()


LLAMA = sentencepiece_model(
    [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("{u}", 0, 4), ("<pad>", 0, 3)] + [(byte, 0, 6) for byte in BYTES] +
    [(piece, -i, 1) for i, piece in enumerate([SPACE, "a", "b", "ab", "<", ">", "s", "<s", "/", "s>", "<u", SPACE + "a"])])


def metaspace(scheme, split=False):
    return {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": split}


PIECES = [["<unk>", 0.0], ["a", -2.5], ["b", -3.0], ["ab", -4.0], [SPACE, -2.0], [SPACE + "a", -6.0], ["ba", -5.25]]
GEMMA = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "\n", "\n\n", 2 * SPACE] + BYTES + [
    SPACE, "a", "b", "ab", SPACE + "a"]
WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
         r"\s+(?!\S)|\s+")


def split_words(digits):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": WORDS.replace("DIGITS", digits)}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}


CASES = {
    "the form of Gemma's": (
        {"tokenizer.json": document(
            [token(id, text, special=id < 5) for id, text in enumerate(GEMMA[:8])], REPLACE,
            {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}, True,
            vocab={text: id for id, text in enumerate(GEMMA)}, merges=["a b", f"{SPACE} a", f"{SPACE} {SPACE}"])},
        ["a  ab", " ab", "a\n\nb\n", "<bos>a<start_of_turn>b", "caf\u00e9", "a   b", 2 * SPACE + "a", "<unk>"]),
    "the form of Phi-3's": (
        {"tokenizer.json": document(
            [token(0, "<unk>", special=True), token(262, "<|endoftext|>", special=True), token(263, "</s>", rstrip=True),
             token(264, "<|assistant|>", special=True, rstrip=True), token(265, "<|user|>", special=True, rstrip=True)],
            PREPEND, fallback=True)},
        ["ab", " ab", "a</s>  b", "<|user|>\n a<|assistant|> b", "a\n\u00e9", "</s>"]),
    "the form of Qwen3's": (
        {"tokenizer.json": {
            **byte_level([token(8, "<|endoftext|>", special=True), token(9, "<think>"), token(10, "</think>")]),
            "normalizer": {"type": "NFC"}, "pre_tokenizer": split_words("")}},
        ["ab a", "<think>ab</think> a", "e\u0301 ab", "<|endoftext|>a", " a'sab"]),
    "the form of SmolLM3's": (
        {"tokenizer.json": {
            **byte_level([token(8, "<|end_of_text|>", special=True), token(9, "<think>"), token(10, "</think>")],
                         ignore_merges=True), "pre_tokenizer": split_words("{1,3}")}},
        ["ab a", "<think>ab</think> a", "<|end_of_text|>a", " aab e"]),
    "white space after a token may begin another": (
        {"tokenizer.json": document([token(6, "{u}", rstrip=True), token(7, " b"), token(8, "   c", lstrip=True)])},
        ["a{u}   b", "a{u}     ba", "a{u}   c", "a{u}     ca"]),
    "a token of white space that takes more of it": (
        {"tokenizer.json": document([token(6, " ", rstrip=True)])}, ["a   b", "  "]),
    "single words": (
        {"tokenizer.json": document([token(6, "w", single_word=True)])},
        ["w", "aw", " w ", "w_", "\u00e9w", "w\u0301", "w\u200d", "w\u20dd", "w-w", "\u0663w", "\u00b2w", "\u24d0w", "ww"]),
    "a special token hides what overlaps it": (
        {"tokenizer.json": document([token(6, "<s>", special=True), token(7, "s>b"), token(8, "<s>a")])},
        ["<s>b<s>a", "s>b"]),
    "a token that was special stays so": (
        {"tokenizer.json": document([token(6, "<s>", special=True), token(6, "<s>")])}, ["a<s>b"]),
    "the later of two tokens of one text counts": (
        {"tokenizer.json": document([token(6, "{u}"), token(6, "{u}", rstrip=True), token(7, "{v}")])}, ["a{u} b{v} a"]),
    "one character, with bytes": (
        {"tokenizer.json": document([token(262, "\u96ea", normalized=True)], PREPEND, fallback=True)},
        ["\u96ea", "a\u96ea", "\u767d\u96ea"]),
    "one character, without": (
        {"tokenizer.json": document([token(6, "c", normalized=True)], PREPEND)}, ["c", "acb", " c"]),
    "one character, byte-level": (
        {"tokenizer.json": byte_level([token(8, "x"), token(9, "\u0121"), token(1, "b", single_word=True)])},
        ["axb", "a\u0121", "ab b", "\x01"]),
    "add_prefix_space": (
        {"tokenizer.json": byte_level([token(8, "{u}")], add_prefix_space=True)}, ["ab", " ab", "a{u}b{u} a", "{u}", "\na"]),
    "normalized after others": (
        {"tokenizer.json": document([token(6, "b c", normalized=True), token(7, "c"), token(8, " x", normalized=True)])},
        ["b c", "ab c x", "a x"]),
    "added_tokens_decoder only": (
        {"tokenizer.json": document([], PREPEND),
         "tokenizer_config.json": {"added_tokens_decoder": {"6": {key: value for key, value in token(6, "<im>").items()
                                                                  if key != "id"}}, "eos_token": "<im>"}},
        ["the<im> a", "<im>"]),
    "added_tokens_decoder has other flags": (
        {"tokenizer.json": document([token(6, "{u}"), token(7, "{v}")]),
         "tokenizer_config.json": {"added_tokens_decoder": {
             "6": {key: value for key, value in token(6, "{u}", lstrip=True).items() if key != "id"}}}},
        ["a {u} {v}"]),
    "a named token becomes special": (
        {"tokenizer.json": document([token(6, "{u}"), token(7, "{v}")]), "tokenizer_config.json": {"pad_token": "{v}"}},
        ["a{u}{v}"]),
    "a named token that added_tokens_decoder leaves out does not": (
        {"tokenizer.json": document([token(6, "{u}"), token(7, "{v}")]),
         "tokenizer_config.json": {"pad_token": "{v}", "added_tokens_decoder": {}}}, ["a{u}{v}"]),
    "pad_token only in tokenizer_config.json": (
        {"tokenizer.json": document([token(6, "{u}")]), "tokenizer_config.json": {"pad_token": "[PAD]"}}, ["a{u}[PAD]"]),
    "special_tokens_map.json comes before tokenizer_config.json": (
        {"tokenizer.json": document([token(6, "{u}"), token(7, "{v}")]), "tokenizer_config.json": {"eos_token": "{u}"},
         "special_tokens_map.json": {"eos_token": {"content": "{v}", "lstrip": False, "rstrip": False,
                                                   "normalized": False, "single_word": False}}}, ["{u}{v}"]),
    "added_tokens.json": (
        {"tokenizer.json": document([token(6, "{u}")]), "added_tokens.json": {"<tool>": 7, "<|im_start|>": 8},
         "tokenizer_config.json": {"eos_token": "<|im_start|>"}}, ["a<tool>b{u}<|im_start|>"]),
    "additional_special_tokens": (
        {"tokenizer.json": document([token(6, "{u}")]),
         "tokenizer_config.json": {"additional_special_tokens": ["<x>", "{u}"]}}, ["a<x>{u}"]),
    "tokenizer.model with added_tokens.json": (
        {"tokenizer.model": BPE, "added_tokens.json": {"<tool>": 520, "<|im_start|>": 521},
         "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "legacy": False, "eos_token": "<|im_start|>"}},
        ["a<tool>b", " The river<tool> The", "<|im_start|>", "<tool>a{u}b"]),
    "tokenizer.model, legacy": (
        {"tokenizer.model": BPE, "added_tokens.json": {"<tool>": 520},
         "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "legacy": True}},
        ["a<tool>b", " The river<tool> The"]),
    "vocab.json and merges.txt": (
        {"vocab.json": byte_level([])["model"]["vocab"] | {"</s>": 8}, "merges.txt": "#version: 0.2\na b\n\u0120 a\n",
         "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "bos_token": "</s>",
                                   "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}},
        ["ab a</s>e\u00e9<pad>", " a"]),
    "vocab.json and merges.txt with a prefix": (
        {"vocab.json": byte_level([])["model"]["vocab"] | {"<|endoftext|>": 8}, "merges.txt": "a b\n\u0120 a",
         "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True},
         "added_tokens.json": {"{u}": 9}}, ["ab a{u}a", " a"]),
    "LlamaTokenizer, merges that make a control token": (
        {"tokenizer.model": LLAMA, "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer"}},
        ["a<s>b", "<s>", "</s>ab", "a{u}b<pad>", "<unk>"]),
    "LlamaTokenizer, the flags of files come before the model's own": (
        {"tokenizer.model": LLAMA, "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer"},
         "added_tokens.json": {"</s>": 2, "/s>": 273, "{u}": 3}}, ["a</s>b", "a/s>b", "a {u} b"]),
    "LlamaTokenizer, the model's own bos is not that of the files": (
        {"tokenizer.model": LLAMA, "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>x"},
         "added_tokens.json": {"<s>": 1, "<s>x": 273}}, ["a<s>b", "a<s>xb"]),
    "LlamaTokenizer, the unknown token is not that of the files": (
        {"tokenizer.model": LLAMA, "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "unk_token": "b"},
         "added_tokens.json": {"<unk>": 0}}, ["a<unk>a", "b"]),
    "LlamaTokenizer, additional_special_tokens in place of the model's own": (
        {"tokenizer.model": LLAMA, "tokenizer_config.json": {
            "tokenizer_class": "LlamaTokenizer", "additional_special_tokens": ["zz"]}}, ["a{u}b", "<pad>azz"]),
    "unigram, the unknown token is added": (
        {"tokenizer.json": document([token(0, "<unk>"), token(7, "{u}")], None, metaspace("never"), unigram=PIECES)},
        ["a<unk>b", "<unk>", "<unk>{u}x"]),
    "unigram, the unknown token is special": (
        {"tokenizer.json": document([token(0, "<unk>", special=True), token(7, "k>b")], None, metaspace("never"),
                                    unigram=PIECES)}, ["a<unk>b", "k>b"]),
    "unigram, a token in the unknown one's text": (
        {"tokenizer.json": document([token(7, "<")], None, metaspace("always"), unigram=PIECES)}, ["a<unk>b", "<"]),
    "unigram, always": (
        {"tokenizer.json": document([token(7, "{u}"), token(8, "b a", normalized=True)], None, metaspace("always"),
                                    unigram=PIECES)}, ["ab ba", " aab", "a{u}a{u} a", "xyaz", "b a", "", "  "]),
    "unigram, first, split": (
        {"tokenizer.json": document([token(7, "{u}", lstrip=True)], REPLACE, metaspace("first", True), unigram=PIECES)},
        ["ab ba", " aab", "a {u}a{u} a", "{u}a", "x y"]),
    "unigram, white space": (
        {"tokenizer.json": document(
            [token(7, "{u}")], {"type": "Sequence", "normalizers": [
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
            {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace("always")]}, unigram=PIECES)},
        ["  ab   ba ", "\n a\tb{u} a", "a\u3000b"]),
}


def write(folder, files):
    for name, content in files.items():
        path = pathlib.Path(folder, name)
        if name == "tokenizer.model":
            path.write_bytes(base64.b64decode(content))
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))


def main():
    classes = {"GPT2Tokenizer": GPT2Tokenizer, "LlamaTokenizer": LlamaTokenizer}
    result = []
    for name, (files, texts) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, files)
            known = files.get("tokenizer_config.json", {}).get("tokenizer_class")
            if list(files) == ["tokenizer.json"]:
                whole, tokenizer = None, Tokenizer.from_file(folder + "/tokenizer.json")
            else:
                whole = classes.get(known, PreTrainedTokenizerFast).from_pretrained(folder)
                tokenizer = whole.backend_tokenizer
            tokenizer.encode_special_tokens = True
            case = {"name": name, "files": {file: "bpe" if content is BPE else content for file, content in files.items()},
                    "texts": texts, "ids": [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]}
            for key in ["eos", "pad"]:
                if whole is not None and key + "_token" in {**files.get("tokenizer_config.json", {}),
                                                            **files.get("special_tokens_map.json", {})}:
                    case[key] = getattr(whole, key + "_token_id")
            result.append(case)
    lines = ",\n".join(json.dumps(case) for case in result)
    (FOLDER / "golden_added_tokens.json").write_text("[\n" + lines + "\n]\n")


if __name__ == "__main__":
    main()
