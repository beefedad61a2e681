# SPDX-License-Identifier: MIT
"""`radon bench`: runs the rows in each column and prints the table."""

import argparse
import datetime
import json
import os
import sys

from guest.machine import columns as machine_columns, qemu
from guest.machine.errors import EXIT_FAILED, EXIT_OK, RadonError, UsageError
from guest.machine.options import Parser
from guest.machine.request import positive, size_mib

from . import compare, document as doc, measure, outputs, programs, provenance, report, table, tracing

DEFAULT_COLUMNS = "native,radon,xen"
ALL_COLUMNS = "native,radon,radon+fast,xen,emulation"
REPEATS = {"instr": 1, "tcg": 3, "kvm": 3}  # boots of each column; instruction time repeats exactly
SUBCOMMANDS = {"compare": compare.main, "report": report.main}
EPILOG = """examples:
  ./radon bench --quick
  ./radon bench --rows null_call,fork --on native,xen
  ./radon bench --clock tcg --repeat 5 --json wall.json --plot wall.svg
  ./radon bench compare before.json after.json --fail-on 5%
  ./radon bench report results/instr.json
  ./radon bench --on native,radon,radon+fast,xen --plot fast.svg
  ./radon bench --rows tracing --plot tracing.svg
  ./radon bench --list                     the rows and what they measure

Columns: native Linux, Radon, Radon with fast handlers (radon+fast: the daemon radon-prof works beside
the rows, and sees each for 1.5 s before it is measured), Debian's Xen 4.17, emulation (QEMU inside
native Linux; slow). Each boots the same kernel with the same programs once a repeat.
Exit: 0 done, 1 a row or a column failed, 2 usage.
"""


def count(text):
    if not text.isdigit() or not 1 <= int(text) <= 255:
        raise argparse.ArgumentTypeError("%r is no number from 1 to 255" % text)
    return int(text)


def parser():
    top = Parser(prog="radon bench", epilog=EPILOG,
                 description="Measure every row in each column, and print the table.")
    add = top.add_argument
    add("--quick", action="store_true", help="fewer samples of each row, one boot of each column")
    add("--on", metavar="LIST", default=DEFAULT_COLUMNS,
        help="columns (%s), or all; default %s" % (ALL_COLUMNS, DEFAULT_COLUMNS))
    add("--rows", metavar="LIST", default="",
        help="rows by id; default all; or the group tracing: what observing costs, on Radon and Xen")
    add("--clock", choices=sorted(qemu.CLOCKS), default="instr",
        help="instr: one instruction is one nanosecond (default); tcg, kvm: wall time")
    add("--repeat", metavar="N", type=count,
        help="boots of each column (default 1 with instr, else 3)")
    add("--cpus", metavar="N", type=count, default=1)
    add("--cpu", metavar="MODEL", default="", help="QEMU's CPU model")
    add("--memory", metavar="M", type=size_mib, default=1024, help="of the machine; default 1024M")
    add("--dom0-memory", metavar="M", type=size_mib, default=512, help="of domain 0; default 512M")
    add("--kernel", metavar="FILE", default="", help="default: Debian's newest in /boot")
    add("--jobs", metavar="N", type=count,
        help="columns measured at the same time (default 2 with instr; wall time takes 1)")
    add("--timeout", metavar="S", type=positive, default=0, help="for one boot")
    add("--json", metavar="FILE", default="",
        help="write the document with every sample; - is stdout")
    add("--csv", metavar="FILE", default="", help="write every sample, flat")
    add("--plot", metavar="FILE", default="",
        help="draw the comparison (.svg, .pdf, .png); its .gp and .csv are left beside it")
    add("--list", action="store_true", help="print the rows and what they measure")
    return top


def choose_columns(text):
    names = [name.strip() for name in (ALL_COLUMNS if text == "all" else text).split(",")]
    for name in names:
        if name not in machine_columns.COLUMNS + (measure.FAST,):
            raise UsageError("no column %r: %s, or all" % (name, ALL_COLUMNS))
    return list(dict.fromkeys(names))


