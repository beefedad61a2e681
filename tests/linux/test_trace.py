# SPDX-License-Identifier: MIT
"""Debian's xentrace records in domain 0; Debian's xenalyze reads it, and its sums are the file's."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from . import common

XENTRACE = "/usr/lib/xen-4.17/bin/xentrace"
MODULES = ("xen-privcmd", "xen-evtchn")
# What xenalyze says of every recording; anything else on its standard error is a complaint.
USUAL = re.compile(r"Using (VMX|SVM) hardware-assisted|(scan_for_new_pcpu|process_cpu_change): Activating|"
                   r"Creating |"
                   r"init_pcpus: through first|read_record: read returned zero|deactivate_pcpu: |"
                   r"First schedule for d\d+v\d+ doesn't take us into a running state")
# A shell's background program ignores SIGINT until it asks for it.
CATCHES_INT = "until grep -q '^SigCgt:.*[2367abef]$' /proc/$!/status; do sleep 0.1; done; "
CPU_CHANGE, RUNSTATE, HYPERCALL, SUBCALL = 0x1f003, 0x21001, 0x20100d, 0x20200e


def module(name):
    return sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/%s.ko" % name))[-1]


def count(data, number):
    """
    Records of that event in a recording: words of head, time stamp if bit 31, data.  What comes
    before a CPU's first change to running is nobody's, and xenalyze does not print it.
    """
    found = at = cpu = 0
    known = set()
    while at + 4 <= len(data):
        head = int.from_bytes(data[at:at + 4], "little")
        event, words = head & 0xfffffff, 1 + (head >> 31) * 2
        if event == CPU_CHANGE:
            cpu = data[at + 4 * words]
        elif event & ~0x3f0 == RUNSTATE and not event >> 4 & 3:
            known.add(cpu)
        found += event == number and cpu in known
        at += 4 * (words + (head >> 28 & 7))
    return found


def total(pattern, text):
    return sum(map(int, re.findall(pattern, text, re.M)))


@unittest.skipUnless(os.path.exists(XENTRACE) and shutil.which("xenalyze"),
                     "xen-utils-4.17 and xen-utils-common are not installed")
class Trace(common.Case):
    def record(self, cpus):
        loads = "".join("insmod /%s.ko; " % name for name in MODULES)
        result = self.boot(
            loads + XENTRACE + " -D -e all -S 1024 /tmp/t >&2 & " + CATCHES_INT + "sleep 1; "
            "for i in 1 2 3 4 5 6 7 8 9 10; do ls /proc >/dev/null; done; "
            "kill -INT $!; wait $!; cat /tmp/t",
            cpus=cpus, adds=[(XENTRACE, XENTRACE)] +
            [(module(name), "/%s.ko" % name) for name in MODULES])
        self.assertEqual((result.reason, result.status), ("", 0), result.stderr)
        return result.stdout

    def check(self, cpus):
        data = self.record(cpus)
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            done = subprocess.run(["xenalyze", "--summary", file.name], capture_output=True,
                                  text=True, check=True)
        self.assertEqual([line for line in done.stderr.splitlines() if not USUAL.match(line)], [])
        calls, subcalls = count(data, HYPERCALL), count(data, SUBCALL)
        self.assertGreater(calls, 1000)
        # xenalyze's "hypercall" has the entries of multicalls in it.
        self.assertEqual(total(r"^  hypercall  (\d+)", done.stdout), calls + subcalls)
        self.assertEqual(total(r"^  hypercall \(subcall\)  (\d+)", done.stdout), subcalls)

    def test_1_cpu(self):
        self.check(1)

    def test_3_cpus(self):
        self.check(3)
