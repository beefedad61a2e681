# SPDX-License-Identifier: MIT
"""Handlers answer by the guest's state as it is: whatever changes, the next answer is right (state.c); with
radon-prof at work beside it, on Debian's kernel and on another that Debian 12 has."""

import re

from guest.machine import kernels

from . import common, test_rules

CASES = 16
LEAST = 12  # of 15 calls are handled while the state changes
LEAST_OTHER = 10
PATIENCE_S = 300  # 100 s on a machine of two CPUs with another test beside it


class State(test_rules.Guest):
    def states(self, least, script="", **settings):
        said = self.guest(["state"], script + test_rules.DAEMON + "/state %d || exit; kill $prof" % least,
                          timeout=PATIENCE_S, **settings)
        plain, handled = said.split("---\n") if script else ("", said)
        counts = [int(word) for word in re.findall(r": right, (\d+) handled\n", handled)]
        self.assertEqual(len(counts), CASES, said)
        self.assertGreaterEqual(min(counts), least, said)
        return plain

    def test_state(self):
        plain = self.states(LEAST, "/state 0 || exit; echo ---; ")
        self.assertEqual(plain.count(": right, 0 handled\n"), CASES, plain)

    def test_other_kernel(self):
        """One that nobody looked at: handlers are found, made, compared and used there as well."""
        try:
            other = kernels.other()
        except kernels.NoKernel as why:
            self.skipTest("no other kernel to be had: %s" % why)
        self.assertEqual(self.guest([], "uname -r", kernel=other).strip(), kernels.release_of(other))
        self.states(LEAST_OTHER, kernel=other)
