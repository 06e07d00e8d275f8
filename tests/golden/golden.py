# SPDX-License-Identifier: MIT
"""Makes tests/golden: tiny random LLaMA models with the log-probabilities that Hugging Face transformers gives them,
and what Hugging Face tokenizers makes of some texts. The blocks of quantised values come from golden_blocks.py.

    pip install torch transformers tokenizers gguf numpy
    python tests/golden/golden.py [FOLDER, by default tests/golden]

Everything is seeded, so a second run gives the same models; log-probabilities may differ in the last digits where
torch was built for other processors.
"""

import dataclasses
import json
import pathlib
import re
import sys

import gguf
import numpy as np
import tokenizers
import torch
import transformers
from gguf import GGMLQuantizationType as Type

# Read by the BPE trainer and cut into the texts that are encoded; written for this file.
TEXT = """The quick miller walks along the river every morning, and every evening he walks back.
He isn't in a hurry: there are 24 sacks of flour, 365 days and 1 mill. What else would he count?
Sometimes the water is high; then the wheel turns quickly and the whole house hums like a hive.
Café, naïve, Öl, 水車, 🙂 — not every letter is one byte.   Not every gap is one space.\tNor a tab.
It was great. It was terrible. The film was neither great nor terrible, it was simply there."""

SPECIAL = "<|endoftext|>"


@dataclasses.dataclass
class Model:
    name: str
    hidden: int
    layers: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    theta: float
    epsilon: float
    weight_std: float
    # Tensor name without "blk.N." and ".weight" -> type; F32 if absent.
    types: dict = dataclasses.field(default_factory=dict)


MODELS = [
    Model("mha_tied", 48, 2, 88, 4, 4, 12, 259, True, 1e4, 1e-5, 0.25),
    Model("gqa_separate", 48, 3, 88, 6, 2, 8, 301, False, 1e5, 1e-6, 0.25),
    Model("gqa_odd_tied", 54, 2, 88, 9, 3, 6, 277, True, 1e5, 1e-5, 0.3),
    Model("wide_heads", 48, 2, 88, 4, 2, 16, 259, False, 1e4, 1e-5, 0.2),
    Model(
        "quantized", 64, 2, 96, 4, 2, 16, 259, True, 1e4, 1e-5, 0.2,
        {
            "token_embd": Type.Q8_0, "attn_q": Type.Q4_0, "attn_k": Type.Q4_1, "attn_v": Type.Q8_0,
            "attn_output": Type.F16, "ffn_gate": Type.Q4_0, "ffn_up": Type.Q4_1, "ffn_down": Type.BF16,
        },
    ),
]  # fmt: skip


def train_tokenizer(vocab):
    """A byte-level BPE split like SmolLM's: each digit by itself, then GPT-2's pattern."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[SPECIAL],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    assert tokenizer.get_vocab_size() == vocab
    return tokenizer


def interleave_rotary(weight, heads):
    """Rows of Q or K from Hugging Face's order (halves) to llama.cpp's (pairs), as its converter does."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def deinterleave_rotary(weight, heads):
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def tensor_names(model):
    """GGUF name (without ".weight") -> (Hugging Face name, number of heads if its rows are permuted)."""
    names = {"token_embd": ("model.embed_tokens.weight", None)}
    for layer in range(model.layers):
        for name, hf, heads in [
            ("attn_norm", "input_layernorm", None),
            ("attn_q", "self_attn.q_proj", model.heads),
            ("attn_k", "self_attn.k_proj", model.kv_heads),
            ("attn_v", "self_attn.v_proj", None),
            ("attn_output", "self_attn.o_proj", None),
            ("ffn_norm", "post_attention_layernorm", None),
            ("ffn_gate", "mlp.gate_proj", None),
            ("ffn_up", "mlp.up_proj", None),
            ("ffn_down", "mlp.down_proj", None),
        ]:
            names[f"blk.{layer}.{name}"] = (f"model.layers.{layer}.{hf}.weight", heads)
    names["output_norm"] = ("model.norm.weight", None)
    if not model.tied:
        names["output"] = ("lm_head.weight", None)
    return names


def make_model(model, random):
    """The Hugging Face model with random weights and, for each GGUF tensor, (stored array, type)."""
    config = transformers.LlamaConfig(
        vocab_size=model.vocab,
        hidden_size=model.hidden,
        intermediate_size=model.feed_forward,
        num_hidden_layers=model.layers,
        num_attention_heads=model.heads,
        num_key_value_heads=model.kv_heads,
        head_dim=model.head_dim,
        max_position_embeddings=128,
        rms_norm_eps=model.epsilon,
        tie_word_embeddings=model.tied,
        rope_parameters={"rope_type": "default", "rope_theta": model.theta},
        bos_token_id=0,
        eos_token_id=0,
        attn_implementation="eager",
    )
    network = transformers.LlamaForCausalLM(config).to(torch.float32).eval()
    state = network.state_dict()
    stored = {}
    for name, (hf_name, heads) in tensor_names(model).items():
        shape = tuple(state[hf_name].shape)
        if len(shape) == 1:
            value = random.uniform(0.5, 1.5, shape).astype(np.float32)
        else:
            value = (random.standard_normal(shape) * model.weight_std).astype(np.float32)
        kind = model.types.get(name.split(".")[-1], Type.F32)
        data = gguf.quants.quantize(value, kind)
        value = np.array(gguf.quants.dequantize(data, kind), dtype=np.float32).reshape(shape)
        stored[name] = (data, kind)
        if heads is not None:
            value, llama_cpp = deinterleave_rotary(value, heads), value
            assert np.array_equal(interleave_rotary(value, heads), llama_cpp)
        state[hf_name] = torch.from_numpy(value.copy())
    if model.tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    network.load_state_dict(state)
    return network, stored


