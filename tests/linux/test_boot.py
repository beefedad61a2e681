# SPDX-License-Identifier: MIT
"""Debian's kernel boots on 1, 2 and 4 CPUs and finds nothing to complain about that it does not also
find on Xen, on the same machine. In instruction time: the load of the host leaves no trace in dmesg."""

import functools
import unittest

from guest.machine.machine import Spec, run_machine

from . import common

COMMAND = "nproc; dmesg -r"


@functools.lru_cache(None)
def peer_texts(cpus):
    """What the kernel prints on Xen."""
    common.prepare(common.PEER)
    result = run_machine(Spec(on=common.PEER, command=[COMMAND], cpus=cpus, clock="instr"))
    if result.reason:
        raise RuntimeError("the peer: " + result.reason)
    return common.texts(result.stdout.decode(errors="replace"))


class Boot(common.Case):
    def check(self, cpus):
        text = self.run_ok(COMMAND, cpus=cpus, clock="instr")
        count, _, dmesg = text.partition("\n")
        self.assertEqual(int(count), cpus)
        self.assertTrue("Booting kernel on Xen" in dmesg, "not a guest of this kind")
        self.assertEqual(common.complaints(dmesg, peer_texts(cpus)), [])

    def test_1_cpu(self):
        self.check(1)

    def test_2_cpus(self):
        self.check(2)

    def test_4_cpus(self):
        self.check(4)

    def check_every_cpu_feature(self, cpus):
        """-cpu max: with SMAP, FSGSBASE, XSAVE, UMIP and more, which QEMU's default lacks."""
        if common.ON == "xen":
            self.skipTest("Xen 4.17 crashes domain 0 on QEMU's -cpu max")
        settings = {"cpus": cpus, "cpu": "max"}  # native Linux starts no second CPU under -icount
        native = self.run_ok(COMMAND, on="native", **settings)
        text = self.run_ok(COMMAND, **settings)
        allowed = peer_texts(cpus) | common.texts(native)
        self.assertEqual(common.complaints(text.partition("\n")[2], allowed), [])

    def test_every_cpu_feature_1_cpu(self):
        self.check_every_cpu_feature(1)

    def test_every_cpu_feature_2_cpus(self):
        self.check_every_cpu_feature(2)

    def test_4_gib(self):
        text = self.run_ok("grep MemTotal /proc/meminfo; dd if=/dev/zero of=/dev/shm/big "
                           "bs=1M count=600 2>/dev/null; wc -c < /dev/shm/big", memory=4096, dom0_memory=3072)
        self.assertGreater(int(text.split()[1]), 2800 * 1024)
        self.assertEqual(text.split()[-1], str(600 << 20))

    def test_instruction_time_repeats(self):
        outputs = [self.run_ok("cat /proc/uptime; dmesg", clock="instr") for _ in range(2)]
        self.assertTrue(outputs[0] == outputs[1], self.first_difference(*outputs))

    @staticmethod
    def first_difference(one, other):
        pairs = zip(one.splitlines(), other.splitlines())
        return next((pair for pair in pairs if pair[0] != pair[1]), "one is longer")


class Judge(unittest.TestCase):
    """The judge of dmesg is not blind."""

    def test_complaints(self):
        good = "<6>[    0.1] Linux version 6.1\n<4>[    0.2] mtrr 12 odd\n"
        allowed = common.texts("<4>[   17.2] mtrr 99 odd\n")
        self.assertEqual(common.complaints(good, allowed), [])
        for bad in ("<4>[ 1.0] new warning", "<6>[ 1.0] WARNING: CPU: 0", "<1>[ 2.0] BUG: oh",
                    "<6>[ 1.0] Call Trace:"):
            self.assertEqual(common.complaints(good + bad, allowed), [bad])
