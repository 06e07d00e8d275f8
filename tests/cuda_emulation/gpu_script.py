#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/gpu with programs that only pretend: what comes back, and what is left when a run is killed.

usage: gpu_script.py SCRIPTS/GPU
"""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

SCRIPT = pathlib.Path(sys.argv.pop(1)).resolve()
PREDICTIONS = SCRIPT.parent.parent / "bench/cuda/predictions.json"
MOST_FILES = 8  # that come back from a device


def load():
    loader = importlib.machinery.SourceFileLoader("gpu", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu", loader))
    loader.exec_module(module)
    return module


gpu = load()

STUB = """#!/bin/sh
echo "$(basename "$0") $*"
{body}
"""


class Archive:
    """An unpacked archive whose programs are stubs."""

    def __init__(self, folder, needed="libcublas.so.13\n", **bodies):
        self.folder = pathlib.Path(folder) / "archive"
        self.out = pathlib.Path(folder) / "out"
        for part in ("bin", "lib", "tests", "versus"):
            (self.folder / part).mkdir(parents=True)
        shutil.copy(SCRIPT, self.folder / "run")
        shutil.copy(PREDICTIONS, self.folder)
        (self.folder / "commit").write_text("abc\n")
        (self.folder / "needed").write_text(needed)
        for program in gpu.TESTS + gpu.BENCHMARKS:
            self.program(program, bodies.get(program, "exit 77"))
        (self.folder / "versus/on_device.py").write_text("print('skipped: no PyTorch')\nraise SystemExit(77)\n")
        self.cublas = pathlib.Path(folder) / "toolkit/lib64"
        self.cublas.mkdir(parents=True)
        (self.cublas / "libcublas.so.13").touch()

    def program(self, name, body):
        path = self.folder / "bin" / name
        path.write_text(STUB.format(body=body))
        path.chmod(0o755)

    def command(self, *options):
        return [sys.executable, str(self.folder / "run"), "--out", str(self.out), *options]

    def environment(self):
        return {"PATH": os.environ["PATH"], "CUDA_PATH": str(self.cublas.parent)}

    def run(self, *options):
        return subprocess.run(
            self.command(*options), env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )

    def results(self):
        return json.loads((self.out / "results.json").read_text())

    def outcomes(self):
        return {entry["name"]: entry["outcome"] for entry in self.results()["outcomes"]}


class GpuScript(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_without_a_device_everything_is_skipped(self):
        archive = Archive(self.folder)
        done = archive.run()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(set(archive.outcomes().values()), {"skipped"})
        self.assertEqual(len(archive.outcomes()), 12)
        self.assertEqual({p.name for p in archive.out.iterdir()}, {"results.json", "summary.md", "logs.tar.gz"})
        with tarfile.open(archive.out / "logs.tar.gz") as logs:
            self.assertIn("kernel_tests.log", logs.getnames())

    def test_sanitizers_are_not_asked_without_a_device(self):
        archive = Archive(self.folder, test_cuda="echo skipped: none\nexit 77")
        tools = pathlib.Path(self.folder) / "tools"
        tools.mkdir()
        (tools / "compute-sanitizer").write_text("#!/bin/sh\nexit 5\n")
        (tools / "compute-sanitizer").chmod(0o755)
        path = f"{tools}:{os.environ['PATH']}"
        archive.environment = lambda: {"PATH": path, "CUDA_PATH": str(archive.cublas.parent)}
        self.assertEqual(archive.run("--only", "smoke,memcheck").returncode, 0)
        self.assertEqual(archive.results()["outcomes"][1]["says"], "skipped: none")
        archive.program("test_cuda", "exit 0")
        self.assertEqual(archive.run("--only", "smoke,memcheck").returncode, 1)
        self.assertEqual(archive.outcomes(), {"smoke": "passed", "memcheck": "failed"})

    def test_steps_are_in_the_order_of_a_short_lease(self):
        names = Archive(self.folder).run("--list").stdout.split()
        self.assertEqual(names[:6], ["smoke", "kernel_tests", "steps", "kernels", "pytorch", "profile"])
        self.assertLess(names.index("small_steps"), names.index("memcheck"))

    def test_only_some_steps_and_models(self):
        archive = Archive(self.folder, bench_cuda_step='echo "models $*"')
        archive.run("--only", "kernels,steps", "--models", "llama-7b")
        self.assertEqual(list(archive.outcomes()), ["steps", "kernels"])
        self.assertIn("--rounds 3 llama-7b", archive.results()["outcomes"][0]["says"])
        archive.run("--only", "steps,small_steps", "--models", "smollm2-135m")
        self.assertEqual(archive.outcomes(), {"steps": "skipped", "small_steps": "passed"})
        done = archive.run("--only", "stepz")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--only: expected some of smoke, kernel_tests", done.stdout)
        self.assertIn("got 'stepz'", done.stdout)

    def test_without_cublas_the_kernels_are_tested(self):
        archive = Archive(self.folder, needed="libcublas_that_is_nowhere.so.13\n", test_cuda="exit 0", test_cuda_model="exit 127")
        done = archive.run("--only", "smoke,kernel_tests,steps,model_tests")
        self.assertEqual(done.returncode, 0, done.stdout)
        expected = {"smoke": "passed", "kernel_tests": "passed", "steps": "skipped", "model_tests": "skipped"}
        self.assertEqual(archive.outcomes(), expected)
        self.assertIn("libcublas_that_is_nowhere.so.13 were not found in any of", archive.results()["outcomes"][2]["says"])

    def test_a_failure_fails_the_run_and_not_the_steps_behind_it(self):
        archive = Archive(self.folder, test_cuda="echo three wrong\nexit 3", bench_cuda="exit 0")
        done = archive.run("--only", "smoke,kernels")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(archive.outcomes(), {"smoke": "failed", "kernels": "passed"})
        self.assertEqual(archive.results()["outcomes"][0]["says"], "status 3: three wrong")

    def test_a_step_that_hangs_ends_with_the_time_for_all(self):
        archive = Archive(self.folder, bench_cuda="echo '{\"part\": \"cuda_kernel\", \"kernel\": \"a\"}'\nexec sleep 600")
        done = archive.run("--only", "kernels,memcheck", "--seconds", "1.5")
        self.assertEqual(done.returncode, 1)
        first, second = archive.results()["outcomes"]
        self.assertRegex(first["says"], "^not done in [12] s$")
        self.assertEqual(second["outcome"], "skipped")
        self.assertEqual([f["kernel"] for f in archive.results()["figures"]], ["a"])

    def test_predictions_are_next_to_what_was_measured(self):
        figure = {"part": "cuda_profile", "model": "llama-7b", "method": "s_mezo_gaussian"}
        figure.update({"attention_ms": [120, 110, 130], "rotary_ms": [40, 40, 41]})
        archive = Archive(self.folder, bench_cuda_step=f"echo '{json.dumps(figure)}'\necho done")
        archive.run("--only", "profile")
        summary = (archive.out / "summary.md").read_text()
        self.assertIn("| attention | ms | 90 to 200 | 3 to 5 | 120, 110 to 130 | as predicted |", summary)
        self.assertIn("| rotary embedding | ms | 15 | 3 | 40, 40 to 41 | above |", summary)
        self.assertIn("| expansion | ms | 28 to 35 | 12 | not measured |  |", summary)
        # The same, from what has come back.
        (archive.out / "summary.md").unlink()
        subprocess.run([sys.executable, str(SCRIPT), "--summary", str(archive.out)], check=True)
        self.assertEqual((archive.out / "summary.md").read_text(), summary)

    def start(self, archive, *options):
        """A run, and the process ids of its steps' programs as they write them."""
        return subprocess.Popen(
            archive.command(*options), env=archive.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait_for(self, condition):
        while not condition():
            time.sleep(0.01)

    def test_a_signal_ends_the_step_and_keeps_what_there_is(self):
        pid = pathlib.Path(self.folder) / "pid"
        body = f"echo '{{\"part\": \"cuda_kernel\", \"kernel\": \"a\"}}'\necho $$ >{pid}\nexec sleep 600"
        archive = Archive(self.folder, test_cuda="exit 0", bench_cuda=body)
        running = self.start(archive, "--only", "smoke,kernels")
        self.wait_for(lambda: pid.exists() and pid.read_text().strip())
        running.terminate()
        self.assertEqual(running.wait(), 1)
        self.assertEqual(archive.outcomes(), {"smoke": "passed", "kernels": "failed"})
        self.assertEqual(archive.results()["outcomes"][1]["says"], "ended by SIGTERM")
        self.assertEqual(len(archive.results()["figures"]), 1)
        self.wait_for(lambda: not pathlib.Path(f"/proc/{pid.read_text().strip()}").exists())

    def test_a_kill_at_any_instant_keeps_every_step_that_ended(self):
        """Each program appends its line to a list when it ends: that step may not be missing, nor be half there."""
        draw = random.Random(1)
        ended = pathlib.Path(self.folder) / "ended"
        body = "echo '{{\"part\": \"cuda_kernel\", \"kernel\": \"{0}\"}}'\nsleep 0.05\necho {0} >>%s" % ended
        archive = Archive(self.folder, **{name: body.format(name) for name in gpu.TESTS + gpu.BENCHMARKS})
        whole = time.monotonic()
        archive.run()
        whole = time.monotonic() - whole
        for _ in range(12):
            ended.write_text("")
            shutil.rmtree(archive.out, ignore_errors=True)
            running = self.start(archive)
            deadline = time.monotonic() + draw.random() * whole
            most = 0
            while time.monotonic() < deadline and running.poll() is None:
                most = max(most, len(list(archive.out.iterdir())) if archive.out.is_dir() else 0)
                time.sleep(0.002)
            running.kill()
            running.wait()
            self.assertLessEqual(most, MOST_FILES)
            if not (archive.out / "results.json").exists():
                self.assertEqual(ended.read_text(), "")  # it had not begun
                continue
            outcomes = archive.results()["outcomes"]
            passed = [entry for entry in outcomes if entry["outcome"] == "passed"]
            # The last that ended may not be written yet: its output is running.log.
            self.assertGreaterEqual(len(passed), len(ended.read_text().split()) - 1)
            self.assertTrue(all(entry["outcome"] in ("passed", "skipped") for entry in outcomes[:-1]))
            self.assertGreaterEqual(len(archive.results()["figures"]), len(passed))
            (archive.out / "summary.md").read_text()
            if len(passed) > 1:
                with tarfile.open(archive.out / "logs.tar.gz") as logs:
                    self.assertGreaterEqual(len(logs.getnames()), len(passed) - 1)
            if outcomes and outcomes[-1]["outcome"] == "running":
                self.assertTrue((archive.out / "running.log").exists())

    def test_cublas_is_found_wherever_it_comes_with(self):
        folder = pathlib.Path(self.folder)
        for place, environment in (
            ("toolkit/lib64", {"CUDA_PATH": str(folder / "toolkit")}),
            ("toolkit/targets/x86_64-linux/lib", {"CUDA_HOME": str(folder / "toolkit")}),
            ("given", {"LD_LIBRARY_PATH": f"/nowhere:{folder / 'given'}"}),
            ("venv/nvidia/cu13/lib", {"PYTHONPATH": str(folder / "venv")}),
            ("venv/nvidia/cublas/lib", {"PYTHONPATH": str(folder / "venv")}),
            ("compiler/lib64", {"PATH": f"{folder / 'compiler/bin'}"}),
        ):
            with self.subTest(place=place):
                library = folder / place / "libof_the_test.so.13"
                library.parent.mkdir(parents=True, exist_ok=True)
                library.touch()
                (folder / "compiler/bin").mkdir(parents=True, exist_ok=True)
                compiler = folder / "compiler/bin/nvcc"
                compiler.touch()
                compiler.chmod(0o755)
                path = environment.pop("PYTHONPATH", None)
                found_path = gpu.search_path
                if path:
                    gpu.search_path = lambda _: [path]  # noqa: B023
                try:
                    folders = gpu.library_folders({"PATH": "/usr/bin", **environment}, sys.executable)
                finally:
                    gpu.search_path = found_path
                self.assertEqual(gpu.find_libraries([library.name], folders), str(library.parent))
                library.unlink()
                self.assertIsNone(gpu.find_libraries([library.name], folders))

    def test_modules_of_another_python_are_looked_for(self):
        self.assertEqual(gpu.search_path(sys.executable)[1:], sys.path[1:])
        self.assertEqual(gpu.search_path("/nowhere/python3"), [])


if __name__ == "__main__":
    unittest.main()
