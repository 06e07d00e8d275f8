#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/known_answers/journal.txt: a journal as docs/journal.md describes it, and hashes of weights.

A second implementation of the format: it shares no code with the library and needs nothing but Python.
"""

import struct
import zlib
from pathlib import Path

FILE = Path(__file__).resolve().parent / "journal.txt"
SAMPLES = 2


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def text(value):
    return varint(len(value.encode())) + value.encode()


def mixed(x):
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def weight_hash(stream, element, bits):
    return mixed((mixed(stream << 32 | bits) + element) % 2**64)


def header(base_hash, fields, notes, tensors):
    body = struct.pack("<IIQIII", 1, SAMPLES, base_hash, len(fields), len(notes), len(tensors))
    for name, value in fields + notes:
        body += text(name) + text(value)
    for name, role, dtype, rows, columns, stream, offset in tensors:
        body += text(name) + bytes([role, dtype]) + varint(rows) + varint(columns)
        body += struct.pack("<I", stream) + varint(offset)
    magic = bytes([0x89, 0x5A, 0x4F, 0x4A, 0x0D, 0x0A, 0x1A, 0x0A])
    body = magic + struct.pack("<II", 1, 8 + 8 + len(body) + 4) + body
    return body + struct.pack("<I", zlib.crc32(body))


def record(head, place, content):
    content += bytes(36 + 4 * SAMPLES - len(content))
    return content + struct.pack("<I", zlib.crc32(head[-4:] + struct.pack("<Q", place) + content))


def step(number, arithmetic, skipped, abandoned, decay, step_size, loss, active, coefficients):
    content = struct.pack("<IBBBBIffdQ", number, 0, arithmetic, skipped, 0, abandoned, decay, step_size, loss, active)
    return content + struct.pack(f"<{len(coefficients)}f", *coefficients)


def evaluation(steps, examples_of, score, loss, examples):
    return struct.pack("<IBBHddQ", steps, 1, examples_of, 0, score, loss, examples)


def main():
    head = header(
        0x0123456789ABCDEF,
        [("sampler", "gaussian"), ("mask", "smallest-magnitude(sparsity=0.75)"), ("seed", "18446744073709551615")],
        [("row_order", "gguf")],
        [("blk.0.w", 0, 0, 300, 7, 0xDEADBEEF, 0), ("b\u00fcffel", 1, 1, 1, 128, 1, 2**40 + 5)],
    )
    contents = [
        evaluation(0, 0, 0.5, 0.75, 500),
        step(0, 0, 0, 0, 0.0, 1e-6, 0.6931, 525, [-1.5e-7, 2.5e-7]),
        step(1, 1, 0, 3, 1e-9, 5e-7, 1.25, 2**33, [1e-30, -0.0]),
        step(2, 1, 1, 0, 0.0, 0.0, float("inf"), 0, []),
        evaluation(3, 1, -0.625, 0.625, 1),
    ]
    journal = head + b"".join(record(head, place, content) for place, content in enumerate(contents))
    weights = [(0, 0, 0), (0, 0, 0x80000000), (0xDEADBEEF, 2**40 + 5, 0x3F800000), (0xFFFFFFFF, 2**48, 0xFFFFFFFF)]
    lines = ["# hash stream element bits answer; then a journal, byte by byte"]
    lines += [f"hash {s:x} {e:x} {b:08x} {weight_hash(s, e, b):016x}" for s, e, b in weights]
    lines += ["journal " + journal[i : i + 40].hex() for i in range(0, len(journal), 40)]
    FILE.write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
