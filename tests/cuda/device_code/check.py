#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks at what nvcc makes of the kernels, which needs no device.

usage: check.py kernels NVCC SOURCE.cu INCLUDE FOLDER EXACT ARCHITECTURE...
       check.py refused NVCC SOURCE.cu INCLUDE ARCHITECTURE...

kernels: SOURCE has every kernel of INCLUDE/FOLDER; none spills, none has a stack frame (but for LOCAL), and none takes
more than 128 registers (but for MANY_REGISTERS). Those whose names match the expression EXACT are the same to the byte with
-fmad=true, nvcc's default, and with -fmad=false, so that users need no flag; which of the others differ is printed.
refused: flags that change the arithmetic end the compilation.
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile

REFUSAL = "zeroth_refuses_use_fast_math_ftz_and_inexact_division_or_root"
# Two blocks of 256 threads on a multiprocessor, which has 65536.
MOST_REGISTERS = 128
# Heads above 128 elements, on compute capability 8.0: one block on a multiprocessor.
MANY_REGISTERS = {"AttentionKernelILj256E": 160}
# CUDA's sine and cosine of doubles reduce angles above 1e5 or so in memory.
LOCAL = ("RotaryTableKernel",)
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


def kernels_in(folder):
    """The names of the kernels that its headers define."""
    return {name for path in folder.glob("*.hpp") for name in re.findall(r"struct (\w+Kernel) {", path.read_text())}


def short(kernel):
    """A mangled name's part that tells kernels apart: run_kernel<ITS TYPE> or run_stored_kernel<ITS TYPE>."""
    return re.sub(r"^(\.text\.)?_ZN6zeroth(\d+\w+?)?4cuda6detail1[07]run_(stored_)?kernelI|EEv(PK)?T_$", r"\3", kernel)


def check_local(compilation, kernels):
    """Local memory and registers of each kernel, as ptxas tells."""
    pattern = r"Function properties for (\S*run_(?:stored_)?kernel\S*)\n\s*(.*)\n.*Used (\d+) registers"
    found = re.findall(pattern, compilation)
    wrong = [f"{len(found)} of {len(kernels)} kernels looked at"] if len(found) != len(kernels) else []
    for name, uses, registers in found:
        frame, *spills = (int(n) for n in re.findall(r"(\d+) bytes", uses))
        framed = frame != 0 and not any(kernel in name for kernel in LOCAL)
        most = next((n for kernel, n in MANY_REGISTERS.items() if kernel in name), MOST_REGISTERS)
        if framed or any(spills) or int(registers) > most:
            wrong.append(f"{short(name)}: {uses}, {registers} registers")
    return wrong, max(int(registers) for *_, registers in found)


def check_kernels(nvcc, source, include, folder, exact, *architectures, directory):
    for architecture in architectures:
        code = {}
        for contracts in ("true", "false"):
            out = directory / f"{architecture}_{contracts}.cubin"
            done = compiled(nvcc, source, include, architecture, [f"-fmad={contracts}", "-Xptxas=-v"], out)
            if done.returncode != 0:
                raise SystemExit(done.stdout)
            code[contracts] = sections(out)
            kernels = [name for name in code[contracts] if name.startswith(".text.")]
            wrong, registers = check_local(done.stdout, kernels)
            if contracts == "true":
                most = registers
            missing = [k for k in kernels_in(pathlib.Path(include) / folder) if not any(k in name for name in kernels)]
            wrong += [f"{kernel} of {folder} is not in {source}" for kernel in missing]
            if wrong:
                raise SystemExit("\n".join([f"sm_{architecture}, -fmad={contracts}:", *wrong]))
        # Everything that belongs to a kernel has its name: code, constants and what the driver is told about it. What
        # belongs to none concerns them all.
        changed = [name for name, content in code["true"].items() if content != code["false"].get(name)]
        differing = [kernel for kernel in kernels if any(kernel.removeprefix(".text.") in name for name in changed)]
        promised = [kernel for kernel in kernels if re.search(exact, short(kernel))]
        broken = [kernel for kernel in differing if kernel in promised]
        if promised == kernels:
            broken = changed
        if not promised or broken or code["true"].keys() != code["false"].keys():
            raise SystemExit(f"sm_{architecture}: contraction changes {[short(k) for k in broken] or 'which sections there are'}")
        print(
            f"sm_{architecture}: {len(kernels)} kernels, {len(promised)} to be the same with and without contraction, at most "
            f"{most} registers; contraction changes {', '.join(short(k) for k in differing) or 'none'}"
        )


def check_refused(nvcc, source, include, architecture, directory):
    out = directory / "out.cubin"
    for flag in INEXACT:
        done = compiled(nvcc, source, include, architecture, [flag], out)
        if done.returncode == 0 or REFUSAL not in done.stdout:
            raise SystemExit(f"{flag} must be refused with {REFUSAL}, but gave {done.returncode}:\n{done.stdout}")
    print(f"refused: {' '.join(INEXACT)}")


def main(what, *arguments):
    with tempfile.TemporaryDirectory() as name:
        {"kernels": check_kernels, "refused": check_refused}[what](*arguments, directory=pathlib.Path(name))


main(*sys.argv[1:])
