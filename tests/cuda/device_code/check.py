#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks at what nvcc makes of the kernels, which needs no device.

usage: check.py same|refused NVCC KERNELS.cu INCLUDE ARCHITECTURE...

same: with -fmad=true, nvcc's default, and with -fmad=false the machine code is the same to the byte, so that users need
no flag; and no kernel keeps anything in local memory. refused: flags that change the arithmetic end the compilation.
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile

REFUSAL = "zeroth_refuses_use_fast_math_ftz_and_inexact_division_or_root"
INEXACT = ("--use_fast_math", "-ftz=true", "-prec-div=false", "-prec-sqrt=false")


def compiled(nvcc, source, include, architecture, flags, out):
    command = [nvcc, "-std=c++20", "-O3", "-I", include, f"-arch=sm_{architecture}", *flags, "-cubin", source, "-o", out]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def sections(path):
    """The named parts of a 64-bit ELF file that hold bytes, but for NVIDIA's notes, which quote the command line."""
    data = path.read_bytes()
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * size) for i in range(count)]
    result = {}
    for name, kind, _, _, offset, length, *_ in headers:
        text = data[headers[names][4] + name :].split(b"\0", 1)[0].decode()
        if kind != 8 and not text.startswith(".note"):
            result[text] = data[offset : offset + length]
    return result


def check_same(nvcc, source, include, architectures, directory):
    for architecture in architectures:
        code = {}
        for contracts in ("true", "false"):
            out = directory / f"{architecture}_{contracts}.cubin"
            done = compiled(nvcc, source, include, architecture, [f"-fmad={contracts}", "-Xptxas=-v"], out)
            if done.returncode != 0:
                raise SystemExit(done.stdout)
            code[contracts] = sections(out)
        kernels = [name for name in code["true"] if name.startswith(".text.")]
        differing = [n for n in code["true"] if code["true"][n] != code["false"].get(n)]
        if not kernels or differing or code["true"].keys() != code["false"].keys():
            raise SystemExit(f"sm_{architecture}: contraction changes {differing or kernels}")
        frames = re.findall(r"Function properties for (\S+)\n\s*(.*)", done.stdout)
        clean = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"
        local = [f"{name}: {uses}" for name, uses in frames if uses != clean]
        if len(frames) != len(kernels) or local:
            raise SystemExit("\n".join([f"sm_{architecture}: {len(frames)} of {len(kernels)} kernels looked at", *local]))
        registers = [int(n) for n in re.findall(r"Used (\d+) registers", done.stdout)]
        print(f"sm_{architecture}: {len(kernels)} kernels alike, none in local memory, at most {max(registers)} registers")


def check_refused(nvcc, source, include, architectures, directory):
    out = directory / "out.cubin"
    for flag in INEXACT:
        done = compiled(nvcc, source, include, architectures[0], [flag], out)
        if done.returncode == 0 or REFUSAL not in done.stdout:
            raise SystemExit(f"{flag} must be refused with {REFUSAL}, but gave {done.returncode}:\n{done.stdout}")
    print(f"refused: {' '.join(INEXACT)}")


def main(what, nvcc, source, include, *architectures):
    with tempfile.TemporaryDirectory() as name:
        checks = {"same": check_same, "refused": check_refused}
        checks[what](nvcc, source, include, architectures, pathlib.Path(name))


main(*sys.argv[1:])
