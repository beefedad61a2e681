# SPDX-License-Identifier: MIT
"""The write to an own copy-on-write page, by a handler that radon-prof found, had made and compared by
itself: the daemon runs beside a program that does nothing else and checks what it and the kernel see of
its memory (cow_faults.c)."""

import glob
import json
import os
import re
import unittest

from guest.machine import build, tools
from guest.machine.paths import BUILD, ROOT

from . import common

LIBRARY = os.path.join(BUILD, "tracing", "libradon_xen.a")
# The policy is the daemon's own: a handler that is no faster than the kernel goes.
SCRIPT = """insmod /xen-privcmd.ko
radon-prof > /prof.log 2>&1 & prof=$!
/cow_faults loop 1500 || exit 1
/cow_faults shared 20 || exit 1
/cow_faults loop 21 || exit 1
kill $prof; wait $prof
radon-handler list --json"""


@unittest.skipUnless(common.ON == "radon", "Radon's own call")
class Faults(common.Case):
    def test_own_copy_on_write_page(self):
        build.build_tree()
        program = common.compile_program("cow_faults", "-I" + ROOT,
                                         "-I" + os.path.join(ROOT, "hv/include"),
                                         libraries=(LIBRARY,))
        module = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/xen-privcmd.ko"))[-1]
        adds = [(program, "/cow_faults"), (module, "/xen-privcmd.ko")]
        adds += [(tools.program(name), "/usr/bin/radon-" + name) for name in ("prof", "handler")]
        text = self.run_ok(SCRIPT, clock="instr", adds=adds)
        rows = [row for row in json.loads(text[text.index("{"):])["rows"]
                if row["point"].startswith("page_fault:")]
        self.assertEqual([row for row in rows if row["disagreed"]], [], text)
        self.assertEqual([row["state"] for row in rows], ["active"], text)
        self.assertGreater(rows[0]["hits"], 10000, text)
        self.assertGreater(rows[0]["passes"], 1000, text)  # of the shared pages, at least
        first, last = re.search(r"(\d+) ns each at first, (\d+) at last", text).groups()
        self.assertLess(int(last), int(first), text)
