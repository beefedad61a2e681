# SPDX-License-Identifier: MIT
"""`radon demo fast`: fast handlers found, made and installed while a mixed workload runs, on Debian's
unmodified kernel; what each operation cost before, costs with them, and costs on native Linux."""

import json
import os
import tempfile

from guest.machine import fast, tools
from guest.machine.errors import EXIT_FAILED, EXIT_OK, RunError, UsageError
from guest.machine.options import Parser
from guest.machine.paths import note
from guest.machine.request import check_output

from . import document as doc, entries as frequent, measure, programs, table

ROWS = ("null_call,null_read,null_write,stat,open_close,select_tcp,sig_install,sig_handle,sig_prot,"
        "fork,sh,pipe,unix")
COLUMNS = ("native", "radon", measure.FAST)
# After the rows, what people do: so that the table of entries is of more than the rows.
MIXED = """ls -lR /bin /etc /dev /sys/devices/system
find /sys -maxdepth 4
tar -c /bin /usr | wc -c
dd if=/dev/zero of=/dev/null bs=1 count=200000
dd if=/dev/zero of=/tmp/x bs=4096 count=500; cat /tmp/x; rm /tmp/x
i=0; while [ $i -lt 200 ]; do /bin/busybox true; i=$((i + 1)); done
"""
ENTRIES, DECISIONS = "/run/entries.json", "/run/decisions.json"
EPILOG = """examples:
  ./radon demo fast
  ./radon demo entries --top 100 --table results/fast-entries
  ./radon demo fast --top 100 --entries entries.json --decisions decisions.json

Exit: 0 done, 1 a part of it failed, 2 usage.
"""


class Settings:
    """What bench's machines are made of."""

    clock, quick, cpus, cpu, memory, dom0_memory, kernel, timeout = "instr", True, 1, "", 1024, 512, "", 0
    on = COLUMNS


def parser():
    top = Parser(prog="radon demo", epilog=EPILOG,
                 description="Show what Radon does that no other hypervisor does.")
    add = top.add_argument
    add("what", choices=("fast", "entries"),
        help="fast: handlers made automatically for what runs; "
             "entries: the most frequent entries of a mixed workload, handled or why not")
    add("--rows", metavar="LIST", default=ROWS, help="rows of ./radon bench --list to show")
    add("--top", metavar="N", type=int, default=0,
        help="entries to print; default 30, with `entries` 100")
    add("--table", metavar="PREFIX", default="", help="entries: write PREFIX.json, .csv and .md")
    add("--cpus", metavar="N", type=int, default=1, help="processors; default 1")
    add("--entries", metavar="FILE", default="", help="write all entries there, as JSON")
    add("--decisions", metavar="FILE", default="", help="write what the daemon decided, as JSON")
    return top


def fast_spec(settings, rows, directory):
    """Radon with the daemon: the rows, the mixed workload, then what the daemon says of it all."""
    spec = measure.make_spec("radon", settings, rows)
    spec.command = measure.rbench_command(measure.FAST, rows, settings.clock, settings.quick)
    script = ('"$@"; status=$?; { %s } >/dev/null 2>&1; radon-explain --top 0 --json >%s; '
              "radon-handler log --json >%s; exit $status" % (MIXED, ENTRIES, DECISIONS))
    spec.command = ["/bin/sh", "-c", script, "demo", *spec.command]
    spec.adds.append((tools.program("explain"), tools.INSIDE + "radon-explain"))
    spec.gets = [(ENTRIES, os.path.join(directory, "entries")),
                 (DECISIONS, os.path.join(directory, "decisions"))]
    spec.timeout = measure.TIMEOUT_S[measure.FAST]
    fast.beside(spec)
    return spec


def load(directory, name):
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise RunError("the machine gave no %s: %s" % (name, error)) from None


