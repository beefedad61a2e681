# SPDX-License-Identifier: MIT
"""`radon bench report`: the table, CSV and plot of a recorded document."""

import shlex

from guest.machine.errors import EXIT_FAILED, EXIT_OK
from guest.machine.options import Parser

from . import document as doc, outputs, tracing, tracing_document
from .table import align, render


def parser():
    top = Parser(
        prog="radon bench report",
        description="Print a recorded result document, with where it comes from.",
        epilog="example:\n  ./radon bench report results/instr.json --plot results/instr.svg\n\n"
               "exit: 0 done, 1 the document holds a failed row, 2 usage")
    top.add_argument("document", metavar="FILE.json")
    top.add_argument("--csv", metavar="FILE", default="", help="write every sample, flat")
    top.add_argument("--plot", metavar="FILE", default="", help="draw it: .svg, .pdf or .png")
    return top


def provenance(document):
    lines = ["recorded %s by %s" % (document["created_utc"], shlex.join(document["command"]))]
    lines += ["%s %s" % pair for pair in sorted(document["packages"].items())]
    for name, file in sorted(document["files"].items()):
        lines.append("%s: sha256 %s" % (name, file["sha256"]))
    for column in document["columns"]:
        for name, file in sorted(column["files"].items()):
            lines.append("%s's %s: sha256 %s" % (column["name"], name, file["sha256"]))
        lines.append("%s: %s" % (column["name"], shlex.join(column["argv"])))
    return "\n".join(lines)


def events(document):
    """Software events an operation (of bandwidths: a MiB), as the kernel counted them."""
    names = sorted({event for column in document["columns"] for run in column["runs"]
                    for record in run["rows"].values() for event in record.get("events", {})})
    lines = [["software events an operation (a MiB)", "column"] + [name.lower() for name in names]]
    for row in document["rows"]:
        for column in document["columns"]:
            for run in column["runs"][:1]:
                record = run["rows"].get(row["id"], {})
                per = record.get("event_ops", 0) / (2**20 if row["unit"] == "MB/s" else 1)
                counts = [record.get("events", {}).get(name, "unknown") for name in names]
                shown = ["%.3f" % (n / per) if isinstance(n, int) and per else "unknown"
                         for n in counts]
                lines.append([row["title"], column["name"]] + shown)
    return "\n".join(align(lines))


def main(argv):
    options = parser().parse_args(argv)
    outputs.check("", options.csv, options.plot)
    if tracing_document.is_one(options.document):
        document = tracing_document.load(options.document)
        options.json = ""
        status = tracing.show(document)
        tracing.save(document, options)
        return status
    document = doc.load(options.document)
    print(render(document))
    print()
    print(events(document))
    print()
    print(provenance(document))
    outputs.save(document, "", options.csv, options.plot)
    return EXIT_OK if document["complete"] else EXIT_FAILED
