# SPDX-License-Identifier: MIT
"""Draws the comparison: time of every row in every column, in terms of native Linux.

Beside the drawing stay the gnuplot script and the data that it was made from.
"""

import csv
import os
import shutil
import subprocess

from guest.machine import deps
from guest.machine.errors import RunError, UsageError
from guest.machine.paths import ROOT

TERMINALS = {".svg": 'svg size 860,%(points)d font "DejaVu Sans,11" background "white"',
             ".pdf": 'pdfcairo size 8.6,%(inches).2f font "DejaVu Sans,11"',
             ".png": 'pngcairo size 1290,%(pixels)d fontscale 1.2 font "DejaVu Sans,11"'}
TEMPLATE = os.path.join(ROOT, "analysis", "ratio.gp")
PAPER = os.path.join(ROOT, "bench", "paper", "xen2003.csv")
SERIES = ("radon", "xen", "emulation", "radon+fast")


def _parts(path):
    stem, suffix = os.path.splitext(path)
    return stem, suffix.lower()


def data_path(path):
    return _parts(path)[0] + ".csv"


def check(path):
    """Raises when the drawing could not be made."""
    if _parts(path)[1] not in TERMINALS:
        raise UsageError("--plot %s: .svg, .pdf or .png is expected" % path)
    deps.ensure("bench")
    if not shutil.which("gnuplot"):
        raise RunError("gnuplot is missing: apt install gnuplot-nox")


def paper_ratios():
    """(artefact, row) of the paper -> time on Xen in terms of native Linux, in 2003."""
    ratios = {}
    with open(PAPER, encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["better"] == "lower" and line["L"] and line["X"] and float(line["L"]) > 0:
                ratios[line["artefact"], line["row"]] = float(line["X"]) / float(line["L"])
    return ratios


def records(document):
    """One list a row: place on the axis, title, then a ratio or NaN for each series."""
    paper = paper_ratios()
    out = []
    for place, (row, result) in enumerate(zip(document["rows"], document["results"]), 1):
        ratios = [result["time_ratio_to_native"].get(name, "NaN") for name in SERIES]
        out.append([place, row["title"], *ratios,
                    paper.get((row["artefact"], row["paper_row"]), "NaN")])
    return out


def _caption(document):
    clock = {"instr": "instruction time", "tcg": "wall time under TCG", "kvm": "wall time, KVM"}
    packages = document["packages"]
    return ("%s, %d CPU; QEMU %s, Xen %s, Radon %s, rbench %.12s, %s"
            % (clock[document["clock"]], document["cpus"],
               packages.get("qemu-system-x86", "unknown"),
               packages.get("xen-hypervisor-4.17-amd64", "unknown"), document["tool_version"],
               document["files"]["rbench"]["sha256"], document["created_utc"][:10]))


def _quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def _range(lines):
    """Ends of the axis: a little beyond the least and the greatest ratio, and 1."""
    ratios = [ratio for line in lines for ratio in line[2:] if ratio != "NaN"] + [1.0]
    return min(ratios) / 1.15, max(ratios) * 1.15


def head(document, path, height):
    """The settings that every drawing has; height in points."""
    size = {"points": height, "inches": height / 100, "pixels": height * 3 // 2}
    return "\n".join(["set terminal " + TERMINALS[_parts(path)[1]] % size,
                      "set output " + _quoted(os.path.basename(path)),
                      "data = " + _quoted(os.path.basename(data_path(path))),
                      "caption = " + _quoted(_caption(document)), ""])


def script(document, path, lines):
    """The settings of this drawing, then the template."""
    shown = [name for i, name in enumerate(SERIES) if any(line[2 + i] != "NaN" for line in lines)]
    with open(TEMPLATE, encoding="utf-8") as file:
        template = file.read()
    return head(document, path, 130 + 19 * len(lines)) + "\n".join([
        "rows = %d" % len(lines),
        "low = %.6g; high = %.6g" % _range(lines),
        *("have_%s = %d" % (name.replace("+", "_"), name in shown) for name in SERIES),
        template])


def run(path, text):
    """Has gnuplot draw path by the script text, which stays beside it."""
    gp = _parts(path)[0] + ".gp"
    with open(gp, "w", encoding="utf-8") as file:
        file.write(text)
    directory = os.path.dirname(os.path.abspath(path))
    done = subprocess.run(["gnuplot", os.path.basename(gp)], cwd=directory, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0 or not os.path.exists(path) or not os.path.getsize(path):
        raise RunError("gnuplot failed on %s: %s" % (gp, done.stdout.strip() or "no drawing"))


def draw(document, path):
    """Write path, and its .gp and .csv. Raises RunError when nothing can be drawn."""
    lines = records(document)
    if all(line[2 + i] == "NaN" for line in lines for i in range(len(SERIES))):
        raise RunError("--plot %s: no column has a ratio to native to draw" % path)
    with open(data_path(path), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["place", "row"] + ["%s_time_ratio" % name for name in SERIES]
                        + ["xen_2003_time_ratio"])
        writer.writerows(lines)
    run(path, script(document, path, lines))
