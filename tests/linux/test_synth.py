# SPDX-License-Identifier: MIT
"""Handlers made of what the hypervisor recorded of Debian's kernel, compared with that kernel (shadow) and
then answering for it: none may differ, and most calls must come to be handled (synth_calls.c)."""

import glob
import json
import os
import unittest

from guest.machine import build, tools
from guest.machine.paths import BUILD, ROOT

from . import common

LIBRARY = os.path.join(BUILD, "tracing", "libradon_xen.a")
LEAST = 18  # of the 23 calls
SCRIPT = """insmod /xen-privcmd.ko; mkdir /caps
/synth_calls record /caps > /names || exit 1
for n in $(cat /names); do
    radon-synth /caps/$n.cap --one-vcpu --name $n -o /caps/$n.o > /dev/null 2> /caps/$n.why || {
        echo "refused $n: $(head -1 /caps/$n.why)"; continue; }
    radon-handler load /caps/$n.o --agreements 20 > /dev/null || echo "not loaded $n"
done
/synth_calls make 60; /synth_calls make 100
radon-handler list --json"""


@unittest.skipUnless(common.ON == "radon", "Radon's own call")
class Synth(common.Case):
    def test_debian_calls(self):
        build.build_tree()
        program = common.compile_program("synth_calls", "-I" + ROOT,
                                         "-I" + os.path.join(ROOT, "hv/include"),
                                         libraries=(LIBRARY,))
        module = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/xen-privcmd.ko"))[-1]
        adds = [(program, "/synth_calls"), (module, "/xen-privcmd.ko")]
        adds += [(tools.program(name), "/usr/bin/radon-" + name) for name in ("synth", "handler")]
        text = self.run_ok(SCRIPT, clock="instr", adds=adds)
        notes, listed = text[:text.index("{")], text[text.index("{"):]
        rows = json.loads(listed)["rows"]
        working = [row for row in rows if row["state"] == "active" and row["hits"] > 50]
        self.assertEqual([row for row in rows if row["disagreed"]], [], text)
        self.assertNotIn("not loaded", notes)
        self.assertGreaterEqual(len(working), LEAST, text)
