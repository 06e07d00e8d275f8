# SPDX-License-Identifier: MIT
"""Compares zeroth's tokenizers with the reference on random tokenizers and adversarial texts.

    python tests/parity/parity_random_tokenizers.py [--count N] [--kind KIND] [--seed N] [--program PATH] [--keep FOLDER]

Makes N tokenizers of each kind (byte-level BPE, BPE of characters, unigram), each with 60 texts, and counts those whose
ids differ from those of `tokenizers`, `transformers` or `sentencepiece`; exits with 1 if any do. Vocabularies, merges and
scores are random; added tokens have every flag and are in every file that may hold them. A tokenizer that the program
rejects is counted with the reason; one that the reference cannot load or that it fails on is left out. Each tokenizer is
also written as GGUF, read, written as Hugging Face's files and read again: ids and special tokens must stay.

Special tokens in a text are text on both sides (`split_special_tokens`). `tokenizers` still finds a special
piece of a unigram vocabulary there, which neither SentencePiece nor zeroth does: such pieces have another text in the
reference's vocabulary, and no text has the name of a byte's piece. A "tie" is a text that a unigram model cuts into the
same pieces in another order, so that the sums of their scores differ by rounding only; ties are no difference. Those of
a round trip, between the library SentencePiece and the tokenizer.json made of its model, are counted apart.

Versions of SentencePiece differ in the order of such pieces and in the score that they give to a user-defined piece:
0.1.97 its size times the best score, or 0 if that is negative, less 0.1; 0.2.3 0.1 times its size, less 0.1. Where the
package has another rule than the library of the program, unigram models get no user-defined pieces, and the script says
so. `pip install --target DIR sentencepiece==VERSION` and PYTHONPATH=DIR give it the library's version.

PATH is tests/model/tokenizer/tokenize_lines.cpp compiled with -DZEROTH_SENTENCEPIECE; without it the script compiles it.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RUST_BACKTRACE"] = "0"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"

import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, Tokenizer, pre_tokenizers
from transformers import GPT2Tokenizer, LlamaTokenizer, PreTrainedTokenizerFast

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPACE = "\u2581"
TEXTS = 60
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|"
           r"\s*[\r\n]+|\s+(?!\S)|\s+")
LETTERS = list("aaabbcdeestxyzABS<>[]{}|_.,'!-09") + list("\u00e9\u00df\u017f\u0416\u96ea\u4e2d\ud55c\u0301\u0323\u0905")
LETTERS += ["\U0001f600", "\U0001f468\u200d\U0001f469", "\U00020000", "\u212b", "\u1112\u1161\u11ab"]
BLANKS = [" ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\u0085", "\x1c", "\v", "      "]
PLANES = [(0, 0x80), (0x80, 0x800), (0x800, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000), (0x20000, 0x30000),
          (0xE0000, 0xE1000), (0xF0000, 0x110000)]


def byte_alphabet():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return {byte: chr(byte) if byte in printable else chr(256 + sum(b not in printable for b in range(byte)))
            for byte in range(256)}


BYTE_CHARACTERS = byte_alphabet()
BYTE_OF = {character: byte for byte, character in BYTE_CHARACTERS.items()}


def surface(piece, byte_level):
    """The text of a piece of a vocabulary."""
    if not byte_level:
        return piece.replace(SPACE, " ")
    return bytes(BYTE_OF[c] for c in piece if c in BYTE_OF).decode("utf-8", "ignore")


class Maker:
    """Makes one random tokenizer: a folder, the texts, and the reference's ids of them."""

    def __init__(self, seed, kind, folder):
        self.random = random.Random(f"{kind} {seed}")
        self.kind = kind
        self.byte_level = kind == "byte-level"
        self.folder = folder

    user_defined = True  # whether unigram models have such pieces

    def chance(self, p):
        return self.random.random() < p

    # Vocabularies

    def characters(self):
        """A few characters that make up most words."""
        found = [self.random.choice(LETTERS) for _ in range(self.random.randrange(3, 14))]
        return list(dict.fromkeys(c for text in found for c in text))

    def merges(self, symbols):
        """Pairs of tokens; what they make; both random."""
        tokens = list(dict.fromkeys(symbols))
        pairs = []
        known = set(tokens)
        weights = list(tokens)
        for _ in range(self.random.choice([0, 3, 10, 40, 120])):
            left, right = self.random.choice(weights), self.random.choice(weights)
            if len(left) + len(right) > 24:
                continue
            pairs.append((left, right))
            if left + right not in known:
                known.add(left + right)
                tokens.append(left + right)
                weights += [left + right] * 2
        # Other ways to form an existing token.
        for token in tokens:
            for i in range(1, len(token)):
                if token[:i] in known and token[i:] in known and self.chance(0.2):
                    pairs.append((token[:i], token[i:]))
        pairs = list(dict.fromkeys(pairs))
        if self.chance(0.3):
            self.random.shuffle(pairs)
        return tokens, pairs

    def added_text(self, tokens):
        choices = [
            lambda: self.random.choice(["<s>", "</s>", "<pad>", "<|im_start|>", "[INST]", "{u}", "{u}+", "<im>", "ab", "a", "<",
                                        "caf\u00e9", "e\u0301", "\u96ea", "\u212b", "'s", "1", "12"]),
            lambda: self.random.choice(LETTERS),
            lambda: surface(self.random.choice(tokens), self.byte_level) or "x",
            lambda: self.random.choice(tokens),
            lambda: self.random.choice(BLANKS) + self.random.choice(LETTERS),
            lambda: self.random.choice(LETTERS) + self.random.choice(BLANKS),
            lambda: self.random.choice(BLANKS),
            lambda: "".join(self.random.choice(LETTERS) for _ in range(self.random.randrange(2, 6))),
        ]
        return self.random.choice(choices)()

    def added_tokens(self, tokens):
        result = []
        for _ in range(self.random.choice([0, 1, 2, 3, 5, 9])):
            text = self.added_text(tokens)
            if result and self.chance(0.25):  # longer, shorter, or the end of another
                other = self.random.choice(result)["content"]
                text = self.random.choice([other + self.random.choice(LETTERS), other[:-1], other[1:], other + other])
            if not text or any(text == token["content"] for token in result):
                continue
            flag = lambda p: self.chance(p)
            special = flag(0.35)
            result.append({"content": text, "single_word": flag(0.15), "lstrip": flag(0.25), "rstrip": flag(0.25),
                           "normalized": flag(0.5) if flag(0.5) else not special, "special": special})
        return result

    def with_ids(self, added, vocab):
        """In order of the ids that `tokenizers` gives."""
        fresh = [token for token in added if token["content"] not in vocab]
        result = [{"id": vocab[token["content"]], **token} for token in added if token["content"] in vocab]
        result.sort(key=lambda token: token["id"])
        result += [{"id": len(vocab) + i, **token} for i, token in enumerate(fresh)]
        if result and self.chance(0.03):
            self.random.choice(result)["id"] += self.random.randrange(1, 4)
        return result

    def ids_of(self, tokens):
        order = list(tokens)
        if self.chance(0.5):
            self.random.shuffle(order)
        vocab = {token: i for i, token in enumerate(order)}
        if self.chance(0.04):
            vocab[order[-1]] += self.random.randrange(1, 5)
        return vocab

    # Texts

    def near_miss(self, text):
        if not text:
            return text
        i = self.random.randrange(len(text))
        return self.random.choice([text[:-1], text[1:], text[:i] + self.random.choice(LETTERS) + text[i:], text.upper(),
                                   text[:i] + text[i + 1:], text + text[:1], text.replace(" ", SPACE)])

    def any_character(self):
        while True:
            low, high = self.random.choice(PLANES)
            c = self.random.randrange(low, high)
            if not 0xD800 <= c < 0xE000 and c:
                return chr(c)

    def texts(self, tokens, added):
        words = [surface(token, self.byte_level) for token in tokens if not token.startswith("<0x")] or ["a"]
        names = [token["content"] for token in added]
        choices = [lambda: self.random.choice(words)] * 8 + [lambda: self.random.choice(BLANKS)] * 2
        choices += [lambda: " "] * 3 + [lambda: self.random.choice(LETTERS)] * 3 + [self.any_character]
        choices += [lambda: self.near_miss(self.random.choice(words)), lambda: self.random.choice(["\u0301", "\u0323", "\u200d"])]
        if names:
            choices += [lambda: self.random.choice(names)] * 6
            choices += [lambda: self.near_miss(self.random.choice(names))] * 2
            choices += [lambda: self.random.choice(BLANKS) + self.random.choice(names) + self.random.choice(BLANKS)]
        texts = ["".join(self.random.choice(choices)() for _ in range(self.random.randrange(0, 16))) for _ in range(TEXTS)]
        return texts

    # tokenizer.json

    def template(self, added):
        if not added or self.chance(0.5):
            return None
        token = self.random.choice(added)
        special = [{"SpecialToken": {"id": token["content"], "type_id": 0}}]
        text = [{"Sequence": {"id": "A", "type_id": 0}}]
        return {"type": "TemplateProcessing", "single": special + text if self.chance(0.6) else text + special,
                "pair": text + [{"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {
                    token["content"]: {"id": token["content"], "ids": [token["id"]], "tokens": [token["content"]]}}}

    def document(self, model, normalizer, pre_tokenizer, vocab, tokens):
        added = self.with_ids(self.added_tokens(tokens), vocab)
        return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": normalizer,
                "pre_tokenizer": pre_tokenizer, "post_processor": self.template(added), "decoder": None, "model": model}

    def byte_level_document(self):
        symbols = list(BYTE_CHARACTERS.values())
        if self.chance(0.2):
            symbols = self.random.sample(symbols, self.random.randrange(100, 256))
        words = [c for text in self.characters() + [" ", " "] for c in map(BYTE_CHARACTERS.get, text.encode())]
        tokens, merges = self.merges([c for c in words if c in symbols] or symbols[:1])
        tokens = list(dict.fromkeys(symbols + tokens))
        if self.chance(0.5):
            tokens += [self.random.choice(["<s>", "<|endoftext|>", "zz", "[INST]", "\u0120q\u0120"])]
        vocab = self.ids_of(tokens)
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        form = self.random.randrange(5)
        if form == 0:
            step = byte_level
        elif form == 1:
            step = {**byte_level, "add_prefix_space": True}
        elif form == 2:
            step = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]}
        else:
            pattern = PATTERN.replace("DIGITS", "{1,3}" if form == 3 else "")
            step = {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                {**byte_level, "use_regex": False}]}
        normalizer = {"type": "NFC"} if self.chance(0.3 + 0.4 * (form == 4)) else None
        model = self.bpe(vocab, merges, unk_token=None, fuse_unk=False, byte_fallback=False,
                         ignore_merges=self.chance(0.8 if form == 3 else 0.1))
        return self.document(model, normalizer, step, vocab, tokens), tokens

    def bpe(self, vocab, merges, **flags):
        form = [" ".join(pair) for pair in merges] if self.chance(0.5) and all(" " not in a + b for a, b in merges) else merges
        return {"type": "BPE", "dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, **flags,
                "vocab": vocab, "merges": form}

    def written_spaces(self):
        """Normalizer and pre-tokenizer that write spaces."""
        replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
        form = self.random.randrange(4)
        if form == 0:
            steps = [{"type": "Prepend", "prepend": SPACE}, replace]
            return {"type": "Sequence", "normalizers": steps}, None
        if form == 1:
            split = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
            return replace, self.random.choice([None, split])
        scheme = self.random.choice(["first", "always", "never"])
        return None, {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": self.chance(0.5)}

    def character_document(self):
        symbols = self.characters() + [SPACE] * 2
        tokens, merges = self.merges(symbols)
        byte_fallback = self.chance(0.7)
        others = ["<unk>"] if self.chance(0.9) else []
        if self.chance(0.7):
            others += ["<s>", "</s>"]
        if byte_fallback:
            others += [f"<0x{byte:02X}>" for byte in range(256)]
        tokens = list(dict.fromkeys(others + tokens))
        vocab = self.ids_of(tokens)
        normalizer, step = self.written_spaces()
        unknown = "<unk>" if "<unk>" in vocab and self.chance(0.8) else None
        model = self.bpe(vocab, merges, unk_token=unknown, fuse_unk=self.chance(0.6), byte_fallback=byte_fallback,
                         ignore_merges=False)
        return self.document(model, normalizer, step, vocab, tokens), tokens

    def unigram_pieces(self):
        symbols = self.characters() + [SPACE]
        tokens, _ = self.merges(symbols)
        if self.chance(0.3):
            tokens = self.random.sample(tokens, self.random.randrange(1, len(tokens) + 1))
        # With more digits `tokenizers` reads one in ten as a neighbouring number.
        return [(token, round(self.random.uniform(-12, -1), 6)) for token in tokens]

    def unigram_document(self):
        pieces = [("<unk>", 0.0)]
        if self.chance(0.7):
            pieces += [("<s>", 0.0), ("</s>", 0.0)]
        byte_fallback = self.chance(0.4)
        if byte_fallback:
            pieces += [(f"<0x{byte:02X}>", 0.0) for byte in range(256)]
        pieces += [piece for piece in self.unigram_pieces() if piece[0] not in dict(pieces)]
        if self.chance(0.3):
            self.random.shuffle(pieces)
        normalizer, step = self.unigram_spaces()
        vocab = {piece: i for i, (piece, _) in enumerate(pieces)}
        tokens = list(vocab)
        model = {"type": "Unigram", "unk_id": vocab["<unk>"], "byte_fallback": byte_fallback,
                 "vocab": [list(piece) for piece in pieces]}
        return self.document(model, normalizer, step, vocab, tokens), tokens

    def unigram_spaces(self):
        replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
        collapse = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
        strip = {"type": "Strip", "strip_left": True, "strip_right": True}
        steps = self.random.choice([[], [], [replace], [collapse], [strip, collapse], [strip, collapse, replace]])
        normalizer = {"type": "Sequence", "normalizers": steps} if len(steps) != 1 else steps[0]
        scheme = self.random.choice(["first", "always", "never"])
        metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": self.chance(0.5)}
        if self.chance(0.15):
            metaspace = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}
        return normalizer if steps else None, metaspace

    # Files next to it

    def token_value(self, token):
        """A special token as a configuration writes it."""
        if self.chance(0.5):
            return token["content"]
        value = {"__type": "AddedToken", **{key: token[key] for key in ["content", "lstrip", "normalized", "rstrip", "single_word"]}}
        return value

    def write_files_beside(self, tokens, known):
        """tokenizer_config.json and its like, with tokens that other files do not have; returns their texts."""
        config = {}
        more = [token for token in self.added_tokens(tokens)]
        name = lambda key: (lambda token: config.update({key: self.token_value(token)}))
        for key in ["bos_token", "eos_token", "unk_token", "pad_token"]:
            source = known + more
            if source and self.chance(0.35):
                name(key)(self.random.choice(source))
        if more and self.chance(0.3):
            config["additional_special_tokens"] = [token["content"] for token in self.random.sample(more, 1)]
        form = self.random.randrange(3)
        size = self.next_id
        listed = []
        for token in more:
            if token["content"] in self.ids:
                listed.append((self.ids[token["content"]], token))
            else:
                listed.append((size, token))
                size += 1
        if form == 0:
            decoder = {str(id): token for id, token in listed}
            for token in known:  # the same, or other flags
                decoder[str(token["id"])] = {key: value for key, value in token.items() if key != "id"}
                if self.chance(0.2):
                    decoder[str(token["id"])]["rstrip"] = self.chance(0.5)
            config["added_tokens_decoder"] = decoder
        elif form == 1:
            (self.folder / "added_tokens.json").write_text(json.dumps({token["content"]: id for id, token in listed}))
        special_map = {key: config.pop(key) for key in list(config) if form != 0 and key != "additional_special_tokens"
                       and self.chance(0.3)}
        if special_map:
            for value in special_map.values():
                if isinstance(value, dict):
                    value.pop("__type")
            (self.folder / "special_tokens_map.json").write_text(json.dumps(special_map))
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        (self.folder / "tokenizer_config.json").write_text(json.dumps(config))
        return more

    # All together

    def make_json(self):
        """A tokenizer.json, with or without the files next to it."""
        make = {"byte-level": self.byte_level_document, "characters": self.character_document,
                "unigram": self.unigram_document}[self.kind]
        document, tokens = make()
        (self.folder / "tokenizer.json").write_text(json.dumps(document))
        added = document["added_tokens"]
        beside = self.chance(0.4)
        reference = self.reference_document(document)
        tokenizer = Tokenizer.from_str(json.dumps(reference))
        if beside:
            self.ids = tokenizer.get_vocab()
            taken = [id for id in tokenizer.get_added_tokens_decoder() if id >= tokenizer.get_vocab_size(False)]
            self.next_id = max(taken) + 1 if taken else tokenizer.get_vocab_size(False)
            added = added + self.write_files_beside(tokens, added)
            with tempfile.TemporaryDirectory() as copy:
                shutil.copytree(self.folder, copy, dirs_exist_ok=True)
                tokenizer = PreTrainedTokenizerFast.from_pretrained(copy).backend_tokenizer
                if self.kind == "unigram":
                    # Special tokens of all files are renamed in the vocabulary.
                    names = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
                    reference = self.reference_document(document, names)
                    pathlib.Path(copy, "tokenizer.json").write_text(json.dumps(reference))
                    tokenizer = PreTrainedTokenizerFast.from_pretrained(copy).backend_tokenizer
        tokenizer.encode_special_tokens = True
        texts = self.texts(tokens, added)
        if self.kind != "unigram":
            return texts, [ids_or_none(tokenizer, text) for text in texts]
        texts = [text for text in texts if "<0x" not in text]
        found = [ids_or_none(tokenizer, text) for text in texts]
        # A piece that was renamed leaves its text to an added token, with an id of its own.
        true = PreTrainedTokenizerFast.from_pretrained(self.folder).backend_tokenizer if beside else Tokenizer.from_str(
            json.dumps(document))
        true_ids = {id: true.token_to_id(token.content) for id, token in tokenizer.get_added_tokens_decoder().items()}
        return texts, [ids and [true_ids.get(id, id) for id in ids] for ids in found]

    def reference_document(self, document, names=()):
        if self.kind != "unigram":
            return document
        document = json.loads(json.dumps(document))
        special = {token["content"] for token in document["added_tokens"] if token["special"]} | {"<unk>", *names}
        for i, (piece, score) in enumerate(document["model"]["vocab"]):
            if piece in special and not piece.startswith("<0x"):
                document["model"]["vocab"][i] = [f"\0{i}", score]
        return document

    def make_gpt2(self):
        """vocab.json and merges.txt."""
        document, tokens = self.byte_level_document()
        vocab, merges = document["model"]["vocab"], document["model"]["merges"]
        if self.chance(0.7) and "<|endoftext|>" not in vocab:
            vocab["<|endoftext|>"] = len(vocab) if len(vocab) not in vocab.values() else max(vocab.values()) + 1
        (self.folder / "vocab.json").write_text(json.dumps(vocab))
        lines = [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]
        end = "\r\n" if self.chance(0.1) else "\n"
        with open(self.folder / "merges.txt", "w", encoding="utf-8", newline="") as file:
            file.write("".join(line + end for line in ["#version: 0.2"] * self.chance(0.8) + lines))
        self.ids, self.next_id = vocab, len(vocab)
        added = self.write_files_beside(tokens, [])
        path = self.folder / "tokenizer_config.json"
        config = {**json.loads(path.read_text()), "tokenizer_class": "GPT2Tokenizer"}
        if self.chance(0.3):
            config["add_prefix_space"] = self.chance(0.7)
        if self.chance(0.5):
            config["add_bos_token"] = self.chance(0.7)
        path.write_text(json.dumps(config))
        tokenizer = GPT2Tokenizer.from_pretrained(self.folder).backend_tokenizer
        tokenizer.encode_special_tokens = True
        texts = self.texts(tokens, added)
        return texts, [ids_or_none(tokenizer, text) for text in texts]

    def make_sentencepiece(self):
        """A tokenizer.model."""
        unigram = self.kind == "unigram"
        pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
        if self.chance(0.6):
            pieces += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
        prefix = self.chance(0.6)
        known = {piece[0] for piece in pieces}
        # A space goes before each part between user-defined tokens in zeroth and Hugging Face, in SentencePiece before
        # the first only.
        if unigram or not prefix:
            for _ in range(self.random.choice([0, 0, 1, 3])):
                text = "".join(self.random.choice(LETTERS) for _ in range(self.random.randrange(1, 4)))
                if text not in known and (self.user_defined or not unigram):
                    pieces.append((text, 0.0, 4))
                    known.add(text)
        if unigram:
            body = [(text, score, 1) for text, score in self.unigram_pieces()]
        else:
            tokens, _ = self.merges(self.characters() + [SPACE] * 2)
            scores = [-float(i) for i in range(len(tokens))]
            if self.chance(0.3):
                self.random.shuffle(scores)
            body = [(token, score, 1) for token, score in zip(tokens, scores)]
        pieces += [piece for piece in body if piece[0] not in known]
        flags = {"prefix": prefix, "remove": unigram and self.chance(0.5), "fallback": any(kind == 6 for _, _, kind in pieces)}
        path = self.folder / "tokenizer.model"
        path.write_bytes(sentencepiece_model(pieces, 1 if unigram else 2, **flags))
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        texts = self.texts([piece for piece, _, _ in pieces], [{"content": piece} for piece, _, kind in pieces if kind in (3, 4)])
        if not unigram:  # as in tokenizers, what overlaps a control token's text is not found
            texts = [text for text in texts if "<s>" not in text and "</s>" not in text]
        return texts, processor.encode(texts)

    def make_llama(self):
        """A tokenizer.model and added tokens, of the class LlamaTokenizer."""
        pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
        pieces += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
        tokens, _ = self.merges(self.characters() + [SPACE] * 2)
        for _ in range(self.random.choice([0, 0, 1, 3])):
            text = self.added_text(tokens).replace(" ", SPACE)
            if text not in [piece[0] for piece in pieces]:
                pieces.append((text, 0.0, self.random.choice([3, 4])))
        known = [piece[0] for piece in pieces]
        pieces += [(token, -float(i), 1) for i, token in enumerate(tokens) if token not in known]
        (self.folder / "tokenizer.model").write_bytes(sentencepiece_model(pieces, 2, True, False, True))
        self.ids, self.next_id = {piece: i for i, (piece, _, _) in enumerate(pieces)}, len(pieces)
        known = [{"content": piece, "id": i, "special": kind != 4, "lstrip": False, "rstrip": False, "normalized": False,
                  "single_word": False} for i, (piece, _, kind) in enumerate(pieces) if kind in (2, 3, 4)]
        added = self.write_files_beside(list(self.ids), known)
        path = self.folder / "tokenizer_config.json"
        config = {**json.loads(path.read_text()), "tokenizer_class": "LlamaTokenizer"}
        if self.chance(0.6):
            config["legacy"] = self.chance(0.5)
        if self.chance(0.2):
            config["add_prefix_space"] = self.chance(0.5)
        path.write_text(json.dumps(config))
        tokenizer = LlamaTokenizer.from_pretrained(self.folder).backend_tokenizer
        tokenizer.encode_special_tokens = True
        texts = self.texts(list(self.ids), added + known)
        return texts, [ids_or_none(tokenizer, text) for text in texts]

    def make(self):
        forms = {"byte-level": [self.make_json] * 4 + [self.make_gpt2],
                 "characters": [self.make_json] * 4 + [self.make_sentencepiece, self.make_llama],
                 "unigram": [self.make_json] * 3 + [self.make_sentencepiece]}[self.kind]
        form = self.random.choice(forms)
        return form.__name__.removeprefix("make_"), *form()


