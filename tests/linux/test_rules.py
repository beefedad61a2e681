# SPDX-License-Identifier: MIT
"""Nothing that observes the guest kernel may miss a system call because a handler answers for it (rules 7
to 10 and 17): rules.c, taskrules.c, with radon-prof at work beside them."""

import glob
import json
import os
import re
import unittest

from guest.machine import build, kernel, kernels
from guest.machine.paths import BUILD, ROOT

from . import common

HELPERS = (os.path.join(ROOT, "tests", "linux", "handled.c"),
           os.path.join(BUILD, "tracing", "libradon_xen.a"))
PARTS = os.path.join(ROOT, "tests", "linux", "%s_*.c")
# Soon, and without judgement of what passes or costs: that is what is tried here.
POLICY = {"tick_ms": 20, "idle_ms": 50, "occurrences": 4, "capture_ms": 100, "agreements": 16, "again_ms": 10,
          "gain_percent": 0,
          "failures": 100, "retry_ms": 10, "pass_percent": 100, "hit_percent": 0}
# What the programs ask the hypervisor is an ioctl, and no candidate.
DAEMON = "radon-prof %s --set exclude=syscall:ioctl >/prof.out 2>&1 & prof=$!; sleep 0.3; " % " ".join(
    "--set %s=%d" % item for item in POLICY.items())


def program(name):
    return common.compile_program(name, "-pthread", "-I" + ROOT, "-I" + os.path.join(ROOT, "hv/include"),
                                  libraries=HELPERS + tuple(glob.glob(PARTS % name)))


@unittest.skipUnless(common.ON == "radon", "Radon's own call")
class Guest(common.Case):
    """Boots with the tools, programs of this folder, and modules of the kernel that is booted."""

    @classmethod
    def setUpClass(cls):
        build.build_tree()

    def guest(self, names, script, **settings):
        booted = settings.get("kernel") or kernel.newest()
        adds = [(os.path.join(BUILD, "fastpath", "radon-" + name), "/bin/radon-" + name)
                for name in ("prof", "handler")]
        adds += [(kernels.module(booted, name), "/%s.ko" % name) for name in ("xen-privcmd", "dummy")]
        adds += [(program(name), "/" + name) for name in names]
        return self.run_ok("insmod /xen-privcmd.ko; " + script, adds=adds, clock="instr", **settings)


class Rules(Guest):
    def reasons(self, log):
        """{handler: reason} of what the hypervisor retired, as the daemon's log has it."""
        return {row["handler"]: row["reason"] for row in json.loads(log)["rows"]
                if row["what"] == "retire" and row["by"] == "hypervisor"}

    def test_observers(self):
        text = self.guest(["rules"], "/rules plain || exit; echo ---; " + DAEMON +
                          "/rules /dummy.ko || exit; echo ---; radon-handler log --json; kill $prof",
                          timeout=300)
        plain, said, log = text.split("---\n")
        self.assertEqual((len(plain.splitlines()), len(said.splitlines())), (12, 14), text)
        reasons = self.reasons(log)
        retired = [int(word) for word in re.findall(r"handler (\d+) retired", said)]
        self.assertGreaterEqual(len(retired), 6, said)
        for handler in retired:
            self.assertEqual(reasons.get(handler), "TEXT_CHANGED", said + log)
        self.assertNotIn("DISAGREED", reasons.values())

    def test_tasks(self):
        said = self.guest(["taskrules"], DAEMON + "/taskrules || exit; kill $prof")
        self.assertEqual(said, "strace: 600 stops\nsingle step: 300 stops\nseccomp: 300 refused\n"
                               "seccomp of a thread: 300 refused\ndispatch: 300 signals\n"
                               "audit: 300 records\n")


if __name__ == "__main__":
    unittest.main()
