#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/known_answers/{noise,mask,perturbation,update}.txt.

A second implementation of what every backend must give to the bit: Philox in Python's integers, and float32 arithmetic
in exact fractions that are rounded once, as IEEE 754 asks of an fma. It shares no code with the library and needs
nothing but Python. All floats in the files are the hexadecimal bits of a float32.
"""

import struct
from fractions import Fraction
from math import isqrt
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent
TILE = 128
MASK32 = 0xFFFFFFFF
PERTURBATION, MASK = 0, 2


# float32, held as its bits


def rounded(x):
    """The bits of the float32 nearest to a fraction, ties to even."""
    if x == 0:
        return 0
    sign, x = (0x80000000, -x) if x < 0 else (0, x)
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    if x < Fraction(2) ** exponent:
        exponent -= 1
    unit = max(exponent - 23, -149)
    # A significand that rounds up to 2^24 carries into the exponent by itself.
    significand = round(x / Fraction(2) ** unit)
    if significand < 1 << 23:
        return sign | significand
    bits = ((unit + 149) << 23) + significand
    assert bits < 0x7F800000, "overflow has no place in these files"
    return sign | bits


def exact(bits):
    """The value of a finite float32."""
    significand, exponent = bits & 0x7FFFFF, bits >> 23 & 0xFF
    assert exponent < 255
    if exponent:
        significand |= 0x800000
    value = significand * Fraction(2) ** (max(exponent, 1) - 150)
    return -value if bits >> 31 else value


def bits_of(number):
    return struct.unpack("<I", struct.pack("<f", number))[0]


def decimal(text):
    return rounded(Fraction(text))


def fma(a, b, c):
    x = exact(a) * exact(b) + exact(c)
    if x == 0:
        product_sign = (a ^ b) & 0x80000000
        both_zero = exact(c) == 0
        return product_sign if both_zero and product_sign == c & 0x80000000 else 0
    return rounded(x) or (0x80000000 if x < 0 else 0)


def multiply(a, b):
    return rounded(exact(a) * exact(b)) or ((a ^ b) & 0x80000000)


def add(a, b):
    return fma(a, bits_of(1.0), b)


def negative(a):
    return a ^ 0x80000000


def square_root(a):
    # 40 further bits, the last of which says "and more": enough for one correct rounding to 24.
    x = exact(a) * Fraction(4) ** 100
    assert x.denominator == 1
    root = isqrt(int(x))
    return rounded(Fraction(2 * root + (root * root != x), 2) / Fraction(2) ** 100)


# Random bits


def philox(counter, key, rounds=7):
    c = list(counter)
    k = list(key)
    for _ in range(rounds):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & MASK32, p0 >> 32 ^ c[3] ^ k[1], p0 & MASK32]
        k = [k[0] + 0x9E3779B9 & MASK32, k[1] + 0xBB67AE85 & MASK32]
    return c


def random_block(purpose, seed, step, stream, sample, block):
    counter = [block & MASK32, purpose << 28 | sample << 16 | block >> 32, stream, step]
    return philox(counter, [seed & MASK32, seed >> 32])


# Samplers


LOG_Q = [decimal(t) for t in "-0.06700897 0.14147066 -0.17343926 0.2009749 -0.24978776 0.333306 -0.5000018".split()]
SIN_P = [decimal(t) for t in "-0.00019495688 0.008332001 -0.16666695 1.0000026".split()]
COS_P = [decimal(t) for t in "-0.0013597859 0.041656405 -0.5000003 1.0000026".split()]
LN_2 = decimal("0.69314718")
ANGLE_UNIT = bits_of(float.fromhex("0x1.921fb6p-15"))


def horner(polynomial, x):
    value = polynomial[0]
    for p in polynomial[1:]:
        value = fma(value, x, p)
    return value


def normal_pair(word):
    odd = 2 * (word >> 16) + 1
    exponent = 0  # odd = m 2^exponent with m in [3/4, 3/2)
    while Fraction(odd, 2**exponent) >= Fraction(3, 2):
        exponent += 1
    f = rounded(Fraction(odd, 2**exponent) - 1)
    log_m = fma(multiply(f, f), horner(LOG_Q, f), f)
    radius = square_root(fma(bits_of(17 - exponent), LN_2, negative(log_m)))
    y = multiply(bits_of(2 * (word & 0x3FFF) + 1 - 16384), ANGLE_UNIT)
    y2 = multiply(y, y)
    s, c = horner(SIN_P, y2), horner(COS_P, y2)
    a = multiply(fma(s, y, c), radius)
    b = multiply(fma(negative(s), y, c), radius)
    return [a ^ (word << 16 & 0x80000000), b ^ (word << 17 & 0x80000000)]


UNIFORM_UNIT = decimal("2.6428998e-05")


def gaussian(block):
    return [z for word in block for z in normal_pair(word)]


def uniform(block):
    halves = [half for word in block for half in (word & 0xFFFF, word >> 16)]
    return [multiply(bits_of(2 * half - 65535), UNIFORM_UNIT) for half in halves]


def rademacher(block):
    return [bits_of(-1.0 if block[i // 32] >> (i % 32) & 1 else 1.0) for i in range(128)]


SAMPLERS = {"gaussian": (gaussian, 8), "uniform": (uniform, 8), "rademacher": (rademacher, 128)}


def position(element, values_per_block):
    blocks = TILE // values_per_block
    tile, within = divmod(element, TILE)
    return tile * blocks + within % blocks, within // blocks


class Noise:
    def __init__(self, sampler, seed, step, stream):
        self.sampler, self.seed, self.step, self.stream = sampler, seed, step, stream
        self.blocks = {}

    def __call__(self, sample, element):
        function, values = SAMPLERS[self.sampler]
        block, value = position(element, values)
        if (sample, block) not in self.blocks:
            bits = random_block(PERTURBATION, self.seed, self.step, self.stream, sample, block)
            self.blocks[sample, block] = function(bits)
        return self.blocks[sample, block][value]

    def __str__(self):
        return f"{self.sampler} {self.seed:x} {self.step:x} {self.stream:x}"


# Elementwise passes


def perturbed(theta, noise, sample, sign, epsilon, element):
    coefficient = epsilon if sign > 0 else negative(epsilon)
    return fma(coefficient, noise(sample, element), theta)


def updated(theta, noise, element, restore, decay, terms, takes_sign, sign_step):
    for sample, coefficient in restore:
        theta = fma(coefficient, noise(sample, element), theta)
    if exact(decay) != 0:
        theta = fma(negative(decay), theta, theta)
    if not takes_sign:
        for sample, coefficient in terms:
            theta = fma(coefficient, noise(sample, element), theta)
        return theta
    direction = 0
    for sample, coefficient in terms:
        direction = fma(coefficient, noise(sample, element), direction)
    if exact(direction) > 0:
        return add(theta, sign_step)
    if exact(direction) < 0:
        return add(theta, negative(sign_step))
    return theta


def test_weights(count):
    """Weights of many magnitudes, both zeros and subnormals among them."""
    special = [0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, bits_of(1.0), bits_of(-3.5e4)]
    weights = list(special)
    state = 12345
    while len(weights) < count:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        sign, significand, exponent = state >> 63, state >> 40 & 0x7FFFFF, 112 + (state >> 33) % 14
        weights.append(sign << 31 | exponent << 23 | significand)
    return weights[:count]


NOISE = [
    Noise("gaussian", 0, 0, 0),
    Noise("gaussian", 0x0123456789ABCDEF, 20000, 0xDEADBEEF),
    Noise("uniform", 1, 7, 0x811C9DC5),
    Noise("rademacher", 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
]


def write(name, comment, lines):
    text = "".join(f"# {line}\n" for line in comment) + "".join(line + "\n" for line in lines)
    (DIRECTORY / name).write_text(text, encoding="ascii")


def write_noise():
    elements = [*range(0, 24), 126, 127, 128, 129, 255, 256, 1000, 2**32 - 1, 2**32, 2**36 + 5, 2**47 + 77]
    lines = [
        f"{noise} {sample:x} {element:x} {noise(sample, element):08x}"
        for noise in NOISE
        for sample in (0, 1, 4095)
        for element in elements
    ]
    write("noise.txt", ["sampler seed step stream sample element z"], lines)


def write_mask():
    lines = []
    for seed, stream, draw, limit in [
        (0, 0, 0, 0x4000),
        (0x0123456789ABCDEF, 0xDEADBEEF, 3, 0x8000),
        (42, 0x811C9DC5, 0, 1),
        (42, 0x811C9DC5, 0xFFFFFFFF, 0xFFFF),
    ]:
        for tile in (0, 1, 1000, 2**28, 2**32):
            bits = 0
            for within in range(TILE):
                block, value = position(tile * TILE + within, 8)
                word = random_block(MASK, seed, draw, stream, 0, block)[value // 2]
                bits |= int((word >> 16 * (value % 2) & 0xFFFF) < limit) << within
            lines.append(f"{seed:x} {stream:x} {draw:x} {limit:x} {tile:x} {bits % 2**64:016x} {bits >> 64:016x}")
    write("mask.txt", ["random mask: seed stream draw limit tile word_0 word_1"], lines)


def write_perturbation():
    lines = []
    for noise, offset, count in zip(NOISE, (0, 333, 2**33 - 9, 64), (160, 150, 40, 200)):
        threshold, epsilon = bits_of(0.02), bits_of(1e-3)
        for sample, sign in ((0, +1), (0, -1), (5, +1)):
            lines.append(f"case {noise} {offset:x} {count:x} {threshold:08x} {epsilon:08x} {sample:x} {sign:+d}")
            for i, theta in enumerate(test_weights(count)):
                active = theta & 0x7FFFFFFF <= threshold
                result = perturbed(theta, noise, sample, sign, epsilon, offset + i) if active else theta
                lines.append(f"{theta:08x} {result:08x}")
    comment = [
        "case sampler seed step stream offset count threshold epsilon sample sign",
        "then count lines: theta, and theta + sign epsilon z where |theta| <= threshold",
    ]
    write("perturbation.txt", comment, lines)


def write_update():
    def hexadecimal(terms):
        return " ".join([f"{len(terms):x}"] + [f"{sample:x} {coefficient:08x}" for sample, coefficient in terms])

    one = [(0, bits_of(-3.1e-4))]
    three = [(0, bits_of(2e-3)), (1, bits_of(-1e-3)), (2, bits_of(5e-4))]
    restore = [(0, bits_of(1e-3))]
    zero, step = bits_of(0.0), bits_of(1e-4)
    passes = [
        ([], zero, one, False, zero),
        (restore, zero, one, False, zero),
        ([], bits_of(1e-2), three, False, zero),
        (restore, bits_of(1e-2), three, True, step),
    ]
    lines = []
    for noise, offset, count in zip(NOISE, (0, 333, 2**33 - 9, 64), (130, 120, 30, 140)):
        threshold = bits_of(0.02)
        for back, decay, terms, takes_sign, sign_step in passes:
            lines.append(
                f"case {noise} {offset:x} {count:x} {threshold:08x} {decay:08x} {int(takes_sign)} {sign_step:08x} "
                f"{hexadecimal(back)} {hexadecimal(terms)}"
            )
            for i, theta in enumerate(test_weights(count)):
                result = theta
                if theta & 0x7FFFFFFF <= threshold:
                    result = updated(theta, noise, offset + i, back, decay, terms, takes_sign, sign_step)
                lines.append(f"{theta:08x} {result:08x}")
    comment = [
        "case sampler seed step stream offset count threshold decay takes_sign sign_step",
        "     restores (sample coefficient)... terms (sample coefficient)...",
        "then count lines: theta, and theta after the pass; |theta| > threshold is inactive",
    ]
    write("update.txt", comment, lines)


if __name__ == "__main__":
    assert philox([0] * 4, [0] * 2) == [0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48]
    write_noise()
    write_mask()
    write_perturbation()
    write_update()
