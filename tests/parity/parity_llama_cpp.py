# SPDX-License-Identifier: MIT
"""Compares what `zeroth export` writes with what llama.cpp and Hugging Face transformers make of it; exits with 1 beyond a
tolerance.

    pip install torch transformers tokenizers sentencepiece gguf numpy llama-cpp-python
    python tests/parity/parity_llama_cpp.py --program build/zeroth [--data FOLDER] [--model MODEL.gguf] [--sentencepiece FILE]

Makes a small random model of each family with transformers, with a tokenizer trained on the project's own documents, and
has the program export it: as GGUF in F32, F16 and BF16, as GGUF from that GGUF, and as folders. Of each GGUF file
llama.cpp's log-probabilities of the same tokens are compared with those of `zeroth score`, and its tokens with those of
`zeroth tokenize`; of each folder transformers' log-probabilities. MODEL.gguf (SmolLM2, say) goes the same way, and so
does a LLaMA with each SentencePiece model that is named.

Tolerances: both sides compute in f32, and llama.cpp is told to keep its cache in f32, so F32 files agree to rounding. Of
F16 and BF16 files llama.cpp rounds the activations to that type before each matrix product, 11 or 8 bits of mantissa,
and zeroth does not: the difference is that of the type, not of the file.
"""

import argparse
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np
import sentencepiece
import torch
import transformers
from parity_tokenizers import byte_level, hugging_face_bpe, string_fields, training_text

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = {"f32": 2e-4, "f16": 3e-2, "bf16": 3e-1}
WINDOW = 64  # llama.cpp leaves LLaMA's sliding window out, so that no sequence here is longer


def zeroth(arguments, *words):
    result = subprocess.run([arguments.program.resolve(), *words], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip())
    return result.stdout


def lines_of(arguments, command, model, texts, folder):
    source, target = folder / "lines.txt", folder / "lines.jsonl"
    source.write_text("".join(text + "\n" for text in texts), encoding="utf-8", newline="\n")
    zeroth(arguments, command, "--model", model, "--input", source, "--output", target)
    return [json.loads(line) for line in target.read_text(encoding="utf-8").split("\n")[:-1]]


def one_line(texts):
    return list(dict.fromkeys(" ".join(text.split("\n")).strip("\r") for text in texts))


def text_sets(arguments):
    documents = one_line(line for path in sorted(ROOT.glob("docs/*.md")) for line in path.read_text().split("\n"))
    sets = {"plain": [line for line in documents if line.isascii() and line]}
    sets["odd"] = one_line((ROOT / "tests/model/tokenizer/odd_unicode.txt").read_bytes().decode().split("\n"))
    if arguments.data:
        found = []
        for path in sorted(arguments.data.rglob("*dev.tsv")) + sorted(arguments.data.rglob("*val.jsonl")):
            rows = path.read_text(encoding="utf-8").split("\n")
            fields = [row.split("\t") for row in rows[1:]] if path.suffix == ".tsv" else [
                list(string_fields(json.loads(row))) for row in rows if row]
            found += [text for row in fields for text in row][:arguments.limit]
        sets["--data"] = [text for text in one_line(found) if text]
    return sets


# Models


def sentencepiece_model(text, kind, byte_fallback):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.split("\n")), model_writer=model, vocab_size=1501, model_type=kind,
        byte_fallback=byte_fallback, normalization_rule_name="nmt_nfkc" if kind == "unigram" else "identity",
        remove_extra_whitespaces=kind == "unigram", split_digits=True, character_coverage=1.0, minloglevel=2)
    return model.getvalue()


def tokenizer_files(kind, text):
    if kind in ["smollm", "llama-bpe", "qwen2"]:
        document = json.loads(byte_level(kind, text).to_str())
        for token in document["added_tokens"]:  # GGUF has no rules for them
            token["lstrip"] = token["rstrip"] = token["normalized"] = False
        return {"tokenizer.json": json.dumps(document).encode()}
    if kind == "prepend":
        processor = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model(text, "bpe", True))
        return {"tokenizer.json": hugging_face_bpe(processor, kind).to_str().encode()}
    if kind == "unigram":  # as those who use one write it
        config = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True, "add_eos_token": False}
        return {"tokenizer.model": sentencepiece_model(text, "unigram", False),
                "tokenizer_config.json": json.dumps(config).encode()}
    return {"tokenizer.model": sentencepiece_model(text, "bpe", True)}


