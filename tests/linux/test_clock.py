# SPDX-License-Identifier: MIT
"""The rate of the hypervisor's clock: the host's own under TCG, also where the host has no time."""

import os
import re
import subprocess
import sys
import unittest

from . import common, raw

BOOTS = 5
PPM = 100
SPIN = "while True: pass"


class Clock(raw.RawCase):
    def measured_khz(self, **settings):
        """What the hypervisor says; it ends soon after, as there is no kernel."""
        self.run_raw(options="loglvl=all", modules=[self.file("none", b"no kernel")], **settings)
        return int(re.search(r"TSC (\d+) kHz", self.console)[1])

    def test_instruction_time(self):
        self.assertEqual(self.measured_khz(clock="instr"), 1000000)

    def test_busy_host(self):
        """More spinning processes than processors: a reading of the PIT takes milliseconds now and then."""
        khz = int(subprocess.check_output([common.compile_program("tsc_rate")]))
        spinning = [subprocess.Popen([sys.executable, "-c", SPIN])
                    for _ in range(2 * (os.cpu_count() or 1))]
        try:
            found = [self.measured_khz() for _ in range(BOOTS)]
        finally:
            for process in spinning:
                process.kill()
                process.wait()
        for one in found:
            self.assertLess(abs(one - khz) / khz * 1e6, PPM, (found, khz))


if __name__ == "__main__":
    unittest.main()
