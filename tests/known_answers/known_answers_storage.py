#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/known_answers/{widen,narrow,rounding}.txt: weights stored in 16 bits.

As known_answers.py, a second implementation in exact fractions, which shares no code with the library and needs nothing
but Python. Rounding looks at where a value lies between two neighbours in the list of all numbers of a type.
"""

from bisect import bisect_right
from fractions import Fraction
from math import floor

from known_answers import (
    NOISE,
    Noise,
    bits_of,
    exact,
    fma,
    negative,
    position,
    random_block,
    rounded,
    updated,
    write,
)

ROUNDING = 1  # the purpose of a random block


class Type:
    """A type of 16 bits: a sign, and a magnitude whose code orders as its value does."""

    def __init__(self, name, mantissa_bits, bias):
        self.name = name
        self.mantissa_bits = mantissa_bits
        self.infinity = 0x7FFF >> mantissa_bits << mantissa_bits
        unit = 1 - bias - mantissa_bits  # of subnormal numbers
        self.values = []
        for code in range(self.infinity + 1):  # infinity's own place is where the next binade would begin
            exponent, fraction = code >> mantissa_bits, code % 2**mantissa_bits
            if exponent:
                fraction += 2**mantissa_bits
            self.values.append(fraction * Fraction(2) ** (max(exponent, 1) - 1 + unit))

    def widen(self, bits):
        """The float32 of a number."""
        sign, code = (bits & 0x8000) << 16, bits & 0x7FFF
        if code < self.infinity:
            return sign | rounded(self.values[code])
        fraction = code - self.infinity
        quiet = 0x400000 if fraction and self.name == "f16" else 0
        return sign | 0x7F800000 | quiet | fraction << (23 - self.mantissa_bits)

    def position(self, magnitude):
        """Code of the number at or below a magnitude, and how far on the way to the next one it is."""
        code = bisect_right(self.values, magnitude) - 1
        if code == self.infinity:
            return code, Fraction(0)
        return code, (magnitude - self.values[code]) / (self.values[code + 1] - self.values[code])

    def special(self, bits):
        """What becomes of an infinity or a NaN; nothing for a number."""
        sign, magnitude = bits >> 16 & 0x8000, bits & 0x7FFFFFFF
        if magnitude < 0x7F800000:
            return None
        fraction = (magnitude & 0x7FFFFF) >> (23 - self.mantissa_bits)
        quiet = 1 << (self.mantissa_bits - 1) if magnitude > 0x7F800000 else 0
        return sign | self.infinity | quiet | fraction

    def nearest(self, bits):
        if (special := self.special(bits)) is not None:
            return special
        code, share = self.position(abs(exact(bits)))
        return bits >> 16 & 0x8000 | code + round_half_even(code, share)

    def stochastic(self, bits, random):
        if (special := self.special(bits)) is not None:
            return special
        code, share = self.position(abs(exact(bits)))
        return bits >> 16 & 0x8000 | code + (floor(share * 2**16) + random >= 2**16)

    def extend(self, bits):
        """The 16-bit number and the byte."""
        if (special := self.special(bits)) is not None:
            return special, 0
        code, share = self.position(abs(exact(bits)))
        extended = round((code + share) * 256)
        upper = (extended + 128) // 256
        if upper >= self.infinity:
            return bits >> 16 & 0x8000 | self.infinity, 0
        return bits >> 16 & 0x8000 | upper, extended - 256 * upper

    def join(self, upper, lower):
        """The float32 of an extended number."""
        code = upper & 0x7FFF
        if code >= self.infinity:
            return self.widen(upper)
        extended = max(code * 256 + lower, 0)
        code, share = extended // 256, Fraction(extended % 256, 256)
        value = self.values[code] + share * (self.values[code + 1] - self.values[code])
        assert exact(rounded(value)) == value
        return (upper & 0x8000) << 16 | rounded(value)


def round_half_even(code, share):
    return share > Fraction(1, 2) or (share == Fraction(1, 2) and code % 2 == 1)


BF16, F16 = Type("bf16", 7, 127), Type("f16", 10, 15)


def rounding_error(dtype, value, weight):
    if weight & 0x7FFF >= dtype.infinity:
        return 0
    added = exact(dtype.widen(weight)) - exact(value)
    assert exact(rounded(added)) == added
    return BF16.nearest(rounded(added))


def generator(seed):
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 32


def write_widen():
    lines = []
    for dtype in (BF16, F16):
        step = 1 << (dtype.mantissa_bits - 3)  # some numbers of each binade, with their neighbours
        codes = sorted({c for k in range(0, 0x8000, step) for c in (k - 1, k, k + 1) if 0 <= c < 0x8000} | {0x7FFF})
        if dtype is BF16:
            codes = codes[::3]
        for code in codes:
            lines.append(f"{dtype.name} {code:04x} {dtype.widen(code):08x}")
            if code % 7 == 0:
                lines.append(f"{dtype.name} {code | 0x8000:04x} {dtype.widen(code | 0x8000):08x}")
    write("widen.txt", ["dtype bits, and the bits of the f32 of the same value"], lines)


def test_values(dtype, random):
    """Bits of float32 at, between and just next to numbers of a type, and special ones."""
    values = [0, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000]
    values += [0x7FC00000, 0x7F800001, 0xFFA12345, 0x7FFFFFFF]
    codes = [0, 1, 2, 3, 0x7F, 0x80, 0x3FF, 0x400, 0x401, dtype.infinity - 2, dtype.infinity - 1]
    codes += [next(random) % dtype.infinity for _ in range(40)]
    for code in codes:
        low, high = dtype.values[code], dtype.values[code + 1]
        for share in (0, Fraction(1, 512), Fraction(1, 4), Fraction(1, 2), Fraction(255, 512), Fraction(511, 512)):
            bits = rounded(low + share * (high - low))
            if code % 2:
                bits |= 0x80000000
            values += [bits, bits + 1] if share else [bits]
            if share and bits & 0x7FFFFFFF:
                values.append(bits - 1)
    for _ in range(100):  # any float up to 2^17
        values.append(next(random) % 0x48000000 | (next(random) & 1) << 31)
    return values


def write_narrow():
    random = generator(1)
    lines = []
    for dtype in (BF16, F16):
        for value in test_values(dtype, random):
            draw = next(random) % 2**16
            upper, lower = dtype.extend(value)
            weight = dtype.nearest(value)
            error = rounding_error(dtype, value, weight)
            lines.append(
                f"{dtype.name} {value:08x} {weight:04x} {draw:x} {dtype.stochastic(value, draw):04x} "
                f"{upper:04x} {lower:+d} {dtype.join(upper, lower):08x} {error:04x}"
            )
    comment = [
        "dtype, bits of an f32; the nearest number of the type; 16 random bits and the number drawn with them;",
        "16-bit part and byte of the nearest extended number, and the f32 of that; what rounding to the nearest number adds",
    ]
    write("narrow.txt", comment, lines)


def start_weights(dtype, count, random):
    """Numbers of a type as weights might be, and special ones."""
    weights = [0, 0x8000, 1, 0x8001, dtype.infinity - 1, dtype.nearest(bits_of(1.0))]
    while len(weights) < count:
        size = Fraction(1, 50) * Fraction(next(random) % 4096 - 2048, 2 ** (11 + next(random) % 6))
        weights.append(dtype.nearest(rounded(size)))
    return weights[:count]


def write_rounding():
    def hexadecimal(terms):
        return " ".join([f"{len(terms):x}"] + [f"{sample:x} {coefficient:08x}" for sample, coefficient in terms])

    random = generator(2)
    zero = bits_of(0.0)
    passes = [
        (zero, [(0, bits_of(-3.1e-5))], False, zero),
        (bits_of(1e-3), [(0, bits_of(2e-4)), (1, bits_of(-1e-5))], False, zero),
        (zero, [(0, bits_of(1.0))], True, bits_of(2e-5)),
    ]
    steps = 3
    lines = []
    cases = [(d, r) for d in (BF16, F16) for r in ("nearest", "stochastic", "compensated", "extra-byte")]
    for number, (dtype, rounding) in enumerate(cases):
        noise = NOISE[number % len(NOISE)]
        offset, count = ((0, 130), (333, 70), (2**33 - 9, 40))[number % 3]
        decay, terms, takes_sign, sign_step = passes[number % len(passes)]
        threshold = bits_of(0.015)
        fields = [
            Noise(noise.sampler, noise.seed, (noise.step + step) % 2**32, noise.stream) for step in range(steps)
        ]
        lines.append(
            f"case {noise} {dtype.name} {rounding} {offset:x} {count:x} {threshold:08x} {decay:08x} "
            f"{int(takes_sign)} {sign_step:08x} {hexadecimal(terms)}"
        )
        for i, start in enumerate(start_weights(dtype, count, random)):
            weight, beside, found = start, 0, []
            for at in fields:
                if dtype.widen(weight) & 0x7FFFFFFF <= threshold:
                    theta = dtype.widen(weight)
                    if rounding == "compensated":
                        theta = fma(theta, bits_of(1.0), negative(BF16.widen(beside)))
                    if rounding == "extra-byte":
                        theta = dtype.join(weight, beside)
                    theta = updated(theta, at, offset + i, [], decay, terms, takes_sign, sign_step)
                    if rounding == "nearest":
                        weight = dtype.nearest(theta)
                    if rounding == "stochastic":
                        block, value = position(offset + i, 8)
                        word = random_block(ROUNDING, at.seed, at.step, at.stream, 0, block)[value // 2]
                        weight = dtype.stochastic(theta, word >> 16 * (value % 2) & 0xFFFF)
                    if rounding == "compensated":
                        weight = dtype.nearest(theta)
                        beside = rounding_error(dtype, theta, weight)
                    if rounding == "extra-byte":
                        weight, beside = dtype.extend(theta)
                found.append(f"{weight:04x} {beside & (0xFF if rounding == 'extra-byte' else 0xFFFF):x}")
            lines.append(f"{start:04x} " + " ".join(found))
    comment = [
        "case sampler seed step stream dtype rounding offset count threshold decay takes_sign sign_step",
        "     terms (sample coefficient)...",
        "then count lines: weight, and (weight, what is beside it) after 1, 2 and 3 steps",
    ]
    write("rounding.txt", comment, lines)


if __name__ == "__main__":
    write_widen()
    write_narrow()
    write_rounding()
