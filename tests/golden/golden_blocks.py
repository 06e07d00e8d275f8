# SPDX-License-Identifier: MIT
"""Makes tests/golden/blocks.json: blocks of every type of a GGUF file with what gguf-py decodes them to.

    pip install gguf numpy
    python tests/golden/golden_blocks.py [FOLDER, by default tests/golden]

Everything is seeded: a second run gives the same file. gguf-py does not decode Q8_K, so its formula stands below.
"""

import importlib.metadata
import json
import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

# Scales: zeros, the smallest subnormal, a negative subnormal, the smallest normal, the largest, infinities.
SPECIAL = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF]
INFINITIES = [0x7C00, 0xFC00]

# Type -> offsets of the halves in a block.
OLDER = {Type.Q8_0: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2]}
NEWER = {
    Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2],
    Type.Q6_K: [208], Type.Q8_K: [],
}  # fmt: skip


def decode(blocks, kind):
    """The values of blocks, one row each, as float32."""
    if kind == Type.Q8_K:
        scale = blocks[:, :4].copy().view(np.float32)
        return scale * blocks[:, 4:260].view(np.int8).astype(np.float32)
    values = np.array(gguf.quants.dequantize(blocks, kind), dtype=np.float32)
    return values.reshape(blocks.shape[0], -1)


def older_blocks(random, kind):
    """Random blocks, the first of them with special scales."""
    header = len(OLDER[kind])
    blocks = random.integers(0, 256, (24, gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for b, block in enumerate(blocks):
        scales = random.standard_normal(header).astype(np.float16).view(np.uint16)
        if b < len(SPECIAL):
            scales[0] = SPECIAL[b]
            scales[-1] = SPECIAL[b * 3 % len(SPECIAL)] if header == 2 else scales[-1]
        block[: 2 * header] = scales.view(np.uint8)
    return blocks


def newer_blocks(random, kind):
    """Random blocks and blocks of one byte throughout, under special and random scales."""
    offsets = NEWER[kind]
    size = gguf.GGML_QUANT_SIZES[kind][1]
    first = SPECIAL + INFINITIES
    blocks = []
    for n in range(len(first) + 2):
        block = random.integers(0, 256, size, dtype=np.uint8)
        scales = random.standard_normal(2).astype(np.float16).view(np.uint16)
        if n < len(first):
            scales = [first[n], first[(n * 4 + 1) % len(first)]]
        for offset, scale in zip(offsets, scales):
            block[offset : offset + 2] = np.array([scale], np.uint16).view(np.uint8)
        blocks.append(block)
    # The largest and the smallest sub-scales, minima and quants, under the largest scales and random ones; the last
    # block's scale is a NaN where it is a half.
    for byte, scales in [(0xFF, [0x7BFF, 0xFBFF]), (0x00, [0x7BFF, 0xFBFF]), (0x80, [0x2E66, 0xAE67]),
                         (0x7F, [0x2E66, 0x2E67]), (0xFF, [0x03FF, 0x0001]), (0xFF, [0xFFFF, 0xFFFF])]:  # fmt: skip
        block = np.full(size, byte, np.uint8)
        for offset, scale in zip(offsets, scales):
            block[offset : offset + 2] = np.array([scale], np.uint16).view(np.uint8)
        blocks.append(block)
    blocks = np.array(blocks)
    if kind == Type.Q8_K:
        # Zeros, the smallest subnormal and normal, the largest, infinities and one whose products all round.
        scales = [0, 0x80000000, 1, 0x807FFFFF, 0x00800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x3EAAAAAB]
        blocks[: len(scales), :4] = np.array(scales, np.uint32).view(np.uint8).reshape(-1, 4)
    return blocks


def digest(words):
    """64-bit FNV-1a of the words' bytes."""
    result = 0xCBF29CE484222325
    for byte in words.astype("<u4").tobytes():
        result = (result ^ byte) * 0x100000001B3 % 2**64
    return f"{result:016x}"


def cases(name, blocks):
    """The values are those of the whole block, or of every 32nd place of a large one, whose digest tells the rest."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = decode(blocks, Type[name])
    words = np.where(np.isnan(values), np.uint32(0x7FC00000), values.view(np.uint32))
    for block, row in zip(blocks, words):
        case = {"type": name, "block": block.tobytes().hex()}
        large = len(row) == gguf.QK_K
        case["values"] = " ".join(f"{v:08x}" for v in (row[::32] if large else row))
        if large:
            case["digest"] = digest(row)
        yield case


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    random = np.random.default_rng(7)
    blocks = {kind.name: older_blocks(random, kind) for kind in OLDER}
    halves = np.concatenate([np.array(SPECIAL + [0x7C00, 0xFC00, 0x7E00, 0x3C00, 0x03FF], np.uint16),
                             random.standard_normal(52).astype(np.float16).view(np.uint16)])  # fmt: skip
    blocks["F16"] = halves.view(np.uint8).reshape(1, -1)
    brains = np.concatenate([np.array([0, 0x8000, 1, 0x807F, 0x7F80, 0xFF80, 0x7FC0, 0x7F7F], np.uint16),
                             random.integers(0, 0x7F80, 56).astype(np.uint16)])  # fmt: skip
    blocks["BF16"] = brains.view(np.uint8).reshape(1, -1)
    blocks["F32"] = random.standard_normal(16).astype(np.float32).view(np.uint8).reshape(1, -1)
    blocks |= {kind.name: newer_blocks(random, kind) for kind in NEWER}

    source = f"gguf {importlib.metadata.version('gguf')}"
    result = {"source": source, "cases": [case for name in blocks for case in cases(name, blocks[name])]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "blocks.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