def check(options):
    """What can be refused before anything is built or booted."""
    if options.clock != "instr" and (options.jobs or 1) > 1:
        raise UsageError("--jobs %d: in wall time columns must not run at once" % options.jobs)
    if options.quick and options.repeat:
        raise UsageError("--quick is one boot of each column: --repeat contradicts it")
    outputs.check(options.json, options.csv, options.plot)
    return choose_columns(options.on)


def repeats_of(options, names):
    """Boots of each column; emulation is too slow for more than one."""
    number = options.repeat or (1 if options.quick else REPEATS[options.clock])
    return {name: 1 if name == "emulation" else number for name in names}


def jobs_of(options):
    """Machines at a time."""
    return options.jobs or (2 if options.clock == "instr" else 1)


def new_document(options, argv, rows, names):
    """The document before anything was measured."""
    spec = measure.make_spec(names[0], options, rows)
    kernel = provenance.kernel_path(spec)
    files = {"rbench": programs.RBENCH, "rbench-tiny": programs.TINY, "kernel": kernel}
    return {
        "schema": doc.SCHEMA, "schema_version": doc.SCHEMA_VERSION,
        "tool_version": provenance.tool_version(),
        "created_utc": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": ["./radon", "bench"] + argv, "complete": False, "lost_records": 0,
        "clock": options.clock, "quick": options.quick, "cpus": options.cpus,
        "cpu": options.cpu or "QEMU's default", "memory_mib": options.memory,
        "dom0_memory_mib": options.dom0_memory, "pinned": qemu.PINNED[options.clock],
        "packages": provenance.package_versions(kernel),
        "files": {name: provenance.file_hash(path) for name, path in files.items() if path},
        "host": provenance.host(), "rows": rows, "columns": []}


def measure_all(options, document, names):
    """Boot everything; columns that cannot run are in the document as failed."""
    specs = {name: measure.make_spec(name, options, document["rows"]) for name in names}
    reasons = measure.prepare(names)
    described = {}
    for name in names:
        try:
            described[name] = provenance.describe_boot(specs[name]) if name not in reasons else None
        except UsageError:
            raise
        except RadonError as error:
            reasons[name] = str(error)
    able = {name: specs[name] for name in names if name not in reasons}
    runs = measure.run_columns(able, repeats_of(options, able), jobs_of(options),
                               len(document["rows"]))
    for name in names:
        column = {"name": name, "letter": doc.LETTERS[name], "reason": reasons.get(name, ""),
                  "rbench": specs[name].command, "argv": [], "files": {},
                  "runs": runs.get(name, [])}
        column.update(described.get(name) or {})
        document["columns"].append(column)
    return doc.compute(document)


def run(options, argv):
    names = check(options)
    if options.rows == tracing.GROUP:
        repeat = options.repeat or (1 if options.quick else REPEATS[options.clock])
        return tracing.main(options, lambda rows, on: new_document(options, argv, rows, [on]),
                            jobs_of(options), repeat)
    programs.ensure()
    rows = programs.choose_rows(programs.list_rows(), options.rows)
    document = measure_all(options, new_document(options, argv, rows, names), names)
    if options.json == "-":
        json.dump(document, sys.stdout, indent=1)
        print()
    else:
        print(table.render(document))
    sys.stdout.flush()
    outputs.save(document, options.json, options.csv, options.plot)
    return EXIT_OK if document["complete"] else EXIT_FAILED


def print_rows():
    programs.ensure()
    rows = programs.list_rows()
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        print("%-*s  %-24s %s" % (width, row["id"], row["title"], row["help"]))
    return EXIT_OK


def dispatch(argv):
    if argv and argv[0] in SUBCOMMANDS:
        return SUBCOMMANDS[argv[0]](argv[1:])
    options = parser().parse_args(argv)
    return print_rows() if options.list else run(options, argv)


def main(argv):
    try:
        return dispatch(argv)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
