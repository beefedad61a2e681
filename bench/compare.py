# SPDX-License-Identifier: MIT
"""`radon bench compare`: two result documents, row by row."""

import json
import re
import sys

from guest.machine.errors import EXIT_OK, UsageError
from guest.machine.options import Parser

from . import document as doc
from .table import align, show_value

EXIT_REGRESSION = 3
EXIT_INCOMPLETE = 5
MUST_AGREE = ("clock",)
SHOULD_AGREE = ("cpus", "cpu", "memory_mib", "dom0_memory_mib", "packages", "files", "pinned")


def percent(text):
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%?", text)
    if not found:
        raise UsageError("--fail-on %s: a percentage like 5%% is expected" % text)
    return float(found[1])


def parser():
    top = Parser(
        prog="radon bench compare",
        description="Compare two result documents of `radon bench --json`. Times: B against A.",
        epilog="example:\n  ./radon bench compare results/before.json after.json --fail-on 5%\n\n"
               "exit: 0 done, 2 usage or documents that cannot be compared, 3 a figure got slower "
               "than --fail-on\nallows, 5 a document is incomplete and --strict is given")
    top.add_argument("a", metavar="A.json")
    top.add_argument("b", metavar="B.json")
    top.add_argument("--fail-on", metavar="PERCENT", default="",
                     help="exit 3 when any figure of B is slower by more than this")
    top.add_argument("--strict", action="store_true", help="exit 5 when a document is incomplete")
    top.add_argument("--json", metavar="FILE", default="",
                     help="write the comparison, - for stdout")
    return top


def differences(a, b):
    """Parts of the environment that differ: a warning for a person."""
    found = []
    for name in SHOULD_AGREE:
        if a.get(name) == b.get(name):
            continue
        if isinstance(a.get(name), dict) and isinstance(b.get(name), dict):
            keys = sorted(key for key in set(a[name]) | set(b[name])
                          if a[name].get(key) != b[name].get(key))
            found.append("%s (%s)" % (name, ", ".join(keys)))
        else:
            found.append("%s (%s, %s)" % (name, a.get(name), b.get(name)))
    return found


def changes(a, b):
    """One dict for each row and column that both documents have."""
    rows = {row["id"]: row for row in b["rows"]}
    before = {result["row"]: result for result in a["results"]}
    found = []
    for result in b["results"]:
        old = before.get(result["row"])
        for column, value in result["values"].items():
            if old is None or column not in old["values"]:
                continue
            known = "time_ns" in value and "time_ns" in old["values"][column]
            slower = None
            if known and old["values"][column]["time_ns"] > 0:
                slower = 100 * (value["time_ns"] / old["values"][column]["time_ns"] - 1)
            found.append({"row": rows[result["row"]], "column": column, "a": old["values"][column],
                          "b": value, "slower_percent": slower})
    return found


def _lines(found):
    lines = [["row", "unit", "column", "A", "B", "slower by"]]
    for change in found:
        row, slower = change["row"], change["slower_percent"]
        lines.append([row["title"], "MB/s" if row["unit"] == "MB/s" else "us", change["column"],
                      show_value(row, change["a"], False), show_value(row, change["b"], False),
                      "unknown" if slower is None else "%+.2f %%" % slower])
    return lines


def _lost(a, b):
    """Figures that A has and B no longer has: worse than slow."""
    return [(change["row"]["id"], change["column"]) for change in changes(a, b)
            if "failed" in change["b"] and "failed" not in change["a"]]


def _save(path, found, limit, regressions):
    text = json.dumps({
        "schema": "radon-bench-compare", "schema_version": 1, "fail_on_percent": limit,
        "changes": [dict(change, row=change["row"]["id"]) for change in found],
        "regressions": len(regressions)}, indent=1) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main(argv):
    options = parser().parse_args(argv)
    limit = percent(options.fail_on) if options.fail_on else None
    a, b = doc.load(options.a), doc.load(options.b)
    for name in MUST_AGREE:
        if a[name] != b[name]:
            raise UsageError("cannot compare: %s is %s in A and %s in B" % (name, a[name], b[name]))
    found = changes(a, b)
    if not found:
        raise UsageError("the documents have no row and column in common")
    for difference in differences(a, b):
        print("radon: warning: A and B differ in %s" % difference, file=sys.stderr)
    regressions = [] if limit is None else [
        change for change in found
        if change["slower_percent"] is not None and change["slower_percent"] > limit]
    if options.json:
        _save(options.json, found, limit, regressions)
    if options.json != "-":
        print("\n".join(align(_lines(found))))
    for change in regressions:
        print("radon: %s on %s is %.2f %% slower" % (change["row"]["title"], change["column"],
                                                   change["slower_percent"]), file=sys.stderr)
    lost = _lost(a, b) if limit is not None else []
    for row, column in lost:
        print("radon: %s on %s failed in B and not in A" % (row, column), file=sys.stderr)
    if regressions or lost:
        return EXIT_REGRESSION
    if options.strict and not (a["complete"] and b["complete"]):
        print("radon: a document is incomplete", file=sys.stderr)
        return EXIT_INCOMPLETE
    return EXIT_OK