def vocabulary_of(files):
    if "tokenizer.json" in files:
        document = json.loads(files["tokenizer.json"])
        ids = list(document["model"]["vocab"].values()) + [token["id"] for token in document["added_tokens"]]
        return max(ids) + 1
    return sentencepiece.SentencePieceProcessor(model_proto=files["tokenizer.model"]).vocab_size()


def network_of(family, vocabulary, seed):
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": vocabulary + 3,
             "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
    rest = {"intermediate_size": 136, "rms_norm_eps": 1e-5, "num_key_value_heads": 2, "tie_word_embeddings": False}
    scaling = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 64}  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 1e4}
    if family == "opt":
        network = transformers.OPTForCausalLM(transformers.OPTConfig(**sizes, word_embed_proj_dim=64, ffn_dim=136))
    elif family == "mistral":
        config = transformers.MistralConfig(**sizes, **rest, sliding_window=WINDOW, rope_parameters=rope)
        network = transformers.MistralForCausalLM(config)
    elif family == "qwen2":
        tied = {**rest, "tie_word_embeddings": True}
        network = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**sizes, **tied, rope_parameters=rope))
    else:
        more = {"rope_parameters": scaling if family == "llama-3" else rope}
        if family == "llama":
            more.update(num_key_value_heads=4, attention_bias=False)
        if family == "smollm":
            more.update(num_key_value_heads=1, tie_word_embeddings=True, head_dim=24)
        network = transformers.LlamaForCausalLM(transformers.LlamaConfig(**{**sizes, **rest, **more}))
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            noise = torch.randn(value.shape, generator=random)
            value.copy_(1 + 0.2 * noise if "norm" in name and name.endswith("weight") else 0.2 * noise)
    return network.float().eval()


FAMILIES = [("llama", "bpe"), ("llama-3", "llama-bpe"), ("smollm", "smollm"), ("mistral", "prepend"), ("qwen2", "qwen2"),
            ("llama, unigram", "unigram"), ("opt", "qwen2")]


# References


def llama_cpp_log_probabilities(model, tokens):
    model.reset()
    model.eval(tokens)
    table = torch.log_softmax(torch.from_numpy(np.array(model.scores[:len(tokens) - 1])).double(), dim=-1)
    return table[torch.arange(len(tokens) - 1), torch.tensor(tokens[1:])].tolist()


def transformers_log_probabilities(model, tokens):
    with torch.no_grad():
        table = torch.log_softmax(model(torch.tensor([tokens])).logits[0, :-1].double(), dim=-1)
    return table[torch.arange(len(tokens) - 1), torch.tensor(tokens[1:])].tolist()


class Report:
    def __init__(self):
        self.good = True
        print(f"{'model':34} {'file':26} {'reference':13} {'log-probabilities':>17} {'largest difference':>19}  tokens that differ")

    def row(self, model, file, reference, count, worst, dtype, tokens=""):
        within = worst <= TOLERANCE[dtype]
        self.good = self.good and within
        print(f"{model:34} {file:26} {reference:13} {count:17} {worst:11.1e}{'' if within else ' !!'}"
              f" ({TOLERANCE[dtype]:g})  {tokens}", flush=True)


def worst_difference(scored, reference):
    worst, count = 0.0, 0
    for line in scored:
        tokens = line["tokens"][:WINDOW]
        if len(tokens) < 2:
            continue
        theirs = reference(tokens)
        worst = max([worst] + [abs(a - b) for a, b in zip(line["logprobs"][1:len(tokens)], theirs, strict=True)])
        count += len(theirs)
    return count, worst


