# SPDX-License-Identifier: MIT
"""Draws the experiments of bench_quality as SVG, with gnuplot: points are measured, lines are theory."""

import subprocess

COLOURS = ("#2f6db5", "#c8553d", "#3f8f4f", "#8a5aa8", "#b8860b", "#444444", "#2aa1a1")

STYLE = """
set terminal svg size 760,540 dynamic enhanced font 'Helvetica,14' background rgb 'white'
set border 3 linecolor rgb '#666666'
set tics nomirror textcolor rgb '#333333'
set grid linecolor rgb '#e4e4e4'
set logscale xy
set format x '10^{%L}'
set format y '10^{%L}'
set key outside bottom center horizontal maxcols 2 noenhanced samplen 2
set bars small
"""


def block(name, rows):
    return "\n".join([f"${name} << EOD", *(" ".join(f"{value:.9g}" for value in row) for row in rows), "EOD"])


def script(experiment, output):
    """A series' points (error bars of one standard error) and its theory, in one colour."""
    text = [STYLE, f"set output '{output}'", f"set title \"{experiment['title']}\" noenhanced"]
    text += [f"set xlabel \"{experiment['x']}\" noenhanced", f"set ylabel \"{experiment['y']}\" noenhanced"]
    plots = []
    for i, series in enumerate(experiment["series"]):
        colour = COLOURS[i % len(COLOURS)]
        points = series["points"]
        measured = [(p["x"], p["y"], max(p["y"] - p["error"], p["y"] / 10), p["y"] + p["error"]) for p in points if p.get("y", 0) > 0]
        theory = [(p["x"], p["theory"]) for p in points if "theory" in p]
        title = series["name"].replace('"', "'")
        if measured:
            text.append(block(f"measured{i}", measured))
            plots.append(
                f"$measured{i} using 1:2:3:4 with yerrorbars pointtype 7 pointsize 0.6 linecolor rgb '{colour}' "
                f'title "{title}"'
            )
        if theory:
            dashes = "" if measured else " dashtype 2"
            text.append(block(f"theory{i}", theory))
            shown = "notitle" if measured else f'title "{title}"'
            plots.append(f"$theory{i} using 1:2 with lines linewidth 1.5{dashes} linecolor rgb '{colour}' {shown}")
    return "\n".join(text + ["plot " + ", \\\n     ".join(plots)])


def draw(experiments, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for experiment in experiments:
        output = folder / f"estimators-{experiment['name']}.svg"
        subprocess.run(["gnuplot"], input=script(experiment, output), text=True, check=True)
