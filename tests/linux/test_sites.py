# SPDX-License-Identifier: MIT
"""The sampled tables of hot sites find what is hot; exact ones say how hot."""

import glob
import os
import re
import unittest

from guest.machine.paths import BUILD, ROOT

from . import common

LIBRARY = os.path.join(BUILD, "tracing", "libradon_xen.a")


@unittest.skipUnless(common.ON == "radon", "Radon's own call")
class Sites(common.Case):
    def test_sampling_finds_each_hundredth(self):
        """A site of 1 % of a second or more, as the exact table has it, is in the sampled one, about right."""
        program = common.compile_program("sites", "-I" + ROOT, "-I" + os.path.join(ROOT, "hv/include"),
                                         libraries=(LIBRARY,))
        module = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/xen-privcmd.ko"))[-1]
        text = self.run_ok("insmod /xen-privcmd.ko; /sites", clock="instr",
                           adds=[(program, "/sites"), (module, "/xen-privcmd.ko")])
        hot, missed = re.search(r"^hot (\d+) missed (\d+)$", text, re.M).groups()
        self.assertGreater(int(hot), 8, text)
        self.assertEqual(int(missed), 0, text)
        for line in text.splitlines()[:-1]:
            exact, sampled = map(float, re.search(r"exact ([\d.]+) sampled ([\d.]+)", line).groups())
            self.assertGreater(sampled, exact / 4, line)
            self.assertLess(sampled, exact * 4, line)
