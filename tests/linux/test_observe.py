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

    def test_stat(self):
        done = radon("stat", "--csv", "-o", self.file("s"), "--", COMMAND)
        self.assertEqual((done.returncode, done.stdout), (5, "said\n"), done.stderr)
        with open(self.file("s"), encoding="utf-8") as file:
            counts = {row["event"]: int(row["count"]) for row in csv.DictReader(file)
                      if row["level"] == "event"}
        for name in ("syscall:read", "syscall:write"):
            self.assertGreaterEqual(counts[name], CALLS, counts)
            self.assertLess(counts[name], CALLS + 500, counts)
