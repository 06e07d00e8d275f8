# SPDX-License-Identifier: MIT
"""The pages that scripts/bench writes from the figures of its parts."""

import collections
import json
import re

import plots

INTRODUCTION = (
    "`scripts/bench` writes this page; each section names the command that took its figures. \"Over\" means divided "
    "by; figures are medians, with the lowest and highest in parentheses. A case is named after its method, sampler, "
    "type of the weights and tokens per step: `s_mezo_gaussian_f32_512` is Sparse MeZO with Gaussian noise in f32 on "
    "16 sequences of 32 tokens. [benchmarking.md](benchmarking.md) says how to run the benchmarks, and "
    "[results.md](results.md) summarises them."
)
UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def amount(value):
    """Three digits and a unit: 1.23 G."""
    for size, unit in UNITS:
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def machine_text(machine):
    return (
        f"Measured on {machine['date']} at commit {machine['commit']}: {machine['cpu']} (family {machine['family']}, "
        f"{machine['vectors']}), {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; "
        f"{machine['compiler']}, `{machine['flags']}`"
        + (", `-march=native` except for `micro`" if machine["native"] == "ON" else "")
        + f"; {machine['threads']} {'thread' if machine['threads'] == 1 else 'threads'}."
    )


def spread(figure):
    return f"{amount(figure[0])} ({amount(figure[1])} to {amount(figure[2])})"


def micro(figures):
    """A table for each kind of benchmark: instruction sets side by side."""
    peaks = figures["peaks"]
    text = [
        f"Peaks of the machine, measured in the same run: memory read at "
        f"{amount(peaks['peak_read_bytes'])}B/s, changed in place at {amount(peaks['peak_update_bytes'])}B/s, copied at "
        f"{amount(peaks['peak_copy_bytes'])}B/s (read and written bytes together); "
        f"{amount(peaks['peak_fma_operations'])}FLOP/s in f32 multiply-adds; "
        f"{amount(peaks['peak_multiply_products'])} products/s of 32 x 32 bits.",
        "",
        "Times are CPU time of the thread. Figures are values per second, median (lowest to highest) of the "
        "repetitions; bytes and shares are medians for the widest instruction set. `of memory` is the share of the "
        "peak for reading or for changing in place, whichever the benchmark does; it may exceed 1 if the tensor fits "
        "in a cache.",
    ]
    kinds = collections.OrderedDict()
    for name, counters in figures["rows"].items():
        kind, what, dtype, instructions, elements = name.split("/")
        kinds.setdefault(kind, collections.OrderedDict()).setdefault((what, dtype, int(elements)), {})[
            instructions
        ] = counters
    columns = {"portable": "portable", "avx2": "AVX2", "avx512": "AVX-512", "neon": "NEON"}
    measured = {name for rows in kinds.values() for sets in rows.values() for name in sets}
    columns = {name: head for name, head in columns.items() if name in measured}
    for kind, rows in sorted(kinds.items()):
        lines = []
        for (what, dtype, elements), sets in sorted(rows.items()):
            best = next(sets[name] for name in ("avx512", "avx2", "neon", "portable") if name in sets)
            cells = [spread(sets[name]["values"]) if name in sets else "" for name in columns]
            share = [f"{best[name][0]:.2f}" if name in best else "" for name in ("of_memory", "of_fma", "of_multiply")]
            moved = amount(best["bytes"][0]) + "B/s" if "bytes" in best else ""
            lines.append([what.replace("+", ", "), dtype, f"{elements:,}", *cells, moved, *share])
        head = ["what", "type", "elements", *columns.values(), "bytes", "of memory", "of FMA", "of multiply"]
        text += ["", f"### {kind}", "", table(head, lines)]
    return "\n".join(text)


