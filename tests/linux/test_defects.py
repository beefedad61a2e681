# SPDX-License-Identifier: MIT
"""Defects of the hypervisor, provoked by keys of its debug console: a report that names functions,
and the end of `radon run`. How domain 0 ends, and the NMI, which is no defect but domain 0's."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

from guest.machine import image
from guest.machine.paths import ROOT

from . import common
from .raw import LIMIT_S, TO_HYPERVISOR, Live, RawCase, read_until
RADON = os.path.join(ROOT, "radon")


class Keys(unittest.TestCase):
    def setUp(self):
        if common.ON != "radon":
            self.skipTest("of Radon's own debug console")
        common.prepare("radon")

    def press(self, key, *options):
        """Boots a shell by `radon run -i`, presses a key; (exit status, the console)."""
        with tempfile.TemporaryDirectory(prefix="radon-") as directory:
            log = os.path.join(directory, "log")
            with subprocess.Popen([sys.executable, RADON, "run", "-i", "--log", log, *options],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, bufsize=0) as process:
                try:
                    seen = read_until(process.stdout, b"/ # ", LIMIT_S)
                    self.assertIn(b"/ # ", seen)
                    process.stdin.write(TO_HYPERVISOR + key)
                    read_until(process.stdout, b"radon stops ***", LIMIT_S)
                    status = process.wait(LIMIT_S)
                finally:
                    if process.poll() is None:
                        process.kill()
            with open(log, encoding="utf-8", errors="replace") as file:
                return status, file.read()

    def report(self, key, title, functions, *options):
        status, console = self.press(key, *options)
        self.assertEqual(status, 1, console[-2000:])
        self.assertEqual(console.count("*** DEFECT:"), 1, "one report:\n" + console[-4000:])
        self.assertRegex(console, title)
        names = re.findall(r"^\(radon\)     (\w+)[.\w]*\+0x[0-9a-f]+\r?$", console, re.M)
        self.assertEqual([name for name in functions if name not in names], [], console[-3000:])

    def test_page_fault(self):
        self.report(b"%", r"DEFECT: exception 14 \(error code 0002, cr2 [0-9a-f]{16}\) in the hyp",
                    ["key_page_fault", "irq_dispatch"])

    def test_watchdog(self):
        self.report(b"@", r"DEFECT: watchdog on CPU 0", ["key_hang"],
                    "--cpus", "2", "--hv-cmdline", "watchdog")

    def test_stack_overflow(self):
        self.report(b"^", r"DEFECT: double fault on CPU 0", ["use_stack"])

    def test_panic(self):
        status, console = self.press(b"!")
        self.assertEqual(status, 1)
        self.assertEqual(console.count("*** panic: asked for by the debug console ***"), 1)


class Nmi(RawCase):
    """One from outside goes to domain 0, whose kernel tells of it and lives on."""

    def test_nmi(self):
        script = "echo is ready > /dev/kmsg; sleep 3; echo lives on > /dev/kmsg"
        initrd = self.file("initrd-nmi", image.build([script]))
        line = self.linux + " console=hvc0 panic=-1 ignore_loglevel"
        with Live(self.boot(modules=[line, initrd])) as live:
            live.expect("is ready")
            self.assertEqual(live.monitor("inject-nmi"), {"return": {}})
            self.assertEqual(live.end(), 0, live.console[-2000:])
        self.assertIn("lives on", live.console)
        self.assertNotIn("DEFECT", live.console)
        self.assertTrue("NMI received for unknown reason" in live.console, live.console[-1000:])


class Domain0Ends(common.Case):
    """Before its command did: `radon run` says so, and fails, soon."""

    LIMIT_S = 90

    def ends(self, reason, command="sleep 100", **settings):
        result = self.boot(command, timeout=self.LIMIT_S, **settings)
        self.assertEqual(result.status, 1, result.tail())
        self.assertRegex(result.reason, reason)
        self.assertNotIn("\n", result.reason)

    def test_init_dies(self):
        self.ends("Kernel panic - not syncing: Attempted to kill init", cmdline="rdinit=/bin/false")

    def test_no_init(self):
        self.ends("Kernel panic - not syncing: VFS: Unable to mount root fs",
                  cmdline="rdinit=/nothing")

    def test_power_off(self):
        self.ends("the machine stopped before the command ended", "poweroff -f; sleep 100")

    def test_halt(self):
        self.ends("stopped the machine", "halt -f; sleep 100")
