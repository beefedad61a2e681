# SPDX-License-Identifier: MIT
"""The tools of domain 0 in the small machine: what it needs beside them, and known_entries."""

import glob
import re

from guest.machine import tools
from . import common

MODULES = ("xen-privcmd", "xen-evtchn")


class ToolCase(common.Case):
    def tool(self, names, command, programs=(), **settings):
        """Boot with radon-NAME of each name and the modules, run the command; its standard output."""
        adds = [(tools.program(name), "/usr/bin/radon-" + name) for name in names]
        for module in MODULES:
            path = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/%s.ko" % module))[-1]
            adds.append((path, path))  # where the tools look for it
        adds += [(common.compile_program(name), "/" + name) for name in programs]
        settings.setdefault("clock", "instr")
        return self.run_ok(command, adds=adds, **settings)


def known(text):
    """{name: (count, address or None)} of known_entries' output, and the rest of the text."""
    found = {}
    rest = []
    for line in text.splitlines():
        match = re.fullmatch(r"(page_fault|getppid|breakpoint|hypercall) (\d+)(?: (0x[0-9a-f]+))?", line)
        if match:
            found[match[1]] = (int(match[2]), match[3])
        else:
            rest.append(line)
    return found, "\n".join(rest)