def flat(figures, prefix=""):
    """Name and value of every figure in nested objects; [lowest, highest] under NAME_spread joins its figure."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}: ")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            low_high = figures.get(f"{name}_spread")
            text = f"{value:.4g}"
            if isinstance(low_high, list) and len(low_high) == 2:
                text += f" ({low_high[0]:.4g} to {low_high[1]:.4g})"
            yield f"{prefix}{name}", text


def generic(figures):
    return table(["figure", "median (lowest to highest)"], [[name, text] for name, text in flat(figures)])


def cases(figures):
    """One row per case of bench_step."""
    columns = ["step_over_two_forwards", "probes_over_two_forwards", "update_over_two_forwards"]
    columns += ["peak_over_weights", "peak_over_f32_weights"]
    rows = []
    rest = {}
    for name, case in figures.items():
        if not isinstance(case, dict) or "step_over_two_forwards" not in case:
            rest[name] = case
            continue
        cells = dict(flat(case))
        rows.append([name, *(cells.get(column, "") for column in columns)])
    text = table(["case", *(column.replace("_", " ") for column in columns)], rows) if rows else ""
    return text + ("\n\n" + generic(rest) if rest else "")


def statistics_summary(figures):
    """Moments, and for each kind of test the smallest p-value and how many are small."""
    text = []
    moments = []
    missed = []
    for sampler in figures["samplers"]:
        exact = sampler["exact"]
        for run in sampler["runs"]:
            values = run["values"]
            off = abs(run["kurtosis"] - exact["kurtosis"])
            if abs(run["mean"]) >= 1e-4 or abs(run["variance"] - 1) >= 1e-4 or off >= 1e-3:
                missed.append(f"{sampler['sampler']} with seed {run['seed']}")
            moments.append(
                [
                    sampler["sampler"],
                    str(run["seed"]),
                    f"{values:,}",
                    f"{run['mean']:+.2e}",
                    f"{run['variance'] - 1:+.2e}",
                    f"{run['kurtosis']:.5f}",
                    f"{exact['variance'] - 1:+.1e}",
                    f"{exact['kurtosis']:.6f}",
                ]
            )
    head = ["sampler", "seed", "values", "mean", "variance - 1", "kurtosis", "exact variance - 1", "exact kurtosis"]
    text += [table(head, moments), ""]
    text += ["Bounds missed: " + ", ".join(missed) + "." if missed else "All are within the bounds.", "", "p-values:", ""]
    kinds = collections.OrderedDict()
    for sampler in figures["samplers"]:
        for run in sampler["runs"]:
            for test in run["tests"]:
                kind = re.sub(r", (elements \d+|neighbouring \w+).*", r"", test["what"])
                where = "elements apart" if "elements" in test["what"] else "neighbours" if "neighb" in test["what"] else ""
                key = f"{kind}, {where}" if where and kind.startswith("correlation") else test["what"]
                kinds.setdefault(key, {}).setdefault(sampler["sampler"], []).append(test["p"])
    names = [sampler["sampler"] for sampler in figures["samplers"]]
    rows = []
    for kind, by_sampler in kinds.items():
        cells = []
        for name in names:
            p = sorted(by_sampler.get(name, []))
            if not p:
                cells.append("")
            elif len(p) == 1:
                cells.append(f"{p[0]:.3f}")
            else:
                cells.append(f"smallest of {len(p)}: {p[0]:.3g}")
        rows.append([kind, *cells])
    text.append(table(["test", *names], rows))
    everything = [p for by_sampler in kinds.values() for values in by_sampler.values() for p in values]
    below = sum(p < 0.01 for p in everything)
    text += [
        "",
        f"Of all {len(everything)} p-values, {below} are below 0.01 (a perfect generator would give "
        f"{len(everything) / 100:.1f}); the smallest is {min(everything):.2g}.",
    ]
    gaussian = figures["samplers"][0]["exact"]
    rows = [
        [f"{tail['beyond']}", f"{tail['exact']:.4e}", f"{tail['normal']:.4e}", f"{100 * (tail['exact'] / tail['normal'] - 1):+.2f}%"]
        for tail in gaussian["tails"]
    ]
    text += [
        "",
        f"Over all its values, the distribution function of the Gaussian map is within "
        f"{gaussian['distance_from_normal']:.1e} of the normal one's; the Kolmogorov-Smirnov test would notice that "
        f"from about {(1.36 / gaussian['distance_from_normal']) ** 2:.0e} values; |z| <= {gaussian['largest']:.4f}.",
        "",
        table(["x", "probability of a larger magnitude, exact", "normal", "difference"], rows),
    ]
    return "\n".join(text)


def batteries(kept):
    rows = []
    for file in sorted((kept / "randomness").glob("*.json")):
        run = json.loads(file.read_text(encoding="utf-8"))
        if run["battery"] == "practrand":
            size = int(run["bytes"].removeprefix("2^"))
            outcome = f"{run['tests']} results at {2 ** (size - 30)} GiB, {run['anomalies']} anomalies, {run['failed']} failures"
            if run.get("anomalies_at_shorter_lengths"):
                outcome += f"; {run['anomalies_at_shorter_lengths']} 'unusual' on the way, gone at the next length"
        else:
            outcome = f"{run['passed']} of {run['tests']} tests passed, {run['weak']} weak, {run['failed']} failed"
            if run.get("stopped"):
                outcome += "; the run was stopped there"
        name = {"dieharder": "dieharder", "practrand": "PractRand"}[run["battery"]]
        rows.append([f"{name} {run['version']}", run["order"], outcome])
    return table(["battery", "order", "outcome"], rows) if rows else "No battery has run yet."


def write_block(file, name, text):
    """Replaces the text between the markers of that name."""
    begin, end = f"<!-- {name}: written by scripts/bench -->", f"<!-- end of {name} -->"
    page = file.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if not pattern.search(page):
        raise SystemExit(f"bench: {file} has no '{begin}'")
    file.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page), encoding="utf-8")


TITLES = {
    "step": ("A step compared with two plain forward passes", "`scripts/bench step`", cases),
    "products": ("Products in bf16 and by oneDNN", "`scripts/bench products`", cases),
    "micro": ("The parts of a step", "`scripts/bench micro`", micro),
    "threads": ("Threads, on a quiet machine and a busy one", "`scripts/bench threads`", generic),
    "versus": ("Compared with PyTorch", "`scripts/bench versus`", generic),
}


def section(page, title):
    """The text under a title of a page, up to the next title."""
    found = re.search(rf"^## {re.escape(title)}\n\n(.*?)\n*(?=^## |\Z)", page, re.M | re.S)
    return found.group(1) if found else ""


def write(root, kept_folder, parts):
    """docs/benchmarks.md, and the measured blocks of docs/estimators.md and docs/statistics.md. Parts not
    measured in this checkout stay as they are."""
    file = root / "docs/benchmarks.md"
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    page = ["# Benchmarks", "", INTRODUCTION]
    for part in parts:
        figures = kept_folder / f"{part}.json"
        kept = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else None
        if part in TITLES:
            title, command, text = TITLES[part]
            page += ["", f"## {title}", ""]
            if kept:
                page += [f"{command}. {machine_text(kept['machine'])}", "", text(kept["figures"])]
            else:
                page.append(section(old, title) or f"{command}: not measured yet.")
        elif kept and part == "statistics":
            text = machine_text(kept["machine"]) + "\n\n" + statistics_summary(kept["figures"])
            write_block(root / "docs/statistics.md", "statistics", text)
        elif kept and part == "quality":
            plots.draw(kept["figures"]["experiments"], root / "docs/images")
            check = kept["figures"]["decoder"]
            text = machine_text(kept["machine"]) + (
                f"\n\nThe small transformer has {check['weights']} weights. Its f32 loss differs by "
                f"{check['loss_difference_f32']:.1e} from that of the f64 reference, whose central-difference gradient "
                f"has a relative error of {check['gradient_relative_error']:.0e}."
            )
            write_block(root / "docs/estimators.md", "quality", text)
    page += ["", "## Estimators and noise", "", "[estimators.md](estimators.md) and [statistics.md](statistics.md)."]
    file.write_text("\n".join(page) + "\n", encoding="utf-8")
    if (kept_folder / "randomness").exists():
        write_block(root / "docs/statistics.md", "batteries", batteries(kept_folder))
