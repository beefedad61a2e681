# SPDX-License-Identifier: MIT
"""radon-prof in domain 0: what is hot gets a handler by itself, soon; the log and radon-explain say so;
when nothing happens it takes next to no time; --dry-run and off change nothing."""

import glob
import json
import os
import re
import unittest

from guest.machine import build
from guest.machine.paths import BUILD

from . import common

TOOLS = ("prof", "handler", "explain")
CALLS = 4000000  # about two seconds
MIXED = 500000
EAGER = "radon-prof --set gain_percent=0 --set min_share_ppm=500 2>&1 & sleep 1; "
PRIVATE = {"syscall:getpid", "syscall:getppid", "syscall:getuid", "syscall:gettid"}
HOT_TO_ACTIVE_S = 2.0
IDLE_S = 20
IDLE_SHARE = 0.01
TICKS_A_SECOND = 100  # of /proc/PID/stat


class Prof(common.Case):
    @classmethod
    def setUpClass(cls):
        build.build_tree()

    def guest(self, script, **settings):
        module = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/xen-privcmd.ko"))[-1]
        adds = [(os.path.join(BUILD, "fastpath", "radon-" + name), "/bin/radon-" + name)
                for name in TOOLS]
        adds += [(module, "/privcmd.ko"), (common.compile_program("calls"), "/calls")]
        settings.setdefault("clock", "instr")
        return self.run_ok("insmod /privcmd.ko && " + script, adds=adds, **settings)

    def test_from_hot_to_active(self):
        text = self.guest("radon-prof --set gain_percent=0 2>&1 & sleep 1; /calls %d; echo ---; "
                          "radon-handler log --json; echo ---; radon-explain --json; echo ---; "
                          "radon-explain syscall:getppid; kill $!; wait $!; echo $?" % CALLS)
        said, log, entries, one = text.split("---\n")
        self.assertEqual(said, "%d right\n" % CALLS)
        rows = [row for row in json.loads(log)["rows"] if row["point"] == "syscall:getppid"]
        steps = [row["what"] for row in rows]
        self.assertEqual(steps[:4], ["capture", "synthesise", "shadow", "activate"], rows)
        self.assertLess((rows[3]["uptime_ns"] - rows[0]["uptime_ns"]) / 1e9, HOT_TO_ACTIVE_S)
        row = next(row for row in json.loads(entries)["rows"] if row["entry"] == "syscall:getppid")
        self.assertEqual((row["verdict"], row["reason"]), ("handled", "HANDLED"))
        self.assertGreater(row["hits"], CALLS / 2)
        self.assertRegex(one, r"(?s)activate .*syscall:getppid: handled.*made_by: radon-prof .*0\n\Z")

    def test_two_vcpus(self):
        """Three and more are right with two vCPUs.  What is right with one only is made while there is
        one, and goes when the other comes back (rules 3, 4, 16)."""
        work = "/calls %d mixed; radon-handler list --json; echo ---; " % MIXED
        online = "echo %d > /sys/devices/system/cpu/cpu1/online; radon-handler list --json; echo ---; "
        text = self.guest(EAGER + work + online % 0 + work + online % 1 + work +
                          "radon-handler log --json; kill $!", cpus=2, clock="tcg", timeout=600)
        *lists, log = text.split("---\n")
        self.assertEqual(text.count("%d right\n" % MIXED), 3)
        rows = [json.loads(part[part.index("{"):])["rows"] for part in lists]
        active = [{row["point"] for row in part if row["state"] == "active"} for part in rows]
        self.assertGreaterEqual(len(active[0] & PRIVATE), 3, text)
        self.assertNotIn("syscall:write", active[0])
        self.assertFalse(active[1], text)
        self.assertIn("syscall:write", active[2], text)
        self.assertFalse(active[3], text)
        self.assertGreaterEqual(len(active[4] & PRIVATE), 3, text)
        self.assertNotIn("syscall:write", active[4])
        last = {row["id"]: row for part in rows for row in part}.values()
        self.assertEqual([row for row in last if row["disagreed"]], [])
        self.assertGreater(sum(row["agreed"] for row in last), 100)
        self.assertEqual({row["reason"] for row in rows[3] if row["state"] == "retired"}, {"VCPUS"}, text)
        refused = [row for row in json.loads(log)["rows"]
                   if row["what"] == "refuse" and row["point"] == "syscall:write"]
        self.assertTrue({row["reason"] for row in refused} & {"LOCKED", "SHARED_STORE"}, log)

    def test_nohz_full(self):
        """Where the guest kernel tells RCU by per-CPU data that it is entered, a handler would be what RCU does
        not wait for (rule 5)."""
        text = self.guest(EAGER + "cat /sys/devices/system/cpu/nohz_full; /calls %d mixed; radon-handler list --json; "
                          "echo ---; radon-handler log --json; kill $!" % MIXED, cpus=2, clock="tcg", timeout=600,
                          cmdline="nohz_full=1")
        self.assertRegex(text, r"\A1\n%d right\n" % MIXED)
        handlers, log = text[text.index("{"):].split("---\n")
        self.assertEqual(json.loads(handlers)["rows"], [])
        self.assertIn(("syscall:getppid", "LOCKED"),
                      {(row["point"], row["reason"]) for row in json.loads(log)["rows"]}, log)

    def test_idle(self):
        text = self.guest("radon-prof & sleep 5; cat /proc/$!/stat; sleep %d; cat /proc/$!/stat; kill $!"
                          % IDLE_S)
        ticks = [sum(map(int, line.rsplit(")", 1)[1].split()[11:13])) for line in text.splitlines()]
        self.assertEqual(len(ticks), 2)
        self.assertLessEqual((ticks[1] - ticks[0]) / TICKS_A_SECOND, IDLE_SHARE * IDLE_S)

    def test_dry_run_and_off(self):
        text = self.guest("radon-prof --dry-run & sleep 1; /calls 2000000; kill $!; wait $!; "
                          "radon-handler list; radon-handler log --csv | grep -c ',refuse,.*,DRY_RUN,'; "
                          "radon-handler off; radon-prof & sleep 1; /calls 2000000; kill $!; wait $!; "
                          "radon-handler list; radon-handler log --csv | grep -c ',stop,.*,OFF,'")
        self.assertTrue(re.fullmatch(r"2000000 right\nno handlers\n1\n2000000 right\nno handlers\n1\n",
                                     text), text)

    def test_one_at_a_time(self):
        text = self.guest("radon-prof & sleep 1; radon-prof; echo $?; radon-prof --domain nosuch; echo $?; "
                          "radon-prof --set tick_ms=x; echo $?; kill $!")
        self.assertEqual(text, "1\n1\n2\n")


if __name__ == "__main__":
    unittest.main()
