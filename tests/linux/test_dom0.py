# SPDX-License-Identifier: MIT
"""`radon dom0`: Debian 12 as domain 0, with Debian's own tools."""

import os
import subprocess
import tempfile
import unittest

from guest.machine import debroot, kernel
from guest.machine.paths import ROOT

from . import common

RADON = os.path.join(ROOT, "radon")
LIMIT_S = 400


def dom0(*arguments):
    """The limit is of the machine; how long the disk takes to be made is the network's business."""
    debroot.ensure(kernel.release(kernel.newest()))
    return subprocess.run([RADON, "dom0", "--on", common.ON, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT_S,
                          check=False)


class Dom0(unittest.TestCase):
    def test_streams_status_and_changes(self):
        done = dom0("--", "echo out; echo err >&2; . /etc/os-release; echo $VERSION_ID; "
                    "findmnt -no SOURCE,FSTYPE /; ls /kept; touch /kept; exit 9")
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertEqual(done.stdout, b"out\n12\n/dev/sda ext4\n")
        self.assertIn(b"err\n", done.stderr)
        done = dom0("--", "test", "-e", "/kept")
        self.assertEqual(done.returncode, 1, done.stderr)

    def test_disk_keeps(self):
        with tempfile.TemporaryDirectory() as directory:
            disk = os.path.join(directory, "disk")
            self.assertEqual(dom0("--disk", disk, "--", "echo kept > /kept").returncode, 0)
            done = dom0("--disk", disk, "--add", RADON + ":/bin/added", "--",
                        "cat /kept; head -n 1 /usr/bin/added; test -L /bin")
            self.assertEqual((done.returncode, done.stdout),
                             (0, b"kept\n#!/usr/bin/env python3\n"), done.stderr)

    def test_xentrace(self):
        with tempfile.TemporaryDirectory() as directory:
            trace = os.path.join(directory, "trace")
            done = dom0("--get", "/tmp/t:" + trace, "--",
                        "xentrace -D -e all -S 256 -T 3 /tmp/t & sleep 1; ls -R /etc; wait $!; "
                        "xenalyze --summary /tmp/t")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, rb"mmu_update +\[ 1\]: +\d+")
            self.assertGreater(os.path.getsize(trace), 10000)

    def test_tools_are_there(self):
        done = dom0("--", "radon --help; radon nosuch; echo $?; radon trace list | head -n 2; "
                    "babeltrace2 --version; lttng --version; perf --version; cat /sys/hypervisor/version/major")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.decode()
        self.assertRegex(text, r"(?s)commands:.*\n  trace\n(?:.*\n)?2\n.*Babeltrace 2.*lttng.*perf version "
                         r"6\.1.*\n4\n")
        self.assertIn(b"no command 'nosuch'", done.stderr)
