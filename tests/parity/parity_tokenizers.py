# SPDX-License-Identifier: MIT
"""Compares zeroth's tokenizers with Hugging Face's and SentencePiece's, one family after the other.

    python tests/parity/parity_tokenizers.py [--data FOLDER] [--program PATH] [--only NAME]

Trains small tokenizers on the project's own documents and headers, writes each in the forms in which users bring it
(tokenizer.json, GGUF, tokenizer.model), lets the program read it and encode, and counts texts whose ids differ from those
of the reference: `tokenizers` with the same tokenizer.json, or the `sentencepiece` package. "exported" is what the program
wrote anew, read by `tokenizers` (against the program's own ids) and by the program; "as GGUF" the GGUF file it made of a
tokenizer.json or tokenizer.model, read by the program, against the same reference ("json": with tokenizer.json in it). Exits
with 1 on a difference where none is expected. In some rows the references themselves differ (SentencePiece's and
Hugging Face's normalisation of odd Unicode); there the program must be equal to SentencePiece, and the last column
says how often Hugging Face is not. A "tie" is a text that a unigram model cuts into the same pieces in another order:
their scores have one sum, and which order wins is up to the rounding of that sum, which differs between versions of
SentencePiece. Ties are no difference.

Texts: tests/model/tokenizer/odd_unicode.txt, by line and whole; every code point; random strings; and, with --data, all
text fields of the .tsv and .jsonl files there, at most --limit of each file.

PATH is tests/model/tokenizer/tokenize_lines.cpp compiled with -DZEROTH_SENTENCEPIECE; without it the script compiles it.
"""

import argparse
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import gguf
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE_POINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
SPACE = "\u2581"
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|"
           r"\s*[\r\n]+|\s+(?!\S)|\s+")
ADDED = [AddedToken("<s>", special=True, normalized=False), AddedToken("{u}", special=False, normalized=False),
         AddedToken("{u}+", special=False, normalized=False, rstrip=True),
         AddedToken("caf\u00e9", special=False, normalized=True, lstrip=True)]


def training_text():
    sys.path.insert(0, str(ROOT / "tests/model/tokenizer"))
    from make_golden import TEXT
    paths = [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("include/zeroth/**/*.hpp"))]
    return TEXT * 20 + "".join(path.read_text(encoding="utf-8") for path in paths if "tables" not in path.name)


