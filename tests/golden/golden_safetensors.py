# SPDX-License-Identifier: MIT
"""Makes tests/golden/safetensors: a tiny checkpoint in one file and in parts, as Python's safetensors and
huggingface_hub write them, with the bits of its values as float32.

    pip install torch safetensors huggingface_hub
    python tests/golden/golden_safetensors.py [FOLDER, by default tests/golden/safetensors]

Everything is seeded, so a second run gives the same bytes.
"""

import importlib.metadata
import json
import pathlib
import shutil
import sys

import torch
from huggingface_hub import save_torch_state_dict

# The file of parts is cut where the next tensor would make more than this; `big` by itself is more.
PART_BYTES = 600


def make_tensors():
    random = torch.Generator().manual_seed(11)

    def normal(*shape, dtype):
        return torch.randn(shape, generator=random).to(dtype)

    return {
        "first.weight": normal(6, 10, dtype=torch.float32),
        "first.bias": normal(7, dtype=torch.bfloat16),
        "half.weight": normal(5, 9, 2, dtype=torch.float16),
        "big.weight": normal(16, 20, dtype=torch.bfloat16),
        "scalar": normal(dtype=torch.float32),
        # Subnormals, the largest values, zeros and infinities of both kinds of 16 bits.
        "special.half": torch.tensor([0, -0x8000, 1, 0x3FF, 0x7BFF, 0x7C00, -0x400], dtype=torch.int16).view(torch.float16),
        "special.brain": torch.tensor([0, -0x8000, 1, 0x7F, 0x7F7F, 0x7F80, -0x80], dtype=torch.int16).view(torch.bfloat16),
        "exact": normal(3, 4, dtype=torch.float64),
        "ids": torch.arange(-3, 3, dtype=torch.int64),
        "größe \"1\"": normal(2, 50, dtype=torch.float32),
    }  # fmt: skip


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "safetensors")
    tensors = make_tensors()
    for name, limit in [("single", 10**9), ("parts", PART_BYTES)]:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
        save_torch_state_dict(tensors, folder / name, max_shard_size=limit)

    expected = {}
    for name, tensor in tensors.items():
        bits = tensor.float().contiguous().view(torch.int32).flatten().tolist()
        expected[name] = {
            "dtype": str(tensor.dtype),
            "shape": list(tensor.shape),
            "values": " ".join(f"{value & 0xFFFFFFFF:08x}" for value in bits),
        }
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("safetensors", "huggingface_hub", "torch"))
    text = json.dumps({"source": versions, "tensors": expected}, indent=1, ensure_ascii=False)
    (folder / "values.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
