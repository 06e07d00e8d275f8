# SPDX-License-Identifier: MIT
"""Tunes a list of floats through the C interface from Python, in all three ways: usage: zeroth_ctypes.py LIBRARY"""

import ctypes
import sys

SIZE = 64
Floats = ctypes.c_float * SIZE


class Point(ctypes.Structure):
    _fields_ = [("sample", ctypes.c_uint32), ("sign", ctypes.c_int32), ("is_candidate", ctypes.c_int32)]


class Plan(ctypes.Structure):
    _fields_ = [("step", ctypes.c_uint64), ("points", ctypes.c_uint32), ("micro_batches", ctypes.c_uint32),
                ("candidates", ctypes.c_int32)]


class Report(ctypes.Structure):
    _fields_ = [("step", ctypes.c_uint64), ("loss", ctypes.c_double), ("projected_gradient", ctypes.c_double),
                ("learning_rate", ctypes.c_double), ("active_weights", ctypes.c_uint64), ("skipped", ctypes.c_int32),
                ("losses_are_equal", ctypes.c_int32)]


Loss = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, Point)
zeroth = ctypes.CDLL(sys.argv[1])
zeroth.zeroth_create.restype = ctypes.c_void_p
zeroth.zeroth_last_error.restype = ctypes.c_char_p


def call(name, *arguments):
    if getattr(zeroth, "zeroth_" + name)(*arguments) != 0:
        sys.exit(f"zeroth_{name}: {zeroth.zeroth_last_error().decode()}")


class Optimizer:
    def __init__(self):
        self.weights = Floats(*[0.02 * i for i in range(SIZE)])
        self.handle = ctypes.c_void_p(zeroth.zeroth_create())
        call("add_tensor", self.handle, b"w", 0, ctypes.c_uint64(1), ctypes.c_uint64(SIZE), 0, self.weights)
        for key, value in {"learning_rate": "0.5", "mask": "dense", "samples": "4"}.items():
            call("set", self.handle, key.encode(), value.encode())

    def __del__(self):
        zeroth.zeroth_destroy(self.handle)


def loss_of(weights):
    return sum((w - 0.5) ** 2 for w in weights) / SIZE


def by_step(optimizer, report):
    loss = Loss(lambda user, step, micro_batch, point: loss_of(optimizer.weights))
    call("step", optimizer.handle, loss, None, ctypes.byref(report))


def by_plan(optimizer, report):
    plan = Plan()
    call("ask", optimizer.handle, ctypes.byref(plan))
    losses = (ctypes.c_double * plan.points)()
    for k in reversed(range(plan.points)):
        weights = Floats()
        call("expand", optimizer.handle, ctypes.byref(plan), k, ctypes.c_size_t(0), ctypes.c_uint64(0),
             ctypes.c_uint64(SIZE), weights)
        losses[k] = loss_of(weights)
    call("tell", optimizer.handle, ctypes.byref(plan), losses, ctypes.c_size_t(plan.points), None, ctypes.byref(report))


def by_loss(optimizer, report):
    call("begin", optimizer.handle)
    has_next = ctypes.c_int32()
    while True:
        call("next", optimizer.handle, ctypes.byref(has_next), None, None)
        if not has_next.value:
            break
        call("tell_next", optimizer.handle, ctypes.c_double(loss_of(optimizer.weights)))
    call("finish", optimizer.handle, ctypes.byref(report))


def main():
    tuned = []
    for way in (by_step, by_plan, by_loss):
        optimizer = Optimizer()
        before = loss_of(optimizer.weights)
        for _ in range(50):
            way(optimizer, Report())
        after = loss_of(optimizer.weights)
        print(f"{way.__name__}: loss {before:.4f} to {after:.4f}")
        assert after < 0.7 * before
        tuned.append(list(optimizer.weights))
    assert tuned[0] == tuned[1] == tuned[2]


if __name__ == "__main__":
    main()
