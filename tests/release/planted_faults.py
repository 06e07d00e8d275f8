#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prepares a release in a copy of the repository, and expects scripts/release to be content; then plants one fault at a
time, and expects it to be the only one that is reported."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = (
    "CHANGELOG.md CITATION.cff CMakeLists.txt LICENSE README.md .ci .gitignore include cmake/vcpkg scripts tests/consumer"
).split()
VERSION = "7.8.9"


class Copy:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            (self.folder / part).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / part, self.folder / part)
        self.git("init", "--quiet")
        self.git("config", "user.name", "release")
        self.git("config", "user.email", "release@localhost")
        self.git("config", "commit.gpgSign", "false")
        self.git("config", "tag.gpgSign", "false")

    def git(self, *arguments):
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def release(self, *arguments):
        command = [self.folder / "scripts/release", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def edit(self, name, old, new):
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            sys.exit(f"{name}: expected {old!r} to plant a fault, found none")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def commit(self):
        """Commits all, as if every check had then passed."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Release")
        commit = self.git("rev-parse", "HEAD")
        lines = []
        for script in (".ci/run", "scripts/nightly"):
            listed = subprocess.run([self.folder / script, "--list"], capture_output=True, text=True, check=True)
            lines += [f"{commit}\t{script.split('/')[1]}\t{name}\tpassed\n" for name in listed.stdout.split()]
        (self.folder / "build/ci").mkdir(parents=True, exist_ok=True)
        (self.folder / "build/ci/results").write_text("".join(lines), encoding="utf-8")
        (self.folder / "build/docs/html").mkdir(parents=True, exist_ok=True)
        (self.folder / "build/docs/html/index.html").touch()


def expect(condition, said):
    if not condition:
        sys.exit(f"not as expected:\n{said}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(folder)
        code, said = copy.release(VERSION, "--prepare")
        expect(code == 0, said)
        manifest = json.loads((copy.folder / "cmake/vcpkg/zeroth/vcpkg.json").read_text(encoding="utf-8"))
        expect(manifest["version"] == VERSION, manifest)
        copy.commit()
        code, said = copy.release(VERSION)
        expect(code == 0 and f"git tag --annotate v{VERSION}" in said, said)
        expect(copy.git("tag") == "", "a tag, though none was asked for")
        expect((copy.folder / f"build/dist/zeroth-{VERSION}.hpp").is_file(), said)
        prepared = copy.git("rev-parse", "HEAD")

        def fault(expected, plant, after=lambda: None):
            """plant() before the commit, after() after it."""
            copy.git("reset", "--quiet", "--hard", prepared)
            plant()
            copy.commit()
            after()
            code, said = copy.release(VERSION)
            missing = [line for line in said.splitlines() if line.startswith("MISSING")]
            expect(code == 1 and len(missing) == 1 and expected in missing[0], f"{expected}\nbut:\n{said}")
            print(missing[0])

        def edited(name, old, new):
            return lambda: copy.edit(name, old, new)

        def nothing():
            pass

        for name, old, new in (
            ("CMakeLists.txt", "  VERSION 7.8.9\n", "  VERSION 7.8.8\n"),
            ("include/zeroth/version.hpp", "VERSION_PATCH 9", "VERSION_PATCH 8"),
            ("cmake/vcpkg/zeroth/vcpkg.json", '"version": "7.8.9"', '"version": "7.8.8"'),
            ("CITATION.cff", "\nversion: 7.8.9", "\nversion: 7.8.8"),
            ("README.md", "GIT_TAG v7.8.9", "GIT_TAG v7.8.8"),
            ("tests/consumer/project/ways/cpm.cmake", "VERSION 7.8.9", "VERSION 7.8.8"),
        ):
            fault(f"{name}: expected ", edited(name, old, new))
        # The single header has this one too, which makes two faults.
        copy.git("reset", "--quiet", "--hard", prepared)
        copy.edit("include/zeroth/version.hpp", 'STRING "7.8.9"', 'STRING "7.8.8"')
        code, said = copy.release("--versions")
        expect(code == 1 and "include/zeroth/version.hpp: expected version 7.8.9, found 7.8.8" in said, said)

        unreleased = edited("CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n\n- x\n")
        fault("CHANGELOG.md: expected nothing under [Unreleased]", unreleased)
        fault("CHANGELOG.md: expected the date", edited("CHANGELOG.md", "## [7.8.9] - 20", "## [7.8.9] - 19"))
        fault("CITATION.cff: expected the date", edited("CITATION.cff", "date-released: 20", "date-released: 21"))
        fault("checkout: expected no changes", nothing, edited("LICENSE", "MIT", "MIT "))
        fault("checkout: expected no changes", nothing, lambda: (copy.folder / "include/new.hpp").touch())
        (copy.folder / "include/new.hpp").unlink()
        results = "build/ci/results"
        fault("scripts/nightly kills: expected passed", nothing, edited(results, "kills\tpassed", "kills\tFAILED: x"))
        fault(".ci/run docs: expected passed", nothing, edited(results, "run\tdocs\t", "run\tother\t"))
        fault("documentation: expected", nothing, (copy.folder / "build/docs/html/index.html").unlink)
        fault("tag: expected one above v7.8.9", nothing, lambda: copy.git("tag", f"v{VERSION}"))
        copy.git("tag", "--delete", f"v{VERSION}")
        fault("tag: expected one above v8.0.0", nothing, lambda: copy.git("tag", "v8.0.0"))
        copy.git("tag", "--delete", "v8.0.0")

        # Of another commit, nothing has passed.
        copy.git("reset", "--quiet", "--hard", prepared)
        copy.commit()
        copy.git("commit", "--quiet", "--allow-empty", "--message", "Later")
        code, said = copy.release(VERSION)
        count = len((copy.folder / results).read_text(encoding="utf-8").splitlines())
        expect(code == 1 and said.count("found nothing; run ") == count, said)

        # What was skipped is said, and is no fault.
        copy.commit()
        copy.edit(results, "nightly\tcuda\tpassed", "nightly\tcuda\tskipped: no nvcc")
        code, said = copy.release(VERSION, "--tag")
        expect(code == 0 and "note: scripts/nightly cuda: skipped: no nvcc" in said, said)
        expect(copy.git("rev-parse", f"v{VERSION}^{{commit}}") == copy.git("rev-parse", "HEAD"), said)


if __name__ == "__main__":
    main()
