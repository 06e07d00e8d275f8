#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/known_answers/{schedule,decision,arithmetic}.txt: what decides about a step, in doubles, and the answers
that the library checks when an optimizer is made.

usage: tests/known_answers/known_answers_decision.py [--errors]

As known_answers.py, a second implementation in exact fractions that are rounded once, which shares no code with the
library and needs nothing but Python. --errors prints how far the sine of cosine schedules is from the exact one, in units
of the last place, and writes nothing.
"""

import struct
import sys
from fractions import Fraction
from math import factorial, isqrt

from known_answers import (
    Noise,
    bits_of,
    exact,
    fma as single_fma,
    normal_pair,
    perturbed,
    position,
    random_block,
    rounded as single,
    updated,
    write,
)
from known_answers_storage import BF16, ROUNDING

MASK64 = 2**64 - 1


# Doubles are Python's own, and each operation is one rounding of an exact fraction: dividing integers rounds correctly.


def rounded(x):
    return x.numerator / x.denominator


def add(a, b):
    return rounded(Fraction(a) + Fraction(b))


def subtract(a, b):
    return rounded(Fraction(a) - Fraction(b))


def multiply(a, b):
    return rounded(Fraction(a) * Fraction(b))


def divide(a, b):
    return rounded(Fraction(a) / Fraction(b))


def fma(a, b, c):
    return rounded(Fraction(a) * Fraction(b) + Fraction(c))


def square_root(a):
    # 60 further bits, the last of which says "and more".
    x = Fraction(a) * Fraction(4) ** 150
    root = isqrt(x.numerator // x.denominator)
    return rounded(Fraction(2 * root + (root * root != x), 2) / Fraction(2) ** 150)


def hexadecimal(number):
    return f"{struct.unpack('<Q', struct.pack('<d', number))[0]:016x}"


# Schedules


def pi_fraction():
    """Machin's formula, to 400 bits."""

    def arctan_of_inverse(n):
        total, k = 0, 0
        unit = 1 << 400
        while term := unit // ((2 * k + 1) * n ** (2 * k + 1)):
            total += -term if k % 2 else term
            k += 1
        return Fraction(total, unit)

    return 16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)


HALF_PI = pi_fraction() / 2
SERIES = [rounded((-1) ** k * HALF_PI ** (2 * k + 1) / factorial(2 * k + 1)) for k in range(8, -1, -1)]


def sine_of_quarter_turns(x):
    square = multiply(x, x)
    total = SERIES[0]
    for coefficient in SERIES[1:]:
        total = add(multiply(total, square), coefficient)
    return multiply(total, x)


def schedule(shape, total, warmup, final, step):
    if step < warmup:
        return divide(step + 1, warmup + 1)
    if shape == "constant":
        return 1.0
    if step >= total:
        return final
    over, left = (divide(n, total - warmup) for n in (step - warmup, total - step))
    if shape == "linear":
        fall = subtract(1, over)
    elif step - warmup <= total - step:
        sine = sine_of_quarter_turns(over)
        fall = subtract(1, multiply(sine, sine))
    else:
        sine = sine_of_quarter_turns(left)
        fall = multiply(sine, sine)
    return add(final, multiply(subtract(1, final), fall))


