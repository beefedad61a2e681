# SPDX-License-Identifier: MIT
"""radon-trace export: Chrome's trace format, against what radon-trace counts.

    python3 tests/tracing/test_export.py BUILD_DIR
"""
import collections
import json
import os
import subprocess
import sys
import tempfile
import unittest

import test_babeltrace
from test_babeltrace import by_radon_trace, run

BUILD = ""
ROUNDS = 7


class Export(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="radon-export-")
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "a.bin")

    def make(self, *options):
        run(os.path.join(BUILD, "tests", "unit", "make_recording"), self.path, "--rounds", str(ROUNDS), *options)

    def export(self, *options, status=0):
        return run(os.path.join(BUILD, "tracing", "radon-trace"), "export", self.path, *options, status=status)

    def events(self, *options, status=0):
        return json.loads(self.export(*options, status=status).stdout)["traceEvents"]

    def test_counts(self):
        self.make()
        events = self.events()
        names = collections.Counter(e["name"] for e in events if e["ph"] in "Xi")
        ours = by_radon_trace(self.path)
        # Changes of runstate are intervals; the exit of the hypercall that returns is its end; a loss is instant.
        for state in ("running", "runnable", "blocked", "offline"):
            ours["runstate:" + state], names[state] = 0, 0
        ours["exit:hypercall"] -= 2 * ROUNDS
        self.assertEqual(+names, +ours)

    def test_hypercalls_and_states(self):
        self.make()
        events = self.events()
        calls = [e for e in events if e["ph"] == "X" and e["name"].startswith("hypercall:")]
        self.assertEqual(len(calls), 2 * ROUNDS)
        for call in calls:
            # Records of a CPU are 10 cycles apart, at 2 GHz.
            self.assertEqual((call["name"], call["dur"], call["pid"], call["tid"]),
                             ("hypercall:memory_op.increase_reservation", 0.005, 7, call["args"]["cpu"]))
            self.assertEqual(call["args"]["cmd"], "0x0")
        states = [e for e in events if e["ph"] == "X" and e["name"] == "running"]
        self.assertEqual(len(states), 2 * ROUNDS)
        self.assertEqual({e["tid"] for e in states}, {100000, 100001})
        named = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
        self.assertEqual((named[7, 0], named[7, 1], named[7, 100001]), ("d7v0", "d7v1", "d7v1 state"))

    def test_frequency(self):
        self.make("--no-header")
        self.assertIn("--tsc-hz", self.export(status=1).stderr)
        call = next(e for e in self.events("--tsc-hz", "1000000000") if e["ph"] == "X" and
                    e["name"].startswith("hypercall:"))
        self.assertEqual(call["dur"], 0.01)

    def test_damaged(self):
        self.make()
        with open(self.path, "rb") as file:
            data = file.read()
        with open(self.path, "wb") as file:
            file.write(data[:len(data) // 2 + 1])
        self.assertGreater(len(self.events(status=5)), 100)


if __name__ == "__main__":
    BUILD = test_babeltrace.BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
