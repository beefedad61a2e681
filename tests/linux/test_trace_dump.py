# SPDX-License-Identifier: MIT
"""A panic's dump of the flight recorder, turned back into a recording; and one with lines gone."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

from guest.machine import tools

from . import common
from .raw import LIMIT_S, TO_HYPERVISOR, read_until
from .test_defects import RADON


@unittest.skipUnless(common.ON == "radon", "Radon's own call")
class TraceDump(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        common.prepare("radon")
        directory = tempfile.TemporaryDirectory(prefix="radon-")
        cls.addClassCleanup(directory.cleanup)
        cls.directory = directory.name
        cls.console = cls.provoke(os.path.join(cls.directory, "log"))

    @staticmethod
    def provoke(log):
        """Boots, turns the flight recorder on, makes some events and a panic; the console."""
        adds = ["--add", tools.program("trace") + ":/radon-trace"]
        for name in ("xen-privcmd", "xen-evtchn"):
            path = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/%s.ko" % name))[-1]
            adds += ["--add", path]
        with subprocess.Popen([sys.executable, RADON, "run", "-i", "--log", log, "--cpus", "2", *adds],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, bufsize=0) as process:
            try:
                read_until(process.stdout, b"/ # ", LIMIT_S)
                process.stdin.write(b"/radon-trace snapshot start --pages 8 --dump-on-panic; ls -l /dev; "
                                    b"/radon-trace snapshot status; echo it is $((6 * 7))\n")
                seen = read_until(process.stdout, b"it is 42", LIMIT_S)
                if not re.search(rb"flight recorder  on", seen):
                    raise AssertionError(seen.decode(errors="replace"))
                process.stdin.write(TO_HYPERVISOR + b"!")
                read_until(process.stdout, b"radon stops ***", LIMIT_S)
                process.wait(LIMIT_S)
            finally:
                if process.poll() is None:
                    process.kill()
        with open(log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def recording(self, console):
        """(exit status, standard error, path) of radon-trace console."""
        log, out = os.path.join(self.directory, "copy"), os.path.join(self.directory, "out")
        with open(log, "w", encoding="utf-8") as file:
            file.write(console)
        done = subprocess.run([tools.program("trace"), "console", log, "-o", out], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stderr, out

    def dump(self, recording):
        return subprocess.run([tools.program("trace"), "dump", recording], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout.splitlines()

    def test_whole(self):
        self.assertEqual(self.console.count("trace-dump begin"), 1, self.console[-2000:])
        ends = dict(re.findall(r"trace-dump cpu (\d+) end (\d+)", self.console))
        self.assertEqual(set(ends), {"0", "1"})
        self.assertGreater(max(map(int, ends.values())), 8192)
        status, errors, out = self.recording(self.console)
        self.assertEqual((status, errors), (0, ""))
        lines = self.dump(out)
        self.assertGreater(len(lines), 300)
        times, last = {}, {}
        for line in lines:
            time, cpu = re.match(r" *(\d+) cpu(\d+)", line).groups()
            self.assertGreaterEqual(int(time), times.get(cpu, 0), line)
            times[cpu], last[cpu] = int(time), line
        # The key comes by an interrupt, CPU 0's: the panic is in its handler. CPU 1 went on meanwhile.
        self.assertIn("interrupt:enter", last["0"])

    def test_lines_are_missing(self):
        lines = self.console.splitlines(keepends=True)
        at = [i for i, line in enumerate(lines) if re.search(r"trace-dump cpu 0 offset", line)]
        del lines[at[len(at) // 2]]
        status, errors, out = self.recording("".join(lines))
        self.assertEqual(status, 5)
        self.assertIn("CPU 0", errors)
        self.assertGreater(len(self.dump(out)), 50)

    def test_garbled(self):
        status, errors, _ = self.recording(re.sub(r"(trace-dump cpu 1 offset 48 .{9}).", r"\1!",
                                                  self.console))
        self.assertEqual((status, "garbled" in errors), (5, True), errors)

    def test_none(self):
        status, errors, _ = self.recording(self.console.split("trace-dump")[0])
        self.assertEqual(status, 1)
        self.assertIn("no dump", errors)
