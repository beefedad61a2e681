# SPDX-License-Identifier: MIT
"""The tools of domain 0 in the small machine: what it needs beside them, and known_entries."""

import glob
import re

from guest.machine import tools
from . import common

MODULES = ("xen-privcmd", "xen-evtchn")


class ToolCase(common.Case):
    def boot_tools(self, names, command, programs=(), more=(), **settings):
        """Boot with radon-NAME of each name, the modules, programs of this folder and files of the host."""
        adds = [(tools.program(name), "/usr/bin/radon-" + name) for name in names]
        for module in MODULES:
            path = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/%s.ko" % module))[-1]
            adds.append((path, path))  # where the tools look for it
        adds += settings.pop("more_adds", [])
        adds += [(common.compile_program(name), "/" + name) for name in programs]
        adds += [(path, path) for path in more]
        settings.setdefault("clock", "instr")
        return self.boot(command, adds=adds, **settings)

    def tool(self, *arguments, **settings):
        """The same; its standard output, status 0 is demanded."""
        result = self.boot_tools(*arguments, **settings)
        self.assertEqual(result.reason, "", result.tail())
        self.assertEqual(result.status, 0, result.stdout + result.stderr)
        return result.stdout.decode(errors="replace")


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
