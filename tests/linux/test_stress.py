# SPDX-License-Identifier: MIT
"""stress-ng with verification: processes, memory, signals, locks, pipes, clocks all at once."""

from . import common

SECONDS = 10
STRESSORS = ("--fork 1 --vm 1 --vm-bytes 32M --mmap 1 --mmap-bytes 16M --mprotect 1 --futex 1 "
             "--signal 1 --pipe 1 --clock 1")
TROUBLE = "WARNING|BUG|Oops|Call Trace|general protection|Bad page|lockup|detected stall"


class Stress(common.Case):
    def check(self, cpus):
        text = self.run_ok("/usr/bin/stress-ng %s --verify -t %d --temp-path /tmp 2>&1; status=$?; "
                           "dmesg | grep -E '%s' && status=99; exit $status"
                           % (STRESSORS, SECONDS, TROUBLE),
                           cpus=cpus, adds=[("/usr/bin/stress-ng", "/usr/bin/stress-ng")])
        self.assertIn("successful run completed", text)
        self.assertNotIn("fail", text)

    def test_1_cpu(self):
        self.check(1)

    def test_4_cpus(self):
        self.check(4)
