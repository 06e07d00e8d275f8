#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every fenced block of the README and the guides, as it stands in the file.

usage: docs/site/check_blocks.py [--program PATH] [--out FOLDER] [FILE.md]...

What a block is checked for depends on its language:

- cpp: compiled; also linked and run if there is a main(). A block that is not a whole program replaces the line
  `// @block` of a file in docs/site/contexts, which declares what the page explains in words;
- cmake: run, with commands that check the components and targets of zeroth;
- sh: parsed; scripts, files and presets must exist, options too: those of zeroth in its help, those of a script in its
  text;
- json, python: parsed.

A comment directly above a block, which readers do not see, says more:

    <!-- context: NAME -->          the file of docs/site/contexts
    <!-- file: PATH -->             the block is that file, or consecutive lines of it
    <!-- not checked: REASON -->

A block of any other language must be one of the last two. PATH (build/release/bin/zeroth by default) is the program
whose help is asked. Prints one line per block.
"""

import argparse
import ast
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import markdown

ROOT = markdown.ROOT
CONTEXTS = ROOT / "docs/site/contexts"
COMPILER = shlex.split(os.environ.get("CXX", "g++"))
FLAGS = ["-std=c++20", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", "include", "-I", "bench", "-I", "."]
# For names that a block introduces for the reader's own code.
FRAGMENT_FLAGS = ["-Wno-unused-variable", "-Wno-unused-but-set-variable", "-Wno-unused-parameter"]
OTHER_COMMANDS = {"cd", "conan", "cp", "g++", "git", "pkg-config", "tar", "vcpkg"}


class Failure(Exception):
    """What is wrong with a block, in a line or as the compiler's output."""


def run(command):
    """Runs a command from the root; its output. Failure with the output if it does not succeed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failure(done.stdout or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def nvcc():
    """CUDA's compiler, or nothing."""
    return shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")


