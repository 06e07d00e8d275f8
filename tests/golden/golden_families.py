# SPDX-License-Identifier: MIT
"""Makes tests/golden/families: a tiny random model of each family as Hugging Face transformers saves it and, where
llama.cpp knows the family, as GGUF, with the log-probabilities that transformers gives it.

    pip install torch transformers tokenizers gguf numpy
    python tests/golden/golden_families.py [FOLDER, by default tests/golden/families, [FAMILY...]]

Weights are numbers that bfloat16 holds exactly, so that both files are half as large and mean the same model.
"""

import dataclasses
import json
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
import transformers
from golden import interleave_rotary, log_probabilities, shortest, train_tokenizer, write_json


@dataclasses.dataclass
class Family:
    name: str
    config: transformers.PretrainedConfig
    network: type
    architecture: str = ""  # of the GGUF file; none if empty
    rope: dict = dataclasses.field(default_factory=dict)
    gguf: dict = dataclasses.field(default_factory=dict)  # more metadata, by key behind "ARCHITECTURE."
    shards: str = ""  # largest file of the Hugging Face folder
    tokenizer: bool = False


def llama_like(config, **more):
    sizes = {"hidden_size": 32, "intermediate_size": 56, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "vocab_size": 97, "max_position_embeddings": 128, "rms_norm_eps": 1e-6,
             "bos_token_id": 0, "eos_token_id": 0, "attn_implementation": "eager"}  # fmt: skip
    return config(**{**sizes, **more})


def opt(**more):
    sizes = {"hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 56, "num_hidden_layers": 2,
             "num_attention_heads": 4, "vocab_size": 97, "max_position_embeddings": 80, "bos_token_id": 2,
             "eos_token_id": 2, "attn_implementation": "eager"}  # fmt: skip
    return transformers.OPTConfig(**{**sizes, **more})


# The original context is short, so that pairs fall on both sides of the band in which LLaMA-3 blends, and inside it.
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 64}  # fmt: skip
LINEAR_ROPE = {"rope_type": "linear", "rope_theta": 5e4, "factor": 4.0}

