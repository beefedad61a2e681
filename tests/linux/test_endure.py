# SPDX-License-Identifier: MIT
"""Fast handlers that radon-prof made answer while everything is in motion (endure.c, stress-ng): every
answer is right, and what the hypervisor compares with the guest kernel is the same.  Two CPUs, between
which tasks move; the second one goes and comes.  A slice of a minute; with RADON_TEST_LONG (radon test
--long) until 10^8 entries were handled."""

import glob
import json
import os
import unittest

from guest.machine import build
from guest.machine.paths import BUILD, ROOT

from . import common

LONG = bool(os.environ.get("RADON_TEST_LONG"))
HITS = 100000000 if LONG else 1 << 62
SECONDS = 14400 if LONG else 60
LEAST = HITS if LONG else 10000
SEED = 1
GRACE_S = 300  # the machine's start and end, on a busy host
PERIOD = 101   # runs of a handler, one of which is compared
HOTPLUG_S = 120 if LONG else 20  # the second CPU goes, or comes back
LIBRARY = os.path.join(BUILD, "tracing", "libradon_xen.a")
TOOLS = ("prof", "handler", "explain")
STRESSORS = "--fork 1 --vm 1 --vm-bytes 16M --mmap 1 --mmap-bytes 8M --futex 1 --signal 1 --pipe 1"
# All that can be handled is to be, whether it pays or not.
SCRIPT = """insmod /privcmd.ko
radon-prof --set gain_percent=0 --set min_share_ppm=100 --set retry_ms=500 & prof=$!
nice -n 15 /usr/bin/stress-ng %s -t %d --temp-path /tmp > /dev/null 2>&1 & stress=$!
/endure %d %d %d %d %d; status=$?
kill $stress $prof; wait
radon-handler list >&2; radon-handler log --csv | grep -c ',capture,' >&2
dmesg | grep -E '%s' >&2 && status=99
exit $status"""
TROUBLE = "WARNING|BUG|Oops|Call Trace|general protection|Bad page"


@unittest.skipUnless(common.ON == "radon", "Radon's own call")
class Endure(common.Case):
    def test_endure(self):
        build.build_tree()
        program = common.compile_program(
            "endure", "-I" + ROOT, "-I" + os.path.join(ROOT, "hv/include"), "-pthread",
            libraries=(os.path.join(ROOT, "tests/linux/endure_calls.c"), LIBRARY))
        module = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/xen-privcmd.ko"))[-1]
        adds = [(program, "/endure"), (module, "/privcmd.ko"),
                ("/usr/bin/stress-ng", "/usr/bin/stress-ng")]
        adds += [(os.path.join(BUILD, "fastpath", "radon-" + name), "/bin/radon-" + name)
                 for name in TOOLS]
        script = SCRIPT % (STRESSORS, SECONDS, HITS, SECONDS, PERIOD, HOTPLUG_S, SEED, TROUBLE)
        result = self.boot(script, cpus=2, adds=adds, clock="tcg", timeout=SECONDS + GRACE_S)
        said = result.stderr.decode(errors="replace")
        self.assertEqual((result.reason, result.status), ("", 0), said + result.tail())
        found = json.loads(result.stdout)
        print("endure: %s" % json.dumps(found), flush=True)
        self.assertEqual(found["disagreed"], 0, said)
        self.assertGreaterEqual(found["handled"], LEAST, said)
        self.assertGreater(found["compared"], found["handled"] / PERIOD / 4, said)
        # Everything did happen.
        self.assertGreaterEqual(found["hotplugs"], 2, said)
        self.assertGreaterEqual(found["active_with_two_vcpus"], 3, said)
        for what in ("retired_vcpus", "orphans"):
            self.assertGreater(found[what], 0, said)
        for what in ("migrations", "signals"):
            self.assertGreater(found[what], 100, said)


if __name__ == "__main__":
    unittest.main()
