# SPDX-License-Identifier: MIT
"""A LLaMA in PyTorch only, so that it can be measured on a machine without transformers.

Parameters have the names of Hugging Face's checkpoints. Attention is PyTorch's fused one, everything else its own
operations: a forward launches no more than transformers' does.
"""

import json
import struct
import types

import torch
from torch import nn
from torch.nn import functional


def rotate_half(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


class Attention(nn.Module):
    def __init__(self, config, dim, options):
        super().__init__()
        self.dim = dim
        hidden, heads, kv_heads = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
        self.grouped = {"enable_gqa": True} if heads != kv_heads else {}
        self.q_proj = nn.Linear(hidden, heads * dim, **options)
        self.k_proj = nn.Linear(hidden, kv_heads * dim, **options)
        self.v_proj = nn.Linear(hidden, kv_heads * dim, **options)
        self.o_proj = nn.Linear(heads * dim, hidden, **options)

    def forward(self, x, cosines, sines):
        batch, length, _ = x.shape
        q, k, v = (p(x).view(batch, length, -1, self.dim).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        q = q * cosines + rotate_half(q) * sines
        k = k * cosines + rotate_half(k) * sines
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True, **self.grouped)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))


class Mlp(nn.Module):
    def __init__(self, config, options):
        super().__init__()
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.gate_proj = nn.Linear(hidden, inner, **options)
        self.up_proj = nn.Linear(hidden, inner, **options)
        self.down_proj = nn.Linear(inner, hidden, **options)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config, dim, norm, options):
        super().__init__()
        self.input_layernorm = norm()
        self.self_attn = Attention(config, dim, options)
        self.post_attention_layernorm = norm()
        self.mlp = Mlp(config, options)

    def forward(self, x, cosines, sines):
        x = x + self.self_attn(self.input_layernorm(x), cosines, sines)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """Made of a config.json, without weights that mean anything."""

    def __init__(self, config, device, dtype):
        super().__init__()
        for key in ("rope_scaling", "sliding_window"):
            if config.get(key):
                raise SystemExit(f"versus: config.json: expected no {key}")
        hidden, vocabulary = config["hidden_size"], config["vocab_size"]
        self.dim = config.get("head_dim") or hidden // config["num_attention_heads"]
        self.theta = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
        self.vocabulary = vocabulary
        options = {"bias": False, "device": "meta", "dtype": dtype}
        norm = lambda: nn.RMSNorm(hidden, config["rms_norm_eps"], device="meta", dtype=dtype)  # noqa: E731
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(vocabulary, hidden, device="meta", dtype=dtype)
        self.model.layers = nn.ModuleList(
            Layer(config, self.dim, norm, options) for _ in range(config["num_hidden_layers"])
        )
        self.model.norm = norm()
        self.lm_head = nn.Linear(hidden, vocabulary, **options)
        self.to_empty(device=device)
        # Not before: to_empty() makes two of a tied one.
        if config["tie_word_embeddings"]:
            self.lm_head.weight = self.model.embed_tokens.weight
        self.requires_grad_(False)

    def forward(self, input_ids, logits_to_keep=0, use_cache=False):
        """As transformers' models are called."""
        assert not use_cache
        inverse = self.theta ** -(torch.arange(0, self.dim, 2, device=input_ids.device, dtype=torch.float32) / self.dim)
        angles = torch.outer(torch.arange(input_ids.shape[1], device=input_ids.device, dtype=torch.float32), inverse)
        angles = torch.cat((angles, angles), dim=-1)
        x = self.model.embed_tokens(input_ids)
        cosines, sines = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        for layer in self.model.layers:
            x = layer(x, cosines, sines)
        return types.SimpleNamespace(logits=self.lm_head(self.model.norm(x[:, -logits_to_keep:])))

    def fill_random(self):
        """Untrained weights, as zeroth generates them: the cost of a step does not depend on them."""
        for p in self.parameters():
            if p.dim() == 2:
                p.normal_(0, 0.02)
            else:
                p.fill_(1)

    def load(self, folder):
        """The weights of a folder in Hugging Face's form."""
        parameters = dict(self.named_parameters())
        for path in sorted(folder.glob("*.safetensors")):
            data = bytearray(path.read_bytes())
            (length,) = struct.unpack_from("<Q", data)
            for name, entry in json.loads(data[8 : 8 + length]).items():
                if name == "__metadata__":
                    continue
                begin, end = entry["data_offsets"]
                dtype = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[entry["dtype"]]
                bits = torch.frombuffer(data, dtype=torch.uint8, count=end - begin, offset=8 + length + begin)
                # Copied first: where a tensor begins in the file, its type may not.
                parameters.pop(name).copy_(bits.clone().view(dtype).view(entry["shape"]))
        if parameters:
            raise SystemExit(f"versus: {folder} has no {next(iter(parameters))}")
