# SPDX-License-Identifier: MIT
"""Recordings in a Debian domain 0's own babeltrace2 and LTTng: every record arrives, at its time."""

import re
import unittest

from . import common
from .test_dom0 import dom0

WORK = "ls -lR /usr/share/doc > /dev/null"

# One recording, counted four ways.
CONVERT = """
radon trace record -o /tmp/t -- sh -c '%s'
radon trace dump /tmp/t | wc -l
babeltrace2 /tmp/t | wc -l
babeltrace2 /tmp/t -o ctf -w /tmp/ctf > /dev/null
babeltrace2 /tmp/ctf | wc -l
radon trace report --csv /tmp/t | awk -F, '$1 == "" { n += $4 } END { print n }'
""" % WORK

# A live stream to LTTng, with a copy of it: what both count, then how far each event's two times differ.
RELAY = """
export LTTNG_HOME=/tmp
{ lttng-sessiond --daemonize --no-kernel
lttng create s --output /tmp/out
lttng enable-channel -u c --subbuf-size 8M --num-subbuf 8
lttng enable-event -u -c c 'radon:*'
lttng start; } > /dev/null
mkfifo /tmp/fifo
radon relay /tmp/fifo &
exec 3> /tmp/fifo
radon trace record -o - -- sh -c '%s' | tee /tmp/t >&3
exec 3>&-
wait %%1
lttng destroy > /dev/null
babeltrace2 /tmp/out | wc -l
radon trace dump /tmp/t | wc -l
time_of() { babeltrace2 --clock-seconds "$1" | sed -n 's/^.\\([0-9.]*\\).*bounce.syscall.*/\\1/p' | sed -n "$2p"; }
time_of /tmp/out 100
time_of /tmp/t 100
""" % WORK


@unittest.skipIf(common.ON == "xen", "Radon's own rings")
class Relay(unittest.TestCase):
    def test_convert(self):
        done = dom0("--", CONVERT)
        self.assertEqual(done.returncode, 0, done.stderr)
        counts = [int(n) for n in done.stdout.split()]
        self.assertGreater(counts[0], 1000)
        self.assertEqual(counts, counts[:1] * 4)

    def test_relay(self):
        done = dom0("--", RELAY)
        self.assertEqual(done.returncode, 0, done.stderr)
        relayed, recorded, at, recorded_at = done.stdout.split()
        self.assertGreater(int(recorded), 5000)
        self.assertEqual(relayed, recorded)
        self.assertTrue(re.search(rb"radon-relay: %s records relayed, 0 of them late" % recorded, done.stderr),
                        done.stderr)
        # LTTng's clock and the recording's begin of the same instant, read twice: microseconds apart.
        self.assertLess(abs(float(at) - float(recorded_at)), 0.001)
