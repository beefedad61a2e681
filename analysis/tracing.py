# SPDX-License-Identifier: MIT
"""Draws what observing costs: each row's time in terms of the same hypervisor with everything off.

Beside the drawing stay the gnuplot script and the data that it was made from.
"""

import csv
import os

from guest.machine.errors import RunError
from guest.machine.paths import ROOT

from . import plot

TEMPLATE = os.path.join(ROOT, "analysis", "tracing.gp")
SERIES = ("radon/sampled", "radon/exact", "radon/pv", "radon/own", "xen/pv")


def records(document):
    """One list a row: place on the axis, title, then a ratio or NaN for each series."""
    lines = []
    for place, (row, result) in enumerate(zip(document["rows"], document["results"]), 1):
        ratios = [(result["cells"].get(name) or {}).get("time_ratio_to_off") for name in SERIES]
        lines.append([place, row["title"], *("NaN" if ratio is None else ratio for ratio in ratios)])
    return lines


def script(document, path, lines):
    """The settings of this drawing, then the template."""
    ratios = [ratio for line in lines for ratio in line[2:] if ratio != "NaN"] + [1.0]
    room = max(0.02, 0.05 * (max(ratios) - min(ratios)))
    settings = ["rows = %d" % len(lines),
                "low = %.6g; high = %.6g" % (min(ratios) - room, max(ratios) + room)]
    settings += ["have_%s = %d" % (name.replace("/", "_"),
                                   any(line[2 + i] != "NaN" for line in lines))
                 for i, name in enumerate(SERIES)]
    with open(TEMPLATE, encoding="utf-8") as file:
        return plot.head(document, path, 170 + 26 * len(lines)) + "\n".join(settings + [file.read()])


def draw(document, path):
    """Write path, and its .gp and .csv. Raises RunError when nothing can be drawn."""
    lines = records(document)
    if all(ratio == "NaN" for line in lines for ratio in line[2:]):
        raise RunError("--plot %s: no column to compare with everything off" % path)
    with open(plot.data_path(path), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["place", "row"] + [name.replace("/", "_") + "_time_ratio"
                                            for name in SERIES])
        writer.writerows(lines)
    plot.run(path, script(document, path, lines))
