# SPDX-License-Identifier: MIT
"""The commands of the host that boot a machine, observe a command in it and bring back what was seen."""

import csv
import os
import subprocess
import tempfile
import unittest

from guest.machine.paths import ROOT

from . import common

RADON = os.path.join(ROOT, "radon")
LIMIT_S = 400
CALLS = 3000
COMMAND = "dd if=/dev/zero of=/dev/null bs=1 count=%d 2>/dev/null; echo said; exit 5" % CALLS


def radon(*arguments):
    return subprocess.run([RADON, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=LIMIT_S, check=False, text=True)


@unittest.skipUnless(common.ON == "radon", "of what Radon alone has")
class Observe(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def file(self, name):
        return os.path.join(self.directory, name)

    def counts(self, recording):
        """Of a recording, as the tool on this host sees it: event -> count."""
        done = radon("trace", "report", "--csv", recording)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {row["event"]: int(row["count"]) for row in csv.DictReader(done.stdout.splitlines())
                if not row["domain"]}

    def test_run_with_a_trace(self):
        done = radon("run", "--trace", self.file("t"), "-e", "bounce:syscall,trap:page_fault", "--",
                     COMMAND)
        self.assertEqual((done.returncode, done.stdout), (5, "said\n"), done.stderr)
        counts = self.counts(self.file("t"))
        self.assertGreaterEqual(counts["bounce:syscall"], 2 * CALLS, counts)
        self.assertLess(counts["bounce:syscall"], 2 * CALLS + 1000, counts)
        self.assertGreater(counts["trap:page_fault"], 10, counts)
        self.assertNotIn("hypercall:mmu_update", counts)

    def test_trace_record(self):
        done = radon("trace", "record", "-o", self.file("t"), "-e", "hypercall:*", "--", "true")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        counts = self.counts(self.file("t"))
        self.assertGreater(counts["hypercall:mmu_update"], 100, counts)
        self.assertNotIn("bounce:syscall", counts)

    def test_wrong_events_are_refused(self):
        done = radon("run", "--trace", self.file("t"), "-e", "nosuch:event", "--", "true")
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.assertIn("nosuch:event", done.stderr)

    def test_profile(self):
        done = radon("profile", "--hz", "1999", "-o", self.file("p"), "--flame", self.file("p.svg"),
                     "--", "dd if=/dev/zero of=/dev/null bs=1 count=60000 2>/dev/null; exit 0")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("vfs_read", "entry_syscall", r"\[busybox\]"):
            self.assertRegex(done.stdout, name)
        again = radon("profile", "report", self.file("p"))
        self.assertEqual((again.returncode, again.stdout), (0, done.stdout))
        with open(self.file("p.svg"), encoding="utf-8") as file:
            self.assertIn("vfs_read", file.read())

    def test_profile_of_a_command_that_fails(self):
        done = radon("profile", "-o", self.file("p"), "--", "exit 7")
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertTrue(os.path.exists(self.file("p")))

    def test_fast(self):
        program = common.compile_program("calls")
        done = radon("run", "--clock", "instr", "--fast", "--add", program + ":/calls", "--",
                     "/calls 4000000; exit 3")
        self.assertEqual((done.returncode, done.stdout), (3, "4000000 right\n"), done.stderr)
        self.assertRegex(done.stderr, r"syscall:getppid +active")

    def test_fast_beside_a_short_command(self):
        done = radon("run", "--fast", "--", "exit 4")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (4, "", "no handlers\n"))

    def test_stat(self):
        done = radon("stat", "--csv", "-o", self.file("s"), "--", COMMAND)
        self.assertEqual((done.returncode, done.stdout), (5, "said\n"), done.stderr)
        with open(self.file("s"), encoding="utf-8") as file:
            counts = {row["event"]: int(row["count"]) for row in csv.DictReader(file)
                      if row["level"] == "event"}
        for name in ("syscall:read", "syscall:write"):
            self.assertGreaterEqual(counts[name], CALLS, counts)
            self.assertLess(counts[name], CALLS + 500, counts)
