# SPDX-License-Identifier: MIT
"""Makes tests/golden/quantized_blocks.json: 32 values and the blocks that gguf-py makes of them.

    pip install gguf numpy
    python tests/golden/golden_quantized.py [FOLDER, by default tests/golden]

Everything is seeded: a second run gives the same file.
"""

import importlib.metadata
import json
import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type


def rows():
    """Weights of several sizes, then what rounding finds hard."""
    random = np.random.default_rng(20)
    for scale in (1e-8, 1e-4, 0.02, 1.0, 3e4):
        for _ in range(4):
            yield random.standard_normal(32) * scale
    yield np.zeros(32)
    yield -np.zeros(32)
    # Ties between two steps, and between two values of the largest magnitude.
    yield np.arange(32) - 16
    yield np.where(np.arange(32) % 2 == 0, 8, -8)
    yield np.where(np.arange(32) % 2 == 0, -8, 8)
    yield (np.arange(32) - 15.5) * 127 / 63.5
    # A block whose scale is a subnormal half, and one whose scale is none.
    yield random.standard_normal(32) * 1e-5
    yield random.standard_normal(32) * 1e-7


def hex_of(array):
    return array.tobytes().hex()


cases = []
for row in rows():
    values = np.asarray(row, dtype=np.float32)
    cases.append(
        {
            "values": " ".join(f"{word:08x}" for word in values.view(np.uint32)),
            "Q8_0": hex_of(gguf.quants.quantize(values[None, :], Type.Q8_0)),
            "Q4_0": hex_of(gguf.quants.quantize(values[None, :], Type.Q4_0)),
        }
    )
folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden")
text = json.dumps({"gguf": importlib.metadata.version("gguf"), "numpy": np.__version__, "cases": cases}, indent=1)
(folder / "quantized_blocks.json").write_text(text + "\n", encoding="utf-8")