def operations(document):
    """Lines of the first table."""
    lines = [["operation", "native us", "before us", "after us", "after/before", "after/native"]]
    for row, result in zip(document["rows"], document["results"]):
        values = [result["values"][name] for name in COLUMNS]
        times = [value.get("time_ns") for value in values]
        ratio = ["%.2f" % (times[2] / base) if base and times[2] is not None else "unknown"
                 for base in (times[1], times[0])]
        lines.append([row["title"], *(table.show_value(row, value, False) for value in values), *ratio])
    return lines


def columns(lines, left):
    """Aligned; the first `left` columns and the last one to the left."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(
        cell.ljust(widths[i]) if i < left or i == len(line) - 1 else cell.rjust(widths[i])
        for i, cell in enumerate(line)).rstrip() for line in lines)


def made(decisions):
    """Lines of the handlers that became active, as the log says it."""
    lines = [["point", "handler", "at s", "what"]]
    for entry in decisions["rows"]:
        if entry["what"] == "activate":
            lines.append([entry["point"], "#%d" % entry["handler"],
                          "%.3f" % (entry["uptime_ns"] / 1e9), entry["text"]])
    return lines


def entries(document, top):
    lines = [["entry", "share %", "hits", "passes", "verdict", "reason", "why"]]
    for row in document["rows"][:top]:
        numbers = ["-" if row[name] is None else str(row[name]) for name in ("hits", "passes")]
        lines.append([row["entry"], "%.2f" % row["share_percent"], *numbers, row["verdict"],
                      row["reason"], " ".join(row["text"].split())[:100]])
    return lines


def show(document, found, decided, top):
    print("Operations, instruction time (1 instruction = 1 ns); before: Radon without handlers\n")
    print(columns(operations(document), 1))
    active = made(decided)
    print("\nHandlers that became active: %d\n" % (len(active) - 1))
    if len(active) > 1:
        print(columns(active, 2))
    handled = sum(row["verdict"] == "handled" for row in found["rows"][:top])
    print("\nThe %d costliest entries, of %d; %d handled at the end\n"
          % (min(top, len(found["rows"])), len(found["rows"]), handled))
    print(columns(entries(found, top), 1))


def main(argv):
    options = parser().parse_args(argv)
    for option, path in (("--entries", options.entries), ("--decisions", options.decisions)):
        if path:
            check_output(option, path)
    options.top = options.top or {"fast": 30, "entries": 100}[options.what]
    if options.top < 1 or options.cpus < 1:
        raise UsageError("--top and --cpus take numbers from 1")
    if options.table and options.what != "entries":
        raise UsageError("--table goes with `entries`")
    frequent.check(options.table)
    programs.ensure()
    settings = Settings()
    settings.cpus = options.cpus
    if options.what == "entries":
        return frequent.show(settings, options.top, options.table)
    rows = programs.choose_rows(programs.list_rows(), options.rows)
    with tempfile.TemporaryDirectory(prefix="radon-") as directory:
        specs = {name: measure.make_spec(name, settings, rows) for name in COLUMNS[:2]}
        specs[measure.FAST] = fast_spec(settings, rows, directory)
        reasons = measure.prepare(COLUMNS)
        if reasons:
            raise RunError("; ".join(reasons.values()))
        note("three boots: native Linux, Radon, Radon with the daemon")
        runs = measure.run_columns(specs, {name: 1 for name in specs}, 2, len(rows))
        document = doc.compute({"clock": "instr", "rows": rows, "columns": [
            {"name": name, "reason": "", "runs": runs[name]} for name in COLUMNS]})
        found, decided = load(directory, "entries"), load(directory, "decisions")
    for path, what in ((options.entries, found), (options.decisions, decided)):
        if path:
            doc.save_json(what, path)
    show(document, found, decided, options.top)
    for failure in document["failures"]:
        note("%s %s: %s" % (failure["column"], failure["row"] or "", failure["reason"]))
    return EXIT_OK if document["complete"] else EXIT_FAILED