def write_schedule():
    lines = []
    for shape, total, warmup, final in [
        ("constant", 0, 7, 0.0),
        ("linear", 10, 0, 0.0),
        ("linear", 1000, 100, 0.1),
        ("linear", 4294967296, 3, 0.3),
        ("cosine", 14, 4, 0.0),
        ("cosine", 1000, 0, 0.0),
        ("cosine", 1000, 100, 0.1),
        ("cosine", 20000, 600, 0.01),
        ("cosine", 4294967296, 12345, 0.0),
    ]:
        end = total or 20
        steps = {0, 1, 2, warmup, warmup + 1, end // 2, (end + warmup) // 2, end - 2, end - 1, end, end + 5}
        steps |= {(k * 2654435761 + 17) % end for k in range(40)}
        for step in sorted(steps):
            value = schedule(shape, total, warmup, final, step)
            lines.append(f"{shape} {total:x} {warmup:x} {hexadecimal(final)} {step:x} {hexadecimal(value)}")
    write("schedule.txt", ["shape total_steps warmup_steps final_factor step factor"], lines)


# Decisions


def with_share(mean, value, count):
    return add(mean, divide(value, count))


def fzoo_scale(losses):
    mean = 0.0
    for loss in losses:
        mean = with_share(mean, loss, len(losses))
    squares = 0.0
    for loss in losses:
        away = subtract(loss, mean)
        squares = fma(away, away, squares)
    sigma = square_root(divide(squares, len(losses) - 1))
    return divide(1, sigma) if sigma > 0 else 0.0


ESTIMATORS = {"central-difference": (2, False), "one-sided": (1, True), "fzoo": (1, True)}


def decide(estimator, update, losses, samples, epsilon, learning_rate, weight_decay, clip):
    """Mean loss, projected gradients and their mean, coefficients, decay and step size."""
    signs, uses_base = ESTIMATORS[estimator]
    mean = 0.0
    for loss in losses:
        mean = with_share(mean, loss, len(losses))
    base = losses[0] if uses_base else 0.0
    points = losses[1:] if uses_base else losses
    epsilon = float(exact(single(Fraction(epsilon))))
    scale = fzoo_scale(points) if estimator == "fzoo" else 1.0
    gradients, gradient = [], 0.0
    for s in range(samples):
        if signs == 2:
            g = divide(subtract(points[2 * s], points[2 * s + 1]), multiply(2, epsilon))
        else:
            g = divide(subtract(points[s], base), epsilon)
        g = multiply(scale, g)
        if clip and abs(g) > clip:
            g = clip if g > 0 else -clip
        gradients.append(g)
        gradient = with_share(gradient, g, samples)
    if update == "sgd":
        coefficients = [divide(multiply(-learning_rate, g), samples) for g in gradients]
    else:
        coefficients = [divide(g, samples) for g in gradients]
    singles = [single(Fraction(c)) for c in coefficients]
    decay, step_size = single(Fraction(multiply(learning_rate, weight_decay))), single(Fraction(learning_rate))
    return mean, gradients, gradient, singles, decay, step_size


def write_decision():
    lines = []
    state = 7

    def loss():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return 0.6 + (state >> 11) / 2**53 / 10

    for number in range(60):
        estimator = list(ESTIMATORS)[number % 3]
        update = ("sgd", "momentum")[number // 3 % 2]
        signs, uses_base = ESTIMATORS[estimator]
        samples = (2, 3, 8)[number // 6 % 3]
        epsilon, learning_rate = (1e-3, 1e-2, 3e-4)[number % 3], (1e-6, 0.1, 3.7e-5)[number // 2 % 3]
        weight_decay = (0.0, 0.1, 0.013)[number // 4 % 3]
        clip = (0.0, 0.0, 1.7, 0.9)[number // 5 % 4]
        losses = [loss() for _ in range(samples * signs + uses_base)]
        mean, gradients, gradient, coefficients, decay, step_size = decide(
            estimator, update, losses, samples, epsilon, learning_rate, weight_decay, clip)
        doubles = [epsilon, learning_rate, weight_decay, clip, *losses, mean, gradient, *gradients]
        lines.append(
            f"{estimator} {update} {samples:x} {len(losses):x} " + " ".join(map(hexadecimal, doubles)) + " "
            + " ".join(f"{value:08x}" for value in [*coefficients, decay, step_size]))
    comment = [
        "estimator update samples points epsilon learning_rate weight_decay clip (0: none) losses...",
        "     loss projected_gradient (of each sample)... coefficients... decay step_size",
    ]
    write("decision.txt", comment, lines)


# What is checked when an optimizer is made


def split_mix(x):
    x = x + 0x9E3779B97F4A7C15 & MASK64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK64
    return x ^ x >> 31


def fingerprint_of_passes():
    fingerprint = 0
    noise = Noise("gaussian", 0x0123456789ABCDEF, 20000, 0xDEADBEEF)
    for sign in (+1, -1):
        for i in range(40):
            value = perturbed(0x3C000001 + i * 0x00012345, noise, 1, sign, bits_of(1e-3), 100 + i)
            fingerprint = split_mix(fingerprint ^ value)
    for i in range(40):
        terms = [(0, bits_of(-3e-3)), (1, bits_of(2e-3))]
        theta = updated(BF16.widen(0x3C00 + i * 7), noise, 100 + i, [], bits_of(1e-2), terms, False, 0)
        block, value = position(100 + i, 8)
        word = random_block(ROUNDING, noise.seed, noise.step, noise.stream, 0, block)[value // 2]
        stored = BF16.stochastic(theta, word >> 16 * (value % 2) & 0xFFFF)
        fingerprint = split_mix(fingerprint ^ stored)
    return fingerprint


def write_arithmetic():
    number = float.fromhex
    first, second = normal_pair(0x89ABCDEF)
    singles = [bits_of(number(text)) for text in ("0x1.fffffcp-13", "0x1.000002p-12", "0x1.000002p+0")]
    small = [bits_of(number(text)) for text in ("0x1.8p-100", "0x1p-48", "0x1p-149")]
    one_and = number("0x1.0000002p+0")
    power = 1.0
    for _ in range(7):
        power = multiply(power, 0.999)
    # As detail::power multiplies: base^1, base^2 and base^4.
    squared = multiply(0.999, 0.999)
    power = multiply(multiply(0.999, squared), multiply(squared, squared))
    answers = {
        "fma": f"{single_fma(*singles):016x}",
        "fma_subnormal": f"{single_fma(*small):016x}",
        "fma_double": hexadecimal(fma(one_and, one_and, -1)),
        "third": hexadecimal(divide(1, 3)),
        "five_thirds": hexadecimal(divide(5, 3)),
        "seven_thirds": hexadecimal(divide(7, 3)),
        "eleven_thirds": hexadecimal(divide(11, 3)),
        "normal_first": f"{first:016x}",
        "normal_second": f"{second:016x}",
        "linear": hexadecimal(schedule("linear", 1000, 100, 0.1, 433)),
        "cosine": hexadecimal(schedule("cosine", 1000, 100, 0.1, 433)),
        "adam_scale": f"{single(Fraction(divide(1, subtract(1, power)))):016x}",
        "fzoo_scale": hexadecimal(fzoo_scale([0.7, 0.71, 0.695, 0.702])),
        "passes": f"{fingerprint_of_passes():016x}",
    }
    write("arithmetic.txt", ["what, and its bits: see numeric/known_answer.hpp"],
          [f"{name} {bits}" for name, bits in answers.items()])


def sine(x):
    """sin(pi x / 2) by its series, to far more digits than a double has."""
    y = HALF_PI * x
    return sum((-1) ** k * y ** (2 * k + 1) / factorial(2 * k + 1) for k in range(16))


def print_errors():
    worst_sine = worst_fall = 0
    for i in range(1, 5001):
        x = rounded(Fraction(i, 10000) + Fraction(i * i % 97, 10**9))
        if x > 0.5:
            continue
        true, found = sine(Fraction(x)), sine_of_quarter_turns(x)
        unit = Fraction(2) ** (found.hex().split("p")[1] and int(found.hex().split("p")[1]) - 52)
        worst_sine = max(worst_sine, abs(Fraction(found) - true) / unit)
        for exact_fall, fall in ((true**2, multiply(found, found)), (1 - true**2, subtract(1, multiply(found, found)))):
            unit = Fraction(2) ** (int(fall.hex().split("p")[1]) - 52)
            worst_fall = max(worst_fall, abs(Fraction(fall) - exact_fall) / unit)
    print(f"largest error: sine {float(worst_sine):.3f}, fall {float(worst_fall):.3f} units in the last place")


if __name__ == "__main__":
    if sys.argv[1:] == ["--errors"]:
        print_errors()
    else:
        write_schedule()
        write_decision()
        write_arithmetic()
