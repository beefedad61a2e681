# SPDX-License-Identifier: MIT
"""Millions of records in Radon's own rings: none lost while a reader follows, else all counted."""

import glob
import os
import re
import unittest

from guest.machine.paths import BUILD, ROOT

from . import common

LIBRARY = os.path.join(BUILD, "tracing", "libradon_xen.a")


@unittest.skipUnless(common.ON == "radon", "Radon's own call")
class TraceRings(common.Case):
    def numbers(self, how, calls, **settings):
        """{word: number} of what trace_rings found."""
        program = common.compile_program(
            "trace_rings", "-I" + ROOT, "-I" + os.path.join(ROOT, "hv/include"), libraries=(LIBRARY,))
        adds = [(program, "/trace_rings")]
        for name in ("xen-privcmd", "xen-evtchn"):
            path = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/%s.ko" % name))[-1]
            adds.append((path, path))
        text = self.run_ok("/trace_rings %s %d" % (how, calls), clock="instr", adds=adds, **settings)
        return {word: int(number) for word, number in re.findall(r"^(\w+) (\d+)$", text, re.M)}

    def test_ten_millions_and_none_lost(self):
        got = self.numbers("keep-up", 3400000, timeout=400)
        self.assertGreater(got["records"], 10 * 1000 * 1000)
        self.assertEqual((got["lost"], got["lost_full"], got["bad"]), (0, 0, 0), got)
        self.assertEqual(got["calls"], 3400000)
        self.assertEqual(got["records"], got["written"])
        self.assertGreater(got["per_second"], 2 * 1000 * 1000, got)

    def test_three_processors(self):
        """In wall time: on a busy host the reader may fall behind, and then each loss is counted."""
        got = self.numbers("keep-up", 300000, cpus=3, timeout=400)
        self.assertEqual((got["lost"], got["bad"]), (got["lost_full"], 0), got)
        self.assertEqual(got["records"], got["written"])
        if not got["lost"]:
            self.assertEqual(got["calls"], 300000)

    def test_stopped_reader(self):
        """What the ring had no room for is counted to the record, and said in the stream."""
        got = self.numbers("stopped", 100000)
        self.assertGreater(got["lost_full"], 200000)
        self.assertEqual(got["lost"], got["lost_full"], got)
        self.assertEqual(got["records"], got["written"], got)
        self.assertGreater(got["records"] + got["lost"], 300000)
        self.assertEqual(got["bad"], 0)

    def test_dead_reader(self):
        got = self.numbers("dead", 100000)
        self.assertEqual((got["calls"], got["lost"], got["bad"]), (100000, 0, 0), got)