def write_gguf(model, tokenizer, stored, path):
    description = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(description["vocab"], key=description["vocab"].get)
    merges = [m if isinstance(m, str) else " ".join(m) for m in description["merges"]]

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"zeroth golden {model.name}")
    writer.add_block_count(model.layers)
    writer.add_context_length(128)
    writer.add_embedding_length(model.hidden)
    writer.add_feed_forward_length(model.feed_forward)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.kv_heads)
    writer.add_layer_norm_rms_eps(model.epsilon)
    writer.add_rope_freq_base(model.theta)
    writer.add_rope_dimension_count(model.head_dim)
    if model.head_dim * model.heads != model.hidden:
        writer.add_key_length(model.head_dim)
        writer.add_value_length(model.head_dim)
    writer.add_vocab_size(model.vocab)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if token == SPECIAL else normal for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    for name, (data, kind) in stored.items():
        raw = None if kind in (Type.F32, Type.F16) else kind
        writer.add_tensor(f"{name}.weight", data, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def log_probabilities(network, tokens):
    """log p(tokens[i] | tokens[:i]) for i from 1, in float32."""
    with torch.no_grad():
        logits = network(torch.tensor([tokens])).logits[0]
        table = torch.log_softmax(logits.float(), dim=-1)
    return [table[i - 1, tokens[i]].item() for i in range(1, len(tokens))]


def check_with_numpy(model, path, tokens, expected):
    """A second opinion from only the GGUF file, in float64 and with llama.cpp's rotary pairs. The largest error."""
    weights = {
        t.name.removesuffix(".weight"): np.array(gguf.quants.dequantize(t.data, t.tensor_type), dtype=np.float64)
        for t in gguf.GGUFReader(path).tensors
    }

    def norm(x, name):
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + model.epsilon) * weights[name]

    positions = np.arange(len(tokens))[:, None, None]
    angles = positions * model.theta ** (-2.0 * np.arange(model.head_dim // 2) / model.head_dim)

    def rotate(x):  # (tokens, heads, head_dim), pairs side by side
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = [even * np.cos(angles) - odd * np.sin(angles), even * np.sin(angles) + odd * np.cos(angles)]
        return np.stack(turned, axis=-1).reshape(x.shape)

    x = weights["token_embd"][tokens]
    future = np.triu(np.full((len(tokens), len(tokens)), -np.inf), 1)
    for layer in range(model.layers):
        w = {n.split(".")[2]: v for n, v in weights.items() if n.startswith(f"blk.{layer}.")}
        h = norm(x, f"blk.{layer}.attn_norm")
        q = rotate((h @ w["attn_q"].T).reshape(len(tokens), model.heads, model.head_dim))
        k = rotate((h @ w["attn_k"].T).reshape(len(tokens), model.kv_heads, model.head_dim))
        v = (h @ w["attn_v"].T).reshape(len(tokens), model.kv_heads, model.head_dim)
        k, v = (np.repeat(a, model.heads // model.kv_heads, axis=1) for a in (k, v))
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(model.head_dim) + future
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        x = x + np.einsum("hij,jhd->ihd", scores, v).reshape(len(tokens), -1) @ w["attn_output"].T
        h = norm(x, f"blk.{layer}.ffn_norm")
        gate = h @ w["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
    logits = norm(x, "output_norm") @ weights["token_embd" if model.tied else "output"].T
    top = logits.max(-1, keepdims=True)
    table = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    found = [table[i - 1, tokens[i]] for i in range(1, len(tokens))]
    return float(np.max(np.abs(np.array(found) - np.array(expected))))


def shortest(value):
    """The shortest decimal that reads back as the same float32."""
    return float(str(np.float32(value)))


def write_json(path, value):
    text = json.dumps(value, indent=1)
    # Lists of numbers on one line: readable in a diff and a third of the size of json's own indentation.
    text = re.sub(r"\[[-+.\deE,\s]*\]", lambda found: " ".join(found[0].split()), text)
    assert json.loads(text) == value
    path.write_text(text + "\n")


def golden_model(model, seed, folder):
    random = np.random.default_rng(seed)
    network, stored = make_model(model, random)
    tokenizer = train_tokenizer(model.vocab)
    path = folder / f"{model.name}.gguf"
    write_gguf(model, tokenizer, stored, path)

    texts = TEXT.splitlines() + ["", " ", "don't  stop", "a\r\nb\n\n c", "12345 x9"]
    encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    sequences = [random.integers(0, model.vocab, n).tolist() for n in (2, 3, 7, 16, 33, 64)]
    sequences += [encoded[0][:48], [5] * 12]

    results = []
    for tokens in sequences:
        expected = log_probabilities(network, tokens)
        error = check_with_numpy(model, path, tokens, expected)
        assert error < 1e-4, f"{model.name}: {error}"
        print(f"{model.name}: {len(tokens)} tokens, from {min(expected):.2f} to {max(expected):.2f}, error {error:.1e}")
        results.append({"tokens": tokens, "log_probs": [shortest(p) for p in expected]})
    write_json(
        folder / f"{model.name}.json",
        {
            "source": f"transformers {transformers.__version__}, torch {torch.__version__}, float32",
            "sequences": results,
            "encodings": [{"text": text, "tokens": ids} for text, ids in zip(texts, encoded)],
        },
    )


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for seed, model in enumerate(MODELS, start=1):
        golden_model(model, seed, folder)


if __name__ == "__main__":
    main()
