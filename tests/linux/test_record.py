# SPDX-License-Identifier: MIT
"""radon-trace records in domain 0: what a program did is in there, nothing is lost, or it says how much."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from guest.machine.paths import ROOT
from . import common
from .tools import ToolCase, known

PROBE = "/known_entries 700 5000 300 900"
XENTRACE = "/usr/lib/xen-4.17/bin/xentrace"
COMPARE = os.path.join(ROOT, "tracing", "tool", "compare_xenalyze.py")


def counts(document, domain=None):
    """{event: count} of radon-trace's report, in all or of one domain's vCPUs."""
    found = {}
    for row in document["rows"]:
        if row["domain"] == domain:
            found[row["event"]] = found.get(row["event"], 0) + row["count"]
    return found


def documents(text):
    """The JSON documents in a text that has others things between them."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


@unittest.skipUnless(common.ON == "radon", "of Radon's own rings")
class Record(ToolCase):
    def record(self, script, names=("trace", "stat"), **settings):
        """(what known_entries did, the documents that the script printed, all of its output)"""
        text = self.tool(names, script, ["known_entries"], **settings)
        return *known(text)[:1], documents(text), text

    def test_what_a_program_did(self):
        did, (report, stat), text = self.record("""
            radon-trace record --strict --clock instr -o /t -- %s && radon-trace report --json /t &&
            radon-stat report --json --kallsyms /proc/kallsyms /t""" % PROBE, cpus=2)
        self.assertEqual((report["complete"], report["lost_records"]), (True, 0), text)
        got = counts(report)
        self.assertEqual(got["hypercall:xen_version.pagesize"], did["hypercall"][0])
        self.assertEqual(got["trap:breakpoint"], did["breakpoint"][0])
        self.assertTrue(stat["complete"])
        routines = {(r["kind"], r["address"]): r["count"] for r in stat["rows"]
                    if r["level"] == "routine"}
        for kind, name in (("syscall", "getppid"), ("page_fault", "page_fault"),
                           ("trap", "breakpoint")):
            self.assertEqual(routines[kind, did[name][1]], did[name][0], text)
        calls = [r for r in stat["rows"] if r["event"] == "hypercall:xen_version.pagesize"]
        self.assertEqual([(r["count"], r["timed"]) for r in calls], [(did["hypercall"][0],) * 2])
        self.assertLess(calls[0]["p99_ns"], 2000)

    def test_own_rings_and_xentrace_count_the_same(self):
        """Both at once: what only the program does is as often in the one as in the other."""
        _, (own, xen), text = self.record(
            "radon-trace record --seconds 0.1 -o /t; " + XENTRACE + """ -D -e all -S 1024 /x >&2 & sleep 1
            radon-trace record -o /t -- %s; kill -INT $!; wait $!
            radon-trace report --json /t; radon-trace report --json /x""" % PROBE,
            names=["trace"], more=[XENTRACE])
        own, xen = counts(own), counts(xen)
        for event in ("hypercall:xen_version.pagesize", "trap:breakpoint"):
            self.assertEqual(own[event], xen[event], text)
        self.assertGreater(own["hypercall:xen_version.pagesize"], 0)

    @unittest.skipUnless(shutil.which("xenalyze"), "xen-utils-common is not installed")
    def test_xenalyze_counts_the_same(self):
        """A recording of Xen's rings by radon-trace, read by Debian's xenalyze and by us."""
        reader = os.path.join(ROOT, "build", "tracing", "radon-trace")
        result = self.boot_tools(["trace"], "radon-trace record --rings xen -o /t -- %s >&2; cat /t"
                                 % PROBE, ["known_entries"], cpus=2)
        self.assertEqual((result.reason, result.status), ("", 0), result.stderr)
        with tempfile.NamedTemporaryFile() as file:
            file.write(result.stdout)
            file.flush()
            done = subprocess.run([COMPARE, reader, file.name], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            report = subprocess.run([reader, "report", "--json", file.name], capture_output=True,
                                    check=True, text=True)
        self.assertEqual(counts(json.loads(report.stdout))["trap:breakpoint"], 300)

    def test_one_hypercall_of_all(self):
        _, (report,), text = self.record(
            "radon-trace record -e 'hypercall:xen_version,trap:page_fault' -o /t -- %s && "
            "radon-trace report --json /t" % PROBE)
        got = counts(report)
        self.assertEqual(got.pop("hypercall:xen_version.pagesize"), 900)
        self.assertGreater(got.pop("trap:page_fault"), 700)
        got.pop("hypercall:xen_version.version", 0)
        self.assertEqual([name for name in got if not name.startswith("runstate:")], [], text)

    def test_ten_million_records(self):
        """As many as a program makes in one go, and none is lost, though the reader has one CPU too."""
        _, (report,), text = self.record(
            "radon-trace record --strict --pages 1024 -o /t -- /known_entries 10 3400000 10 10 2>/said;"
            "echo status $?; radon-trace report --json /t; cat /said", timeout=600,
            memory=1792, dom0_memory=1280)
        self.assertEqual((report["complete"], report["lost_records"]), (True, 0), text)
        self.assertGreater(report["records"], 10000000)
        self.assertIn("status 0", text)
        self.assertRegex(text, r"%d records, .*none lost" % report["records"])
        self.assertGreaterEqual(counts(report)["bounce:syscall"], 3400000)

    def test_loss_is_exact_when_the_reader_sleeps(self):
        """What comes from vCPU 0 is the program's alone: recorded and lost ones add up to what it made."""
        script = """
            run() {
                taskset 2 radon-trace record --pages $1 --vcpu 0 -e bounce:syscall,-runstate -o /t &
                sleep 1; [ $2 = sleeps ] && kill -STOP $!
                taskset 2 sh -c 'taskset 1 /known_entries 10 50000 10 10 >/dev/null'
                kill -CONT $!; kill -INT $!; wait $!
                radon-trace report --json /t >>/reports
            }
            for pid in 1 $$; do taskset -p 2 $pid >/dev/null; done
            run 1024 reads; run 8 sleeps; run 8 sleeps; cat /reports"""
        _, (whole, *parts), text = self.record(script, names=["trace"], cpus=2)
        made = whole["records"]
        self.assertEqual(whole["lost_records"], 0, text)
        self.assertGreater(made, 50000)
        for part in parts:
            self.assertFalse(part["complete"])
            self.assertGreater(part["lost_records"], 40000, text)
            self.assertEqual(counts(part)["bounce:syscall"] + part["lost_records"], made, text)

    def test_a_killed_reader_leaves_tracing_usable(self):
        _, (report,), text = self.record("""
            radon-trace record -o /t & sleep 0.5; kill -KILL $!; wait $!
            radon-trace report /t >/dev/null; echo killed $?
            radon-trace record -o /u -- %s && radon-trace report --json /u""" % PROBE)
        self.assertIn("killed 0", text)
        self.assertEqual(counts(report)["trap:breakpoint"], 300)

    def test_flight_recorder(self):
        """It keeps the newest records, is read while it is on, and refuses a second recorder."""
        _, (first, second), text = self.record("""
            radon-trace snapshot start --pages 16 -e trap,hypercall:*,runstate
            radon-trace record -o /u; echo record $?
            %s; radon-trace snapshot read -o /s; radon-trace report --json /s
            sleep 0.2; radon-trace snapshot read -o /s; radon-trace report --json /s
            radon-trace snapshot stop; radon-trace snapshot stop; echo stop $?
            radon-trace record -o /u -- true; echo record $?""" % PROBE)
        self.assertRegex(text, r"(?s)record 1.*stop 1.*record 0")
        for report in (first, second):
            self.assertFalse(report["complete"])
            self.assertEqual((report["defects"], report["lost_records"]), (0, 0), text)
            self.assertGreater(report["records"], 1000)
        # The last thing that the program did is in there, and what it did first is not.
        self.assertEqual(counts(first)["hypercall:xen_version.pagesize"], 900, text)
        self.assertLess(counts(first).get("trap:page_fault", 0), 400, text)
        self.assertGreater(second["last_tsc"], first["last_tsc"])

    def test_wrong_use(self):
        text = self.tool(["trace"], """
            for words in '-e nothing' '--pages 0' '--pages 5000' '--seconds -1' '--vcpu 64' 'word' \\
                '--seconds 1 -- true' '--rings xen --domain 0' '--rings no'; do
                radon-trace record $words -o /t 2>/dev/null; echo -n "$? "
            done
            radon-trace snapshot; echo -n "$? "; radon-trace record -o /t -- /nothing; echo -n "$? "
            radon-trace record -o /t -- sh -c 'exit 9'; echo -n "$? "
            radon-trace record --domain 77 -o /t --seconds 0.1; echo $?""")
        self.assertRegex(text, r"^1 2 2 2 2 2 2 2 2 2 1 9 [01]$")


class NoHypervisor(unittest.TestCase):
    """On this host."""

    def test_errors_say_why(self):
        for name, words in (("trace", ["record", "-o", "/dev/null", "--seconds", "1"]),
                            ("trace", ["snapshot", "status"]), ("stat", [])):
            done = subprocess.run([os.path.join(ROOT, "build", "tracing", "radon-" + name), *words],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertTrue(re.search(r"not running on Radon|needs root", done.stderr), done.stderr)
