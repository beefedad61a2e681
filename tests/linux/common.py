# SPDX-License-Identifier: MIT
"""What the tests with Debian's kernel share: running a command as domain 0 and judging dmesg.

RADON_TEST_ON names the hypervisor on trial; with xen the tests themselves are.
"""

import functools
import os
import re
import subprocess
import sys
import unittest

from guest.machine import build
from guest.machine.machine import Spec, run_machine
from guest.machine.paths import BUILD, ROOT

ON = os.environ.get("RADON_TEST_ON", "radon")
PEER = "xen"
PROGRAMS = os.path.join(BUILD, "tests", "linux")
TIMEOUT_S = 120
WORST = re.compile(r"WARNING|BUG|Oops|Call Trace|general protection|Bad page|lockup|hung_task|"
                   r"soft lockup|rcu.*stall|Kernel panic")
# A host that is busy for a moment leaves these in wall time.
HOST_LOAD = re.compile(r"hrtimer: interrupt took|PM-Timer failed|clocksource: ")
WARNING_LEVEL = 4  # KERN_WARNING; lower is worse


@functools.lru_cache(None)
def prepare(on):
    build.prepare(on)


def compile_program(name, *flags, libraries=()):
    """tests/linux/NAME.c as a static program; its path."""
    os.makedirs(PROGRAMS, exist_ok=True)
    target = os.path.join(PROGRAMS, name)
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", *flags, "-o", target,
                    os.path.join(ROOT, "tests", "linux", name + ".c"), *libraries], check=True)
    return target


class Case(unittest.TestCase):
    """run() boots, runs, and demands a machine that ended as it should."""

    def boot(self, command, on=ON, **settings):
        """The Result, whatever it is. command: a line for the shell."""
        prepare(on)
        settings.setdefault("timeout", TIMEOUT_S)
        result = run_machine(Spec(on=on, command=[command], **settings))
        if result.state:  # it hung, and may not do so again
            print("%s\n%s\n%s" % (result.reason, result.tail(), result.state), file=sys.stderr)
        return result

    def run_ok(self, command, **settings):
        """Its standard output as text; status 0 is demanded."""
        result = self.boot(command, **settings)
        self.assertEqual(result.reason, "", result.tail())
        self.assertEqual(result.status, 0, result.stdout + result.stderr)
        return result.stdout.decode(errors="replace")


def normal(line):
    """A line of `dmesg -r` without level, time and numbers; and its level."""
    found = re.match(r"<(\d+)>\[ *[\d.]+\] ?(.*)", line)
    level, text = (int(found[1]) & 7, found[2]) if found else (WARNING_LEVEL, line)
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", "#", text), level


def complaints(dmesg, allowed):
    """Lines of warning level or worse, or that name trouble, which are not among the allowed."""
    found = []
    for line in dmesg.splitlines():
        text, level = normal(line)
        if HOST_LOAD.search(text) or text in allowed:
            continue
        if level <= WARNING_LEVEL or WORST.search(text):
            found.append(line)
    return found


def texts(dmesg):
    return {normal(line)[0] for line in dmesg.splitlines()}
