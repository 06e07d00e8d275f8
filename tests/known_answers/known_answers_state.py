#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/known_answers/state.txt: updates that keep values of their own for each weight.

As known_answers.py, a second implementation in exact fractions, which shares no code with the library and needs nothing
but Python.
"""

from fractions import Fraction

from known_answers import (
    NOISE,
    Noise,
    add,
    bits_of,
    exact,
    fma,
    multiply,
    negative,
    rounded,
    square_root,
    test_weights,
    updated,
    write,
)

STEPS = 3


def divide(a, b):
    return rounded(exact(a) / exact(b)) or ((a ^ b) & 0x80000000)


def correction(beta, updates):
    return rounded(1 / (1 - Fraction(beta) ** updates))


class Momentum:
    floats = 1

    def __init__(self, beta=0.9):
        self.beta = bits_of(beta)

    def __call__(self, theta, direction, state, step_size, _updates):
        state[0] = fma(self.beta, state[0], direction)
        return fma(negative(step_size), state[0], theta)


class Adam:
    floats = 2

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.betas = beta_1, beta_2
        self.beta = [rounded(Fraction(b)) for b in self.betas]
        self.rest = [rounded(1 - Fraction(b)) for b in self.betas]
        self.epsilon = rounded(Fraction(epsilon))

    def moments(self, direction, state):
        state[0] = fma(self.beta[0], state[0], multiply(self.rest[0], direction))
        state[1] = fma(self.beta[1], state[1], multiply(multiply(self.rest[1], direction), direction))

    def __call__(self, theta, direction, state, step_size, updates):
        self.moments(direction, state)
        first, second = (multiply(state[k], correction(self.betas[k], updates)) for k in (0, 1))
        size = add(square_root(second), self.epsilon)
        return fma(negative(step_size), divide(first, size), theta)


class AdaMm(Adam):
    floats = 3

    def __call__(self, theta, direction, state, step_size, _updates):
        self.moments(direction, state)
        if exact(state[1]) > exact(state[2]):
            state[2] = state[1]
        size = add(square_root(state[2]), self.epsilon)
        return fma(negative(step_size), divide(state[0], size), theta)


UPDATES = {"momentum": Momentum(), "adam": Adam(), "adamm": AdaMm()}


def write_state():
    zero = bits_of(0.0)
    passes = [  # decay, terms
        (zero, [(0, bits_of(-3.1))]),
        (bits_of(1e-3), [(0, bits_of(0.2)), (1, bits_of(-1.5))]),
    ]
    extents = [(0, 70), (333, 70), (2**33 - 9, 40)]
    lines = []
    cases = [(name, rule, which) for name, rule in UPDATES.items() for which in passes]
    for number, (name, rule, (decay, terms)) in enumerate(cases):
        noise = NOISE[number % len(NOISE)]
        offset, count = extents[number % len(extents)]
        step_size, threshold = bits_of(1e-3), bits_of(0.05)
        written = " ".join(f"{sample:x} {coefficient:08x}" for sample, coefficient in terms)
        lines.append(
            f"case {noise} {name} {step_size:08x} {offset:x} {count:x} {threshold:08x} {decay:08x} "
            f"{len(terms):x} {written}"
        )
        fields = [Noise(noise.sampler, noise.seed, (noise.step + k) % 2**32, noise.stream) for k in range(STEPS)]
        for i, start in enumerate(test_weights(count)):
            theta, state, found = start, [0] * rule.floats, []
            for updates, at in enumerate(fields, 1):
                if theta & 0x7FFFFFFF <= threshold:
                    direction = 0
                    for sample, coefficient in terms:
                        direction = fma(coefficient, at(sample, offset + i), direction)
                    theta = updated(theta, at, offset + i, [], decay, [], False, zero)
                    theta = rule(theta, direction, state, step_size, updates)
                found.append(" ".join(f"{value:08x}" for value in [theta, *state]))
            lines.append(f"{start:08x} " + " ".join(found))
    comment = [
        "case sampler seed step stream update step_size offset count threshold decay terms (sample coefficient)...",
        "then count lines: weight, and (weight, its values) after 1, 2 and 3 updates",
    ]
    write("state.txt", comment, lines)


if __name__ == "__main__":
    write_state()
