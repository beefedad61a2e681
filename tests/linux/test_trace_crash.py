# SPDX-License-Identifier: MIT
"""What the flight recorder has when a domain dies while another of its vCPUs goes on (tests/guest/crash-record)."""

import os
import re
import subprocess
import unittest

from guest.machine import machine, tools
from guest.machine.paths import BUILD

from . import common
from .raw import RawCase

KERNEL = os.path.join(BUILD, "tests", "guest", "crash-record.elf")
MARK = "number=39 result=-38"


@unittest.skipUnless(common.ON == "radon", "Radon's own call")
class TraceCrash(RawCase):
    def records(self, words=""):
        """{CPU: [(time, text)]} of the dump on the console, oldest first; all whole."""
        status = self.run_raw(options="dom0_max_vcpus=2", modules=["%s word %s" % (KERNEL, words)],
                              memory=256, cpus=2, clock="instr")
        self.assertEqual(status, machine.CRASH_STATUS, self.console[-2000:])
        log, out = self.file("log", self.console.encode()), os.path.join(self.directory.name, "out")
        subprocess.run([tools.program("trace"), "console", log, "-o", out], check=True)
        text = subprocess.run([tools.program("trace"), "dump", out], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        found = {0: [], 1: []}
        for line in text.splitlines():
            time, cpu, rest = re.match(r" *(\d+) cpu(\d+) +(.*)", line).groups()
            found[int(cpu)].append((int(time), rest))
        self.assertGreater(len(found[1]), 300)
        self.assertEqual("trace-dump stopped by domain 0\n" in self.console, words != "goes-on")
        return found

    def crash_address(self):
        return int(re.search(r"ktest: dies at (\w+)", self.console)[1], 16)

    def other_stands(self, found, end):
        """Before all that is printed then: a record that has begun on the other CPU may end."""
        khz = int(re.search(r"trace-dump begin 1 cpus 2 tsc_khz (\d+)", self.console)[1])
        self.assertLess(max(time for time, _ in found[1]), end + khz // 10)

    def test_a_crash_stops_it_everywhere(self):
        found = self.records()
        *_, before, (crash, last) = found[0]
        self.assertIn(MARK, before[1])
        self.assertRegex(last, r"^domain:crash +vcpu=d0v0 rip=0x%x$" % self.crash_address())
        self.other_stands(found, crash)

    def test_what_the_kernel_tells_of_stops_it_too(self):
        found = self.records("tells")
        *_, before, (end, last) = found[0]
        self.assertIn(MARK, before[1])
        self.assertRegex(last, r"^domain:shutdown +domain=0 reason=crash$")
        self.other_stands(found, end)

    def test_it_goes_on_where_it_was_not_to_stop(self):
        found = self.records("goes-on")
        *_, crash, (shutdown, last) = found[0]
        self.assertRegex(crash[1], "^domain:crash ")
        self.assertRegex(last, "^domain:shutdown +domain=0 reason=crash$")
        self.assertGreater(max(time for time, _ in found[1]), crash[0])
        self.assertLess(crash[0], shutdown)
