# SPDX-License-Identifier: MIT
"""`radon bench report`: the table, CSV and plot of a recorded document."""

import shlex

from guest.machine.errors import EXIT_FAILED, EXIT_OK
from guest.machine.options import Parser

from . import document as doc, outputs
from .table import render


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


def main(argv):
    options = parser().parse_args(argv)
    outputs.check("", options.csv, options.plot)
    document = doc.load(options.document)
    print(render(document))
    print()
    print(provenance(document))
    outputs.save(document, "", options.csv, options.plot)
    return EXIT_OK if document["complete"] else EXIT_FAILED