def sentencepiece_model(pieces, kind, prefix, remove, fallback):
    def varint(value):
        out = b""
        while value >= 128:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])

    def number(field, value):
        return varint(field << 3) + varint(value)

    def text(field, value):
        return varint(field << 3 | 2) + varint(len(value)) + value

    out = b"".join(text(1, text(1, piece.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + number(3, type))
                   for piece, score, type in pieces)
    out += text(2, number(3, kind) + number(35, int(fallback)))
    return out + text(3, text(1, b"identity") + number(3, int(prefix)) + number(4, int(remove)) + number(5, 1))


def ids_or_none(tokenizer, text):
    try:
        return tokenizer.encode(text, add_special_tokens=False).ids
    except BaseException as error:  # the package panics on some texts
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def make_apart(kind, seed, folder):
    """What Maker.make() gives, made in a process of its own: on some texts the reference takes all memory there is, or
    comes to no end."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
        try:
            form, texts, ids = Maker(seed, kind, folder).make()
            made = {"form": form, "texts": texts, "ids": ids}
        except Exception as error:
            if isinstance(error, (AssertionError, NameError, AttributeError, KeyError)):
                traceback.print_exc()
                os._exit(3)
            made = {"error": str(error).split("\n")[0]}
        except BaseException as error:  # a panic
            made = {"error": str(error).split("\n")[0]}
        with os.fdopen(writer, "w") as file:
            file.write(json.dumps(made))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 3:
        raise SystemExit(f"{kind} {seed}: a fault of this script")
    return json.loads(text) if text else {"error": "took too much time or memory"}


def compile_program(folder):
    program = folder / "tokenize_lines"
    source = ROOT / "tests/model/tokenizer/tokenize_lines.cpp"
    subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O2", "-DZEROTH_SENTENCEPIECE", f"-I{ROOT / 'include'}",
                    source, "-o", program, "-lsentencepiece"], check=True)
    return program


def reason(message):
    """A message without what is particular to the tokenizer."""
    message = message.split(": ", 1)[-1]
    words = [word if not any(c.isdigit() or ord(c) > 126 for c in word) else "N" for word in message.split(" ")]
    out, quoted = [], False
    for part in " ".join(words).split('"'):
        out.append("_" if quoted else part)
        quoted = not quoted
    return '"'.join(out)[:150]


def is_tie(ours, theirs):
    return sorted(ours) == sorted(theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--kind", choices=["byte-level", "characters", "unigram"])
    parser.add_argument("--seed", type=int, default=0, help="the first tokenizer's number")
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, help="where tokenizers that differ are put")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = (arguments.program or compile_program(folder)).resolve()
        for kind in [arguments.kind] if arguments.kind else ["byte-level", "characters", "unigram"]:
            counts = collections.Counter()
            reasons = collections.Counter()
            with subprocess.Popen([program, "--many", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True) as runner:
                if kind == "unigram" and not same_user_defined_scores(runner, folder):
                    print("sentencepiece is of another version than the library: no user-defined pieces in unigram models")
                    Maker.user_defined = False
                for seed in range(arguments.seed, arguments.seed + arguments.count):
                    here = folder / "tokenizer"
                    here.mkdir()
                    failed += compare(runner, kind, seed, here, counts, reasons, arguments.keep)
                    shutil.rmtree(here)
                runner.stdin.close()
            print(f"{kind}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())), flush=True)
            for what, count in reasons.most_common():
                print(f"  {count:6} {what}")
    print(f"sentencepiece {sentencepiece.__version__}, tokenizers {tokenizers.__version__}, "
          f"transformers {transformers.__version__}")
    print("no difference" if failed == 0 else f"{failed} tokenizers differ")
    return int(failed > 0)


def ask(runner, folder, texts):
    """The program's answer, nothing if it ended."""
    runner.stdin.write(json.dumps({"model": str(folder), "texts": texts}) + "\n")
    runner.stdin.flush()
    line = runner.stdout.readline()
    return json.loads(line) if line else None


def same_user_defined_scores(runner, folder):
    """Whether the package and the program's library give user-defined pieces the same score."""
    special = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    texts = ["ab", "cccd"]
    for score in [-5.0 + 0.05 * i for i in range(-5, 16)]:
        pieces = special + [("a", 0.0, 4), ("ccc", 0.0, 4), ("b", -5.0, 1), ("d", -5.0, 1), ("ab", score, 1), ("cccd", score, 1)]
        path = folder / "tokenizer.model"
        path.write_bytes(sentencepiece_model(pieces, 1, False, False, False))
        theirs = sentencepiece.SentencePieceProcessor(model_file=str(path)).encode(texts)
        answer = ask(runner, path, texts)
        path.unlink()
        if answer is None or answer.get("ids") != theirs:
            return False
    return True


def compare(runner, kind, seed, folder, counts, reasons, keep):
    """Makes tokenizer `seed` and returns whether it differs."""
    made = make_apart(kind, seed, folder)
    if "error" in made:
        counts["not loaded by the reference"] += 1
        reasons["reference: " + reason("x: " + made["error"])] += 1
        return False
    form, texts, theirs = made["form"], made["texts"], made["ids"]
    counts[form] += 1
    answer = ask(runner, folder, texts)
    if answer is None:
        raise SystemExit(f"{kind} {seed}: the program ended")
    if "error" in answer:
        counts["refused"] += 1
        reasons["refused: " + reason(answer["error"])] += 1
        return False
    unequal = []
    for i, ids in enumerate(theirs):
        if ids is None:
            counts["texts the reference failed on"] += 1
            continue
        counts["texts"] += 1
        if answer["ids"][i] == ids:
            continue
        if kind == "unigram" and is_tie(answer["ids"][i], ids):
            counts["ties"] += 1
            continue
        unequal.append(i)
    trip = answer["round_trip"]
    if trip.startswith("refused"):
        counts["without GGUF"] += 1
        reasons["GGUF " + reason("x: " + trip)] += 1
        trip = "same"
    ids_after = {int(i): ids for i, ids in answer["ids_after"].items()}
    if form == "sentencepiece" and kind == "unigram" and trip.startswith("files:") and ids_after and all(
            is_tie(answer["ids"][i], ids) for i, ids in ids_after.items()):
        counts["ties in the round trip"] += len(ids_after)
        trip = "same"
    if not unequal and trip == "same":
        counts["equal"] += 1
        return False
    counts["DIFFERENT"] += 1
    what = f"{kind} {seed} ({form}):"
    for i in unequal[:2]:
        print(f"{what} {texts[i]!r}\n    ours   {answer['ids'][i]}\n    theirs {theirs[i]}")
    if trip != "same":
        print(f"{what} {trip}")
        for i in list(ids_after)[:2]:
            print(f"    {texts[i]!r}\n    before {answer['ids'][i]}\n    after  {ids_after[i]}")
    if keep:
        shutil.copytree(folder, keep / f"{kind}_{seed}", dirs_exist_ok=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