FAMILIES = [
    Family("llama3", llama_like(transformers.LlamaConfig, rope_parameters=LLAMA3_ROPE, hidden_size=36,
                                num_attention_heads=6, num_key_value_heads=3, head_dim=8, vocab_size=263,
                                tie_word_embeddings=True),
           transformers.LlamaForCausalLM, "llama", LLAMA3_ROPE, tokenizer=True),
    Family("llama_bias_linear", llama_like(transformers.LlamaConfig, rope_parameters=LINEAR_ROPE,
                                           attention_bias=True, mlp_bias=True, tie_word_embeddings=False),
           transformers.LlamaForCausalLM, "llama", LINEAR_ROPE, shards="20KB"),
    Family("mistral", llama_like(transformers.MistralConfig, sliding_window=9, num_key_value_heads=1,
                                 rope_parameters={"rope_type": "default", "rope_theta": 1e4},
                                 tie_word_embeddings=False),
           transformers.MistralForCausalLM, "llama", {"rope_theta": 1e4}),
    Family("qwen2", llama_like(transformers.Qwen2Config, hidden_size=36, num_attention_heads=6, vocab_size=101,
                               rope_parameters={"rope_type": "default", "rope_theta": 1e6},
                               tie_word_embeddings=True),
           transformers.Qwen2ForCausalLM, "qwen2", {"rope_theta": 1e6}),
    Family("qwen2_separate", llama_like(transformers.Qwen2Config, num_attention_heads=9, num_key_value_heads=3,
                                        hidden_size=54, num_hidden_layers=1,
                                        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
                                        tie_word_embeddings=False),
           transformers.Qwen2ForCausalLM, "qwen2", {"rope_theta": 1e4}),
    Family("opt", opt(), transformers.OPTForCausalLM),
    Family("opt_odd", opt(hidden_size=30, word_embed_proj_dim=30, num_attention_heads=3, num_hidden_layers=1,
                          tie_word_embeddings=False), transformers.OPTForCausalLM),
    Family("qwen3", llama_like(transformers.Qwen3Config, hidden_size=36, head_dim=16, tie_word_embeddings=False,
                               rope_parameters={"rope_type": "default", "rope_theta": 1e6}),
           transformers.Qwen3ForCausalLM, "qwen3", {"rope_theta": 1e6}),
    Family("smollm3", llama_like(transformers.SmolLM3Config, num_hidden_layers=5, pad_token_id=None,
                                 rope_parameters={"rope_type": "default", "rope_theta": 5e6}),
           transformers.SmolLM3ForCausalLM, "smollm3", {"rope_theta": 5e6}),
    Family("smollm3_list", llama_like(transformers.SmolLM3Config, num_hidden_layers=3, pad_token_id=None,
                                      no_rope_layers=[0, 1, 0], attention_bias=True, mlp_bias=True,
                                      tie_word_embeddings=False), transformers.SmolLM3ForCausalLM),
    Family("phi3", llama_like(transformers.Phi3Config, hidden_size=48, sliding_window=9, pad_token_id=None,
                              rope_parameters={"rope_type": "default", "rope_theta": 1e4,
                                               "partial_rotary_factor": 0.5}, tie_word_embeddings=False),
           transformers.Phi3ForCausalLM, "phi3", {"rope_theta": 1e4, "dimensions": 6},
           {"rope.scaling.original_context_length": 128}),
    Family("gemma2", llama_like(transformers.Gemma2Config, num_hidden_layers=3, head_dim=16, sliding_window=9,
                                query_pre_attn_scalar=16, attn_logit_softcapping=3.0, final_logit_softcapping=5.0),
           transformers.Gemma2ForCausalLM, "gemma2", {"rope_theta": 1e4},
           {"attn_logit_softcapping": 3.0, "final_logit_softcapping": 5.0}),
    Family("gemma2_types", llama_like(transformers.Gemma2Config, num_hidden_layers=3, head_dim=8, sliding_window=5,
                                      query_pre_attn_scalar=10, attn_logit_softcapping=None, attention_bias=True,
                                      final_logit_softcapping=None, tie_word_embeddings=False,
                                      layer_types=["full_attention", "sliding_attention", "sliding_attention"]),
           transformers.Gemma2ForCausalLM),
    Family("gemma3", llama_like(transformers.Gemma3TextConfig, num_hidden_layers=7, head_dim=16, sliding_window=9,
                                query_pre_attn_scalar=16, rope_parameters={
                                    "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e6},
                                    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}),
           transformers.Gemma3ForCausalLM, "gemma3", {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e6}),
    Family("gemma3_types", llama_like(transformers.Gemma3TextConfig, num_hidden_layers=2, head_dim=8, sliding_window=5,
                                      query_pre_attn_scalar=12, final_logit_softcapping=6.0, rope_parameters={
                                          "full_attention": {"rope_type": "default", "rope_theta": 5e4},
                                          "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}},
                                      layer_types=["full_attention", "sliding_attention"]),
           transformers.Gemma3ForCausalLM),
]  # fmt: skip


def make_network(family, random):
    network = family.network(family.config).to(torch.float32).eval()
    state = network.state_dict()
    for name, old in state.items():
        value = random.standard_normal(tuple(old.shape))
        if "norm" in name and name.endswith("weight"):
            # Gemma's gains are 1 + weight, which GGUF stores: choose numbers for which the sum is exact.
            value = np.round(51.2 * value) / 256 if "gemma" in family.name else 1 + 0.2 * value
        elif name.endswith("bias"):
            value = 0.3 * value
        else:
            value = 0.25 * value
        state[name] = torch.from_numpy(value.astype(np.float32)).to(torch.bfloat16).to(torch.float32)
    if family.config.tie_word_embeddings:
        embedding = "model.decoder.embed_tokens.weight" if "opt" in family.name else "model.embed_tokens.weight"
        state["lm_head.weight"] = state[embedding]
    network.load_state_dict(state)
    return network


def gguf_names(architecture, layers):
    """llama.cpp's own map of the names of a checkpoint's modules."""
    number = next(n for n, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    return gguf.get_tensor_name_map(number, layers)


def llama3_factors(config, rope):
    """What llama.cpp's converter writes as rope_freqs.weight."""
    dim = config.head_dim
    original = rope["original_max_position_embeddings"]
    factors = []
    for i in range(0, dim, 2):
        wavelength = 2 * np.pi * rope["rope_theta"] ** (i / dim)
        if wavelength < original / rope["high_freq_factor"]:
            factors.append(1.0)
        elif wavelength > original / rope["low_freq_factor"]:
            factors.append(rope["factor"])
        else:
            share = original / wavelength - rope["low_freq_factor"]
            share /= rope["high_freq_factor"] - rope["low_freq_factor"]
            factors.append(1 / ((1 - share) / rope["factor"] + share))
    return np.array(factors, dtype=np.float32)


def write_gguf(family, network, tokenizer, path):
    config = family.config
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer = gguf.GGUFWriter(path, family.architecture)
    writer.add_name(f"zeroth golden {family.name}")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(family.rope["rope_theta"])
    if family.architecture in ("llama", "smollm3", "phi3"):
        writer.add_rope_dimension_count(family.rope.get("dimensions", head_dim))
    if head_dim * config.num_attention_heads != config.hidden_size:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if family.rope.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(family.rope["factor"])
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    for key, value in family.gguf.items():
        add = writer.add_uint32 if isinstance(value, int) else writer.add_float32
        add(f"{family.architecture}.{key}", value)
    if tokenizer:
        model = json.loads(tokenizer.to_str())["model"]
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list(sorted(model["vocab"], key=model["vocab"].get))
        control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
        writer.add_token_types([control if i == 0 else normal for i in range(len(model["vocab"]))])
        writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(0)
    if family.rope.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config, family.rope))
    names = gguf_names(family.architecture, config.num_hidden_layers)
    for name, tensor in network.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        module, kind = name.rsplit(".", 1)
        value = tensor.numpy()
        if "gemma" in family.name and name.endswith("norm.weight"):
            value = value + 1
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
        if family.architecture in ("llama", "smollm3") and module.split(".")[-1] in heads:
            rows = value.reshape(value.shape[0], -1)
            value = interleave_rotary(rows, heads[module.split(".")[-1]]).reshape(value.shape)
        if value.ndim == 1:
            writer.add_tensor(f"{names.get_name(module)}.{kind}", value)
            continue
        bf16 = gguf.GGMLQuantizationType.BF16
        writer.add_tensor(f"{names.get_name(module)}.{kind}", gguf.quants.quantize(value, bf16), raw_dtype=bf16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def golden_family(family, seed, folder):
    random = np.random.default_rng(seed)
    network = make_network(family, random)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokenizer = train_tokenizer(family.config.vocab_size) if family.tokenizer else None
    sequences = [random.integers(0, family.config.vocab_size, n).tolist() for n in (2, 5, 17, 48, 80)]
    results = []
    for tokens in sequences:
        expected = log_probabilities(network, tokens)
        print(f"{family.name}: {len(tokens)} tokens, from {min(expected):.2f} to {max(expected):.2f}")
        results.append({"tokens": tokens, "log_probs": [shortest(p) for p in expected]})
    write_json(folder / "golden.json", {
        "source": f"transformers {transformers.__version__}, torch {torch.__version__}, float32",
        "sequences": results,
    })  # fmt: skip
    if family.architecture:
        write_gguf(family, network, tokenizer, folder / "model.gguf")
    if tokenizer:
        tokenizer.save(str(folder / "tokenizer.json"))
    shards = {"max_shard_size": family.shards} if family.shards else {}
    network.to(torch.bfloat16).save_pretrained(folder, **shards)


def main():
    default = pathlib.Path(__file__).parent / "families"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    chosen = sys.argv[2:]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for seed, family in enumerate(FAMILIES, start=101):
        if not chosen or family.name in chosen:
            golden_family(family, seed, folder / family.name)


if __name__ == "__main__":
    main()