def string_fields(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from string_fields(item)


def text_sets(data, limit):
    whole = (ROOT / "tests/model/tokenizer/odd_unicode.txt").read_bytes().decode()
    odd = whole.split("\n")[:-1] + [whole]
    # Beyond the third plane there are few that are assigned.
    every = ["".join(f"1{c}a {c}'{c}" for c in CODE_POINTS[i:i + 64])
             for i in [*range(0, 0x33800, 64), *range(0xDF800, 0xE0000, 64)]]
    generator = random.Random(1)
    pool = list(" \t\r\n\u00a0\u3000\u2028'\u2019.,!?-_()\"aeionrstlvdmTHESLVRD0123456789") + ["  ", "'s", "'Ll", " the", "\r\n"]
    pool += list("\u00e9\u00f1\u00df\u0416\u044f\u4e2d\u56fd\u3042\ud55c\uae00\u1112\u1161\u11ab\u0623\u05d0\u0928\u092e"
                 "\u00b2\u00bd\u0663\u0301\u0323\u0308\u200d\ufe0f\U0001f600\U0001f44d\u017f\u212b\u2581\x01\x7f")
    pool += ["{u}", "{u}+", "<s>", "caf\u00e9", "e\u0301"]
    randoms = ["".join(generator.choice(pool) for _ in range(generator.randrange(1, 40))) for _ in range(20000)]
    sets = {"odd_unicode.txt": odd, "every code point": every, "random strings": randoms}
    if data:
        texts = []
        for path in sorted(data.rglob("*.tsv")) + sorted(data.rglob("*.jsonl")):
            lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
            if path.suffix == ".tsv":
                found = [field for line in lines[1:] for field in line.split("\t")]
            else:
                found = [text for line in lines for text in string_fields(json.loads(line))]
            found = list(dict.fromkeys(found))
            texts += found[:limit]
        sets["--data"] = texts
    return sets


class Program:
    def __init__(self, path, folder):
        self.path = path
        self.folder = folder

    def encode(self, model, texts):
        file = self.folder / "texts.jsonl"
        file.write_text("".join(json.dumps(text) + "\n" for text in texts))
        result = subprocess.run([self.path, model, file], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        lines = result.stdout.split("\n")[:-1]
        assert len(lines) == len(texts), f"expected {len(texts)} lines, found {len(lines)}"
        ids = [[int(number) for number in line.split() if number != "!"] for line in lines]
        return ids, sum(line.endswith("!") for line in lines)

    def export(self, model):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        subprocess.run([self.path, model, "--export", folder], check=True)
        return folder

    def export_gguf(self, model):
        """The GGUF file made of `model`, or why there is none, and whether tokenizer.json goes along in it."""
        path = pathlib.Path(tempfile.mkdtemp(dir=self.folder), "model.gguf")
        result = subprocess.run([self.path, model, "--gguf", path], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            return None, result.stderr.strip().removeprefix("tokenize_lines: ")
        return path, b"tokenizer.huggingface.json" in path.read_bytes()


def encode_with_tokenizers(path, texts):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    # Encodings hold much besides the ids.
    return [encoding.ids for i in range(0, len(texts), 1000)
            for encoding in tokenizer.encode_batch(texts[i:i + 1000], add_special_tokens=False)]


# Byte-level BPE


def byte_level_pre_tokenizer(name):
    if name == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    pattern = PATTERN.replace("DIGITS", "{1,3}" if name == "llama-bpe" else "")
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def byte_level(name, text):
    """The tokenizer and the tokens that GGUF would call user-defined only by their text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level_pre_tokenizer(name)
    tokenizer.decoder = decoders.ByteLevel()
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=2000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    document = json.loads(tokenizer.to_str())
    if name == "llama-bpe":
        # Words that the merges do not make, as LLaMA-3's vocabulary has some.
        for word in ["\u0120zebrafish", "\u00c3\u00a9\u00c3\u00b1", "aeio", "THE"]:
            document["model"]["vocab"].setdefault(word, len(document["model"]["vocab"]))
        document["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.add_tokens(ADDED)
    return tokenizer


def write_byte_level_gguf(path, name, document):
    model = document["model"]
    tokens = {id: token for token, id in model["vocab"].items()}
    types = dict.fromkeys(tokens, gguf.TokenType.NORMAL)
    for token in document["added_tokens"]:
        tokens[token["id"]] = token["content"]
        types[token["id"]] = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list([tokens[i] for i in range(len(tokens))])
    writer.add_token_types([types[i] for i in range(len(tokens))])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    finish_gguf(writer)


def finish_gguf(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def byte_level_rows(folder, program, text):
    for name in ["gpt-2", "smollm", "llama-bpe", "qwen2"]:
        tokenizer = byte_level(name, text)
        document = json.loads(tokenizer.to_str())
        for form in ["pairs", "strings"]:
            if form == "strings":
                document["model"]["merges"] = [merge if isinstance(merge, str) else " ".join(merge)
                                               for merge in document["model"]["merges"]]
            path = folder / f"{name}_{form}.json"
            path.write_text(json.dumps(document))
            yield f"{name}, tokenizer.json ({form})", path, path, None
        # GGUF has no rules for added tokens.
        for token in document["added_tokens"]:
            token["lstrip"] = token["rstrip"] = token["normalized"] = False
        path = folder / f"{name}_plain.json"
        path.write_text(json.dumps(document))
        write_byte_level_gguf(folder / f"{name}.gguf", name, document)
        yield f"{name}, GGUF", folder / f"{name}.gguf", path, None
        exported = program.export(folder / f"{name}.gguf")
        yield f"{name}, exported", exported, exported / "tokenizer.json", None
        yield f"{name}, exported against original", exported, path, None


# SentencePiece


def train_sentencepiece(folder, text, kind, prefix, rule):
    name = f"{kind}, {'prefix' if prefix else 'no prefix'}, {rule}"
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.split("\n")), model_writer=model, vocab_size=2000, model_type=kind, byte_fallback=True,
        add_dummy_prefix=prefix, normalization_rule_name=rule, remove_extra_whitespaces=rule != "identity",
        split_digits=True, minloglevel=2)
    path = folder / f"{kind}_{prefix}_{rule}" / "tokenizer.model"
    path.parent.mkdir()
    path.write_bytes(model.getvalue())
    return name, path


def pieces_of(processor):
    for i in range(processor.vocab_size()):
        kind = (2 if processor.IsUnknown(i) else 3 if processor.IsControl(i) else 6 if processor.IsByte(i) else
                5 if processor.IsUnused(i) else 1)
        yield processor.IdToPiece(i), processor.GetScore(i), kind


def charsmap_of(path):
    """Field 2 of field 3 of the message."""
    def fields(data):
        i = 0

        def varint():
            nonlocal i
            value = shift = 0
            while True:
                byte = data[i]
                i += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value

        while i < len(data):
            key = varint()
            if key & 7 == 0:
                varint()
            elif key & 7 == 2:
                size = varint()
                yield key >> 3, data[i:i + size]
                i += size
            else:
                i += 4 if key & 7 == 5 else 8

    normalizer = dict(fields(path.read_bytes()))[3]
    return dict(fields(normalizer)).get(2, b"")


def write_sentencepiece_gguf(path, kind, processor, prefix, rule, charsmap):
    pieces = list(pieces_of(processor))
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama" if kind == "bpe" else "t5")
    writer.add_token_list([piece for piece, _, _ in pieces])
    writer.add_token_scores([score for _, score, _ in pieces])
    writer.add_token_types([type for _, _, type in pieces])
    writer.add_bos_token_id(processor.bos_id())
    writer.add_eos_token_id(processor.eos_id())
    writer.add_add_space_prefix(prefix)
    if rule != "identity":
        writer.add_remove_extra_whitespaces(True)
        writer.add_precompiled_charsmap(charsmap)
    finish_gguf(writer)


def hugging_face_bpe(processor, form):
    """What transformers makes of a byte-pair SentencePiece model: its merges, and spaces written as `form` says."""
    pieces = list(pieces_of(processor))
    vocab = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    merges = []
    for piece, score, _ in pieces:
        local = [(piece[:i], piece[i:], score) for i in range(1, len(piece))
                 if piece[:i] in vocab and piece[i:] in vocab]
        merges += sorted(local, key=lambda merge: (vocab[merge[0]], vocab[merge[1]]))
    merges.sort(key=lambda merge: -merge[2])
    tokenizer = Tokenizer(models.BPE(vocab, [merge[:2] for merge in merges], unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    if form in ["prepend", "replace"]:
        steps = [normalizers.Prepend(SPACE)] if form == "prepend" else []
        tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", SPACE)])
    else:
        scheme, split = form.split(" ")
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, scheme, split == "split")
    tokenizer.add_tokens([AddedToken(piece, special=True, normalized=False) for piece, _, kind in pieces if kind == 3])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", vocab["<s>"])])
    return tokenizer


def hugging_face_unigram(processor, prefix, charsmap):
    """What transformers makes of a unigram SentencePiece model."""
    pieces = list(pieces_of(processor))
    tokenizer = Tokenizer(models.Unigram([(piece, score) for piece, score, _ in pieces], processor.unk_id(), True))
    steps = [normalizers.Replace(" ", SPACE)]
    if charsmap:
        steps = [normalizers.Precompiled(charsmap), normalizers.Strip(left=True, right=True),
                 normalizers.Replace(Regex(" {2,}"), " "), *steps]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, "always" if prefix else "never", False)
    tokenizer.add_tokens([AddedToken(piece, special=True, normalized=False) for piece, _, kind in pieces if kind == 3])
    return tokenizer


def without_special_pieces(path):
    """A copy in which the special pieces of the vocabulary have another text: `tokenizers` finds them in a text even
    where special tokens are to be split, which neither SentencePiece nor zeroth does."""
    document = json.loads(path.read_text())
    special = {token["content"] for token in document["added_tokens"] if token["special"]} | {"<unk>"}
    for i, piece in enumerate(document["model"]["vocab"]):
        if piece[0] in special:
            piece[0] = f"\0{i}"
    copy = path.parent / "reference.json"
    copy.write_text(json.dumps(document))
    return copy


def sentencepiece_rows(folder, program, text):
    for kind in ["bpe", "unigram"]:
        for prefix in [True, False]:
            for rule in ["identity", "nmt_nfkc"]:
                name, path = train_sentencepiece(folder, text, kind, prefix, rule)
                processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
                charsmap = charsmap_of(path)
                gguf_path = path.parent / "model.gguf"
                write_sentencepiece_gguf(gguf_path, kind, processor, prefix, rule, charsmap)
                json_path = path.parent / "published" / "tokenizer.json"
                json_path.parent.mkdir()
                plain_bpe = kind == "bpe" and rule == "identity"
                if kind == "unigram":
                    hugging_face_unigram(processor, prefix, charsmap).save(str(json_path))
                elif plain_bpe:
                    hugging_face_bpe(processor, "prepend" if prefix else "replace").save(str(json_path))
                hugging_face = json_path if kind == "unigram" or plain_bpe else None
                yield f"{name}, tokenizer.model", path, processor, hugging_face
                yield f"{name}, GGUF", gguf_path, processor, hugging_face
                if kind == "unigram":
                    # Without compiled rules, what tokenizers makes of the file counts.
                    reference = processor if charsmap else without_special_pieces(json_path)
                    yield f"{name}, tokenizer.json", json_path, reference, hugging_face
                exported = program.export(gguf_path)
                if plain_bpe:
                    yield f"{name}, exported", exported, exported / "tokenizer.json", None
                elif kind == "unigram":
                    yield f"{name}, exported", exported, processor, exported / "tokenizer.json"
                if not plain_bpe:
                    continue
                forms = ["prepend"] if prefix else ["replace"]
                forms += ["first whole", "always whole", "always split"] if prefix else ["never whole", "never split"]
                for form in forms:
                    tokenizer = hugging_face_bpe(processor, form)
                    tokenizer.add_tokens(ADDED[1:])
                    form_path = path.parent / f"{form.replace(' ', '_')}.json"
                    tokenizer.save(str(form_path))
                    yield f"{name}, tokenizer.json ({form})", form_path, form_path, None


def split_ties(ours, theirs, is_unigram):
    """Indices of texts with other ids, and of those that are ties."""
    unequal = [i for i in range(len(ours)) if ours[i] != theirs[i]]
    ties = [i for i in unequal if is_unigram and sorted(ours[i]) == sorted(theirs[i])]
    return [i for i in unequal if i not in ties], ties


def compile_program(folder):
    program = folder / "tokenize_lines"
    source = ROOT / "tests/model/tokenizer/tokenize_lines.cpp"
    subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O2", "-DZEROTH_SENTENCEPIECE", f"-I{ROOT / 'include'}",
                    source, "-o", program, "-lsentencepiece"], check=True)
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--limit", type=int, default=10**9, help="texts of each data file")
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--only", default="", help="the rows whose name contains this")
    arguments = parser.parse_args()

    failures = 0
    sets = text_sets(arguments.data, arguments.limit)
    texts = [text for values in sets.values() for text in values]
    print("texts: " + ", ".join(f"{len(values)} {name}" for name, values in sets.items()))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = Program((arguments.program or compile_program(folder)).resolve(), folder)
        text = training_text()
        print(f"{'family, form':62} {'tokens':>9} {'differ':>7} {'ties':>5} {'not decoded':>12} {'references differ':>18}")
        for rows in [byte_level_rows, sentencepiece_rows]:
            for title, model, reference, hugging_face in rows(folder, program, text):
                if arguments.only not in title:
                    continue
                ours, not_decoded = program.encode(model, texts)
                theirs = (reference.encode(texts) if isinstance(reference, sentencepiece.SentencePieceProcessor)
                          else encode_with_tokenizers(reference, texts))
                unequal, ties = split_ties(ours, theirs, title.startswith("unigram"))
                failures += len(unequal)
                others = ""
                if hugging_face:
                    other = encode_with_tokenizers(hugging_face, texts)
                    others = sum(a != b for a, b in zip(other, theirs))
                print(f"{title:62} {sum(map(len, ours)):9} {len(unequal):7} {len(ties):5} {not_decoded:12} {others:>18}",
                      flush=True)
                for i in unequal[:3]:
                    print(f"  {texts[i][:200]!r}:\n    ours   {ours[i][:60]}\n    theirs {theirs[i][:60]}")
                if model.suffix == ".gguf" or model.is_dir():
                    continue
                exported, note = program.export_gguf(model)
                if exported is None:
                    print(f"{title + ', as GGUF':62} refused: {note}")
                    continue
                again, not_decoded = program.encode(exported, texts)
                unequal = [i for i in range(len(texts)) if again[i] != ours[i]]
                failures += len(unequal)
                title += ", as GGUF" + (" (json)" if note else "")
                print(f"{title:62} {sum(map(len, again)):9} {len(unequal):7} {0:5} {not_decoded:12}", flush=True)
    print("no difference" if failures == 0 else f"{failures} differences")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
