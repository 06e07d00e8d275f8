# SPDX-License-Identifier: MIT
"""Writes golden_sentencepiece.json next to this file: tiny SentencePiece models trained on the text of make_golden.py, in base
64, and ids of lines of odd_unicode.txt: of the byte-pair model in each form that Hugging Face writes such a model in, of
the others from SentencePiece itself.

    python tests/model/tokenizer/make_golden_sentencepiece.py
"""

import base64
import io
import json
import pathlib
import tempfile

import sentencepiece
from make_golden import TEXT
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).resolve().parent
SPACE = "\u2581"


# Some rules of NFKC; all of them would take 300 KB.
RULES = {"\u00a0": " ", "\u3000": " ", "\t": " ", "\ufb01": "fi", "\u00bd": "1\u20442", "\u00b2": "2", "\uff11": "1",
         "e\u0301": "\u00e9", "\u00ad": "", "\u2026": "..."}


def train(kind, with_rules, size):
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for source, target in RULES.items():
            codes = [" ".join(f"{ord(c):x}" for c in text) for text in [source, target]]
            rules.write("\t".join(codes) + "\n")
        rules.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXT.split("\n")), model_writer=model, vocab_size=size, model_type=kind,
            byte_fallback=kind == "bpe", remove_extra_whitespaces=with_rules, character_coverage=0.98,
            user_defined_symbols=["{u}", "{u}+"], minloglevel=2,
            **({"normalization_rule_tsv": rules.name} if with_rules else {"normalization_rule_name": "identity"}))
    return model.getvalue()


def byte_pair(processor, form):
    pieces = [processor.IdToPiece(i) for i in range(processor.vocab_size())]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    merges = []
    for i, piece in enumerate(pieces):
        local = [(piece[:j], piece[j:], processor.GetScore(i)) for j in range(1, len(piece))
                 if piece[:j] in vocab and piece[j:] in vocab]
        merges += sorted(local, key=lambda merge: (vocab[merge[0]], vocab[merge[1]]))
    merges.sort(key=lambda merge: -merge[2])
    tokenizer = Tokenizer(models.BPE(vocab, [merge[:2] for merge in merges], unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    if form == "replace":
        tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    elif form == "prepend":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    else:
        scheme, split = form.split(" ")
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, scheme, split == "split")
    tokenizer.add_tokens([AddedToken(token, special=token[0] == "<", normalized=False)
                          for token in ["<s>", "</s>", "{u}", "{u}+"]])
    tokenizer.encode_special_tokens = True
    return tokenizer


def main():
    whole = (HERE / "odd_unicode.txt").read_bytes().decode()
    lines = whole.split("\n")[:-1]
    golden = {"every": 3, "models": {}, "ids": {}}
    for name, kind, with_rules, size in [("bpe", "bpe", False, 520), ("unigram", "unigram", False, 230),
                                         ("unigram with rules", "unigram", True, 220)]:
        model = train(kind, with_rules, size)
        golden["models"][name] = base64.b64encode(model).decode()
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        if kind == "bpe":
            for form in ["prepend", "replace", "first whole", "always split", "never split"]:
                tokenizer = byte_pair(processor, form)
                golden["ids"][form] = [tokenizer.encode(line).ids for line in lines[::3]]
        else:
            golden["ids"][name] = [processor.encode(line) for line in lines[::3]]
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":")).replace("],[", "],\n[").replace("],\"", "],\n\"")
    (HERE / "golden_sentencepiece.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