class Checks:
    """The checks of each language; each returns what it did."""

    def __init__(self, out, program):
        self.out = out
        self.program = program
        self.helps = {}
        self.absent = set()

    # C++

    def source(self, block, context):
        """The block as a file: its includes first, the rest where the context wants it."""
        name = block.file.relative_to(ROOT)
        lines = block.text.split("\n")
        first = 0
        while context and first < len(lines) and (lines[first].startswith("#include") or not lines[first].strip()):
            first += 1
        includes = f'#line {block.line} "{name}"\n' + "\n".join(lines[:first]) + "\n"
        body = f'#line {block.line + first} "{name}"\n' + "\n".join(lines[first:])
        if not context:
            return body
        before, marker, after = context.read_text(encoding="utf-8").partition("// @block\n")
        if not marker:
            raise Failure(f"{context.relative_to(ROOT)}: expected a line `// @block`, found none")
        here = before.count("\n") + 2
        path = context.relative_to(ROOT)
        return f'{includes}#line 1 "{path}"\n{before.rstrip(" ")}{body}\n#line {here} "{path}"\n{after}'

    def cpp(self, block, context):
        if context and context.suffix == ".cu":
            if not nvcc():
                self.absent.add("nvcc")
                return "not compiled: nvcc is absent"
        text = self.source(block, context)
        where = self.out / (re.sub(r"[^A-Za-z0-9]+", "_", block.where) + (context.suffix if context else ".cpp"))
        where.write_text(text, encoding="utf-8")
        if where.suffix == ".cu":
            flags = ["-std=c++20", "-I", "include", "-I", ".", "-arch=compute_90"]
            run([nvcc(), *flags, "--ptx", where, "-o", where.with_suffix(".ptx")])
            return "compiled by nvcc"
        eigen = ["-isystem", "/usr/include/eigen3"]
        is_program = re.search(r"\bint main\(", text) and "// @parse only" not in text
        if not is_program:
            run([*COMPILER, *FLAGS, *FRAGMENT_FLAGS, *eigen, "-fsyntax-only", where])
            return f"compiled in {context.name}" if context else "compiled"
        run([*COMPILER, *FLAGS, *(FRAGMENT_FLAGS if context else []), *eigen, where, "-o", where.with_suffix("")])
        run([where.with_suffix("")])
        return f"run in {context.name}" if context else "run"

    # CMake

    def cmake(self, block, _):
        library = (ROOT / "cmake/ZerothLibrary.cmake").read_text(encoding="utf-8")
        components = re.search(r"set\(zeroth_components([^)]*)\)", library).group(1).split()
        where = self.out / (re.sub(r"[^A-Za-z0-9]+", "_", block.where) + ".cmake")
        where.write_text(
            f"cmake_minimum_required(VERSION 3.24)\nset(components {' '.join(components)})\n"
            + (CONTEXTS / "commands.cmake").read_text(encoding="utf-8")
            + block.text,
            encoding="utf-8",
        )
        run(["cmake", "-P", where])
        return "run"

    # Shell

    def help_of(self, command):
        """What `zeroth COMMAND --help` prints."""
        if command not in self.helps:
            if not self.program.exists():
                raise Failure(f"{self.program}: expected the program zeroth; build it, or name it by --program")
            self.helps[command] = run([self.program, *([command] if command else []), "--help"])
        return self.helps[command]

    def check_options(self, words, text, of_what):
        for word in words:
            option = re.match(r"--[a-z][a-z0-9-]*", word)
            if option and not re.search(re.escape(option.group(0)) + r"(?![a-z0-9-])", text):
                raise Failure(f"{of_what} has no option {option.group(0)}")

    def check_presets(self, words):
        presets = {p["name"] for p in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
        for option, value in zip(words, words[1:]):
            if option == "--preset" and value not in presets:
                raise Failure(f"there is no preset {value}")

    def check_command(self, words):
        """One command of a shell: its name, and what can be known of its arguments."""
        while words and re.match(r"\w+=", words[0]):
            words = words[1:]
        if not words:
            return
        name = words[0]
        base = pathlib.Path(name).name
        if base == "zeroth":
            command = next((word for word in words[1:] if not word.startswith("-")), "")
            if command and not re.search(rf"(?m)^ +{re.escape(command)}\b", self.help_of("")):
                raise Failure(f"zeroth has no command {command}")
            self.check_options(words, self.help_of(command) + "--help", f"zeroth {command}")
        elif name in ("cmake", "ctest"):
            self.check_presets(words)
        elif name == "./run":  # as scripts/gpu packs itself
            self.check_options(words, (ROOT / "scripts/gpu").read_text(encoding="utf-8"), "scripts/gpu")
        elif name in ("python", "python3"):
            self.check_command(words[1:])
        elif re.match(r"build/\w+/tests/fuzz/fuzz_", name):
            target = re.sub(r".*fuzz_", "fuzz_", name)
            if target != "fuzz_TARGET" and not (ROOT / f"tests/fuzz/{target}.cpp").exists():
                raise Failure(f"tests/fuzz has no {target}.cpp")
        elif "/" in name:
            if not (ROOT / name).is_file():
                raise Failure(f"there is no file {name}")
            text = (ROOT / name).read_text(encoding="utf-8")
            self.check_options(words, text, name)
            self.check_presets(words)
            if name in (".ci/run", "scripts/nightly"):
                text += (ROOT / ".ci/checks").read_text(encoding="utf-8")
                for word in words[1:]:
                    if f"check_{word}()" not in text:
                        raise Failure(f"{name} has no check {word}")
        elif name not in OTHER_COMMANDS:
            raise Failure(f"there is no command {name}, nor is it one that a reader has (OTHER_COMMANDS)")

    def sh(self, block, _):
        run(["bash", "-n", "-c", block.text])
        count = 0
        for line in block.text.replace("\\\n", " ").split("\n"):
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.wordchars += "^$,:@%+"
            words = []
            for word in [*lexer, ";"]:
                if word in ("&&", "||", "|", ";"):
                    self.check_command(words)
                    count += 1 if words else 0
                    words = []
                else:
                    words.append(word)
        return f"{count} command{'s' if count != 1 else ''} found"

    # Data

    def json(self, block, _):
        text = block.text.strip()
        try:
            json.loads(text if text[0] in "{[" else "{" + text + "}")
        except ValueError as error:
            raise Failure(f"no JSON: {error}") from error
        return "parsed"

    def python(self, block, _):
        try:
            ast.parse(block.text)
        except SyntaxError as error:
            raise Failure(f"no Python: {error}") from error
        return "parsed"

    def check(self, block):
        kind, _, value = (word.strip() for word in block.comment.partition(":"))
        if kind == "not checked":
            if not value:
                raise Failure("expected a reason after `not checked:`, found none")
            return f"not checked: {value}"
        context = None
        if kind == "context":
            context = next(iter(CONTEXTS.glob(value + ".c*")), None)
            if not context or block.language not in ("cpp", "cmake"):
                raise Failure(f"docs/site/contexts has no {value} for {block.language}")
        if kind == "file":
            text = (ROOT / value).read_text(encoding="utf-8") if (ROOT / value).is_file() else ""
            if "\n" + block.text not in "\n" + text:
                raise Failure(f"expected lines of {value}, found others")
        language = {"cpp": self.cpp, "cmake": self.cmake, "sh": self.sh, "json": self.json, "python": self.python}
        if block.language in language and not (kind == "file" and block.language == "cpp"):
            did = language[block.language](block, context)
            return f"{did}, as in {value}" if kind == "file" else did
        if kind == "file":
            return f"as in {value}"
        raise Failure(
            f"'{block.language}' is no language that is checked here: name one (cpp, cmake, sh, json, python), or put"
            " <!-- file: PATH --> or <!-- not checked: REASON --> above the block"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/bin/zeroth")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/blocks")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    try:
        blocks = [
            block
            for file in [file.resolve() for file in options.files] or markdown.documents()
            for block in markdown.blocks(file)
        ]
    except ValueError as error:
        sys.exit(str(error))
    out = options.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    checks = Checks(out, options.program.resolve())

    def outcome(block):
        try:
            return checks.check(block), None
        except Failure as failure:
            return None, str(failure).strip()

    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for block, (did, failure) in zip(blocks, pool.map(outcome, blocks)):
            print(f"{block.where}: {block.language}: {did or 'FAILED: ' + failure}", flush=True)
            failures += did is None
    for tool in sorted(checks.absent):
        print(f"{tool} is absent: what needs it was not compiled")
    print(f"{len(blocks)} blocks, {failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