def compare_gguf(arguments, report, name, file, dtype, sets, folder, tokens_too):
    load = {"n_ctx": 512, "logits_all": True, "type_k": 0, "type_v": 0, "flash_attn": False, "n_threads": 1,
            "n_threads_batch": 1, "verbose": False}  # fmt: skip
    model = llama_cpp.Llama(str(file), **load)
    texts = sets["plain"][:arguments.texts]
    scored = lines_of(arguments, "score", file, texts, folder)
    count, worst = worst_difference(scored, lambda tokens: llama_cpp_log_probabilities(model, tokens))
    cells = []
    for kind, texts in sets.items() if tokens_too else []:
        ours = lines_of(arguments, "tokenize", file, texts, folder)
        theirs = [model.tokenize(text.encode(), add_bos=False, special=False) for text in texts]
        differ = [text for text, a, b in zip(texts, ours, theirs, strict=True) if a["tokens"] != b]
        cells.append(f"{kind} {len(differ)} of {len(texts)}")
        if kind != "odd" and differ:
            report.good = False
            cells.append(f"such as {differ[0][:60]!r}")
    report.row(name, file.name, "llama.cpp", count, worst, dtype, ", ".join(cells))


def compare_folder(arguments, report, name, exported, sets, folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(exported, dtype=torch.float32).eval()
    scored = lines_of(arguments, "score", exported, sets["plain"][:arguments.texts], folder)
    count, worst = worst_difference(scored, lambda tokens: transformers_log_probabilities(model, tokens))
    report.row(name, exported.name, "transformers", count, worst, "f32")


def compare(arguments, report, name, source, sets, folder):
    """Exports `source`, a folder or a GGUF file, in every form, and compares each."""
    def export(model, target, form, dtype):
        zeroth(arguments, "export", "--model", model, "--to", form, "--dtype", dtype, "--output", folder / target)
        return folder / target

    for dtype in ["f32", "f16", "bf16"]:
        compare_folder(arguments, report, name, export(source, f"folder-{dtype}", "safetensors", dtype), sets, folder)
    if name == "opt":
        return
    for dtype in ["f32", "f16", "bf16"]:
        file = export(source, f"{dtype}.gguf", "gguf", dtype)
        compare_gguf(arguments, report, name, file, dtype, sets, folder, dtype == "f32")
    if source.is_dir():
        again = export(folder / "f32.gguf", "f32-again.gguf", "gguf", "f32")
        compare_gguf(arguments, report, name, again, "f32", sets, folder, True)
        again = export(folder / "f32.gguf", "folder-from-gguf", "safetensors", "f32")
        compare_folder(arguments, report, name, again, sets, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True, help="zeroth")
    parser.add_argument("--data", type=pathlib.Path, help="also cut the held-out texts there into tokens")
    parser.add_argument("--limit", type=int, default=10**9, help="texts of each data file")
    parser.add_argument("--model", type=pathlib.Path, action="append", default=[], help="a model as GGUF")
    parser.add_argument("--sentencepiece", type=pathlib.Path, action="append", default=[], help="a tokenizer.model")
    parser.add_argument("--texts", type=int, default=60, help="texts that are scored")
    parser.add_argument("--families", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    sets, report, text = text_sets(arguments), Report(), training_text()
    models = [(name, tokenizer_files(kind, text)) for name, kind in FAMILIES if arguments.families]
    models += [(f"llama, {path.name}"[:34], {"tokenizer.model": path.read_bytes()}) for path in arguments.sentencepiece]
    for seed, (name, files) in enumerate(models):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary, "model")
            network_of(name.split(",")[0], vocabulary_of(files), seed).save_pretrained(folder)
            for file, content in files.items():
                (folder / file).write_bytes(content)
            compare(arguments, report, name, folder, sets, pathlib.Path(temporary))
    for model in arguments.model:
        with tempfile.TemporaryDirectory() as temporary:
            compare(arguments, report, model.stem[:34], model, sets, pathlib.Path(temporary))
    print("all within their tolerance" if report.good else "beyond a tolerance, or tokens of plain text differ")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
