# SPDX-License-Identifier: MIT
"""A machine's random numbers are seeded before its rows are measured, and it matters."""

import unittest

from bench import measure, programs
from guest.machine import build
from guest.machine.machine import Spec, run_machine

COMMAND = ("for prepare in '' --prepare; do %srbench $prepare --json --rows create_0k --samples 3 "
           "--no-events || exit; done" % programs.INSIDE)


class Seed(unittest.TestCase):
    def test_prepare_seeds(self):
        build.prepare("native")
        result = run_machine(Spec(on="native", clock="instr", timeout=300,
                                  command=["/bin/sh", "-c", COMMAND],
                                  adds=[(programs.RBENCH, programs.INSIDE + "rbench")]))
        self.assertEqual((result.reason, result.command_status), ("", 0), result.tail())
        lines = result.stdout.decode().splitlines()
        self.assertEqual(len(lines), 4, lines)
        runs = [measure.parse_output("\n".join(lines[at:at + 2])) for at in (0, 2)]
        self.assertEqual([environment["random_numbers"] for environment, _ in runs],
                         ["not seeded", "seeded"])
        before, after = (min(records["create_0k"]["ns"]) for _, records in runs)
        self.assertLess(after, 0.8 * before)


if __name__ == "__main__":
    unittest.main()
