# SPDX-License-Identifier: MIT
"""radon-stat in domain 0: its counts are those of a program that knows what it did."""

import base64
import csv
import io
import json
import subprocess
import tempfile
import unittest

from guest.machine import tools
from . import common
from .tools import ToolCase, known

PROBE = "/known_entries 700 5000 300 900"
EVENT, ROUTINE = "event", "routine"


def row(document, level, **fields):
    """The count of the one row that has these fields, 0 without."""
    found = [r for r in document["rows"] if r["level"] == level and
             all(r[name] == value for name, value in fields.items())]
    assert len(found) <= 1, found
    return found[0]["count"] if found else 0


@unittest.skipUnless(common.ON == "radon", "of Radon's own tables")
class Stat(ToolCase):
    def measure(self, options="", **settings):
        """(what the program did, the document of radon-stat about it)"""
        text = self.tool(["stat"], "radon-stat --json -o /s %s -- %s >/k && cat /k /s"
                         % (options, PROBE), ["known_entries"], **settings)
        did, rest = known(text)
        self.assertEqual(len(did), 4, text)
        return did, json.loads(rest)

    def check_exact(self, did, document):
        self.assertEqual((document["source"], document["complete"], document["estimate"]),
                         ("exact", True, False))
        self.assertEqual(document["evicted_entries"], 0)
        count, address = did["getppid"]
        self.assertEqual(row(document, EVENT, event="syscall:getppid"), count)
        self.assertEqual(row(document, ROUTINE, kind="syscall", address=address), count)
        count, address = did["page_fault"]
        self.assertEqual(row(document, ROUTINE, kind="page_fault", address=address), count)
        self.assertGreaterEqual(row(document, EVENT, event="trap:page_fault.user-write-absent"), count)
        count, address = did["breakpoint"]
        self.assertEqual(row(document, EVENT, event="trap:breakpoint"), count)
        self.assertEqual(row(document, ROUTINE, kind="trap", address=address), count)
        count, _ = did["hypercall"]
        self.assertEqual(row(document, EVENT, event="hypercall:xen_version.pagesize"), count)
        self.assertGreaterEqual(row(document, ROUTINE, kind="hypercall", routine="privcmd_ioctl"),
                                count)

    def check_parts(self, document):
        """Linux makes no mmuext_op without operations; what is a part is in its hypercall's time."""
        rows = {r["event"]: r for r in document["rows"] if r["level"] in (EVENT, "part")}
        operations = [r for name, r in rows.items() if name.startswith("operation:mmuext_op.")]
        calls = [rows[name] for name in ("hypercall:mmuext_op", "subcall:mmuext_op") if name in rows]
        self.assertGreater(len(operations), 1, rows.keys())
        self.assertGreaterEqual(sum(r["count"] for r in operations), sum(r["count"] for r in calls))
        self.assertLess(sum(r["total_cycles"] for r in operations),
                        sum(r["total_cycles"] for r in calls))
        subcalls = [r for name, r in rows.items() if name.startswith("subcall:")]
        self.assertGreaterEqual(sum(r["count"] for r in subcalls), rows["hypercall:multicall"]["count"])
        self.assertLess(sum(r["total_cycles"] for r in subcalls),
                        rows["hypercall:multicall"]["total_cycles"])

    def check_sums(self, document):
        """Both tables have every entry, and percentiles lie in their bounds."""
        for level in (EVENT, ROUTINE):
            rows = [r for r in document["rows"] if r["level"] == level]
            self.assertEqual(sum(r["count"] for r in rows), document["entries"])
            for r in rows:
                for name in ("p50", "p99"):
                    low, value, high = (r["%s_%sns" % (name, what)] for what in ("from_", "", "below_"))
                    if not r["count"]:  # found by looks alone
                        self.assertTrue(value is None and document["estimate"] and r["samples"], r)
                        continue
                    self.assertTrue(low <= value <= high <= r["max_ns"] or low > high, r)

    def test_exact(self):
        did, document = self.measure()
        self.check_exact(did, document)
        self.check_parts(document)
        self.check_sums(document)

    def test_exact_on_two_cpus_by_cpu(self):
        did, document = self.measure("--by domain,cpu", cpus=2)
        rows = [r for r in document["rows"] if r["event"] == "syscall:getppid"]
        self.assertEqual(sum(r["count"] for r in rows), did["getppid"][0])
        self.assertEqual({r["domain_name"] for r in rows}, {"Domain-0"})
        self.check_sums(document)

    def test_exact_by_vcpu(self):
        """The same call, from the same program, on each of two vCPUs; and the shell's of its parent."""
        text = self.tool(["stat"], "radon-stat --json -o /s --by domain,vcpu -- sh -c "
                         "'taskset 1 /calls 3000; taskset 2 /calls 7000' >/dev/null && cat /s", ["calls"], cpus=2)
        document = json.loads(text)
        for vcpu, calls in ((0, 3000), (1, 7000)):
            count = row(document, EVENT, event="syscall:getppid", domain=0, vcpu=vcpu)
            self.assertIn(count - calls, range(1, 4), document["rows"])
        self.assertEqual({r["vcpu"] for r in document["rows"]}, {0, 1})
        self.assertEqual({r["cpu"] for r in document["rows"]}, {None})
        self.check_sums(document)

    def test_sampled_is_an_estimate(self):
        did, document = self.measure("--sampled --period 7")
        self.assertEqual((document["source"], document["complete"], document["estimate"]),
                         ("sampled", False, True))
        for name, event in (("getppid", "syscall:getppid"), ("breakpoint", "trap:breakpoint"),
                            ("hypercall", "hypercall:xen_version.pagesize")):
            count = row(document, EVENT, event=event)
            self.assertEqual(count % 7, 0)
            self.assertLess(abs(count - did[name][0]), 0.25 * did[name][0] + 50, document["rows"])
        self.check_sums(document)

    def test_kept_for_later(self):
        """What record keeps is what report shows, to the digit, and on another machine."""
        text = self.tool(["stat"], "radon-stat record -o /s -- /known_entries 20 30 40 50 >/dev/null && "
                         "radon-stat report --json /s && base64 /s", ["known_entries"])
        inside, end = json.JSONDecoder().raw_decode(text)
        with tempfile.NamedTemporaryFile() as file:
            file.write(base64.b64decode(text[end:]))
            file.flush()
            done = subprocess.run([tools.program("stat"), "report", "--json", file.name],
                                  stdout=subprocess.PIPE, check=True)
        self.assertEqual(json.loads(done.stdout), inside)
        self.assertEqual(row(inside, EVENT, event="trap:breakpoint"), 40)
        self.assertEqual(row(inside, ROUTINE, kind="hypercall", routine="privcmd_ioctl") >= 50, True)
        self.assertTrue(inside["complete"])

    def test_modes_and_status(self):
        """The mode before comes back; CSV; statuses; a command that is not there."""
        text = self.tool(["stat"], """
            radon-stat --csv >/before; radon-stat --seconds 0.2 >/measured; radon-stat >/after
            radon-stat --csv -- sh -c 'exit 3' >/exit; echo status $?
            radon-stat --strict >/dev/null; echo status $?
            radon-stat -- /not-there >/dev/null; echo status $?
            radon-stat --by nothing; echo status $?
            radon-stat --domain 99 >/none; echo status $?
            radon-stat live --seconds 0.5 --interval 0.2 >/live; echo status $?
            head -1 /measured; head -1 /after; grep -c '^EVENT' /live; cat /before""")
        lines = text.splitlines()
        self.assertEqual(lines[:6], ["status %d" % n for n in (3, 5, 1, 2, 0, 0)])
        self.assertRegex(lines[6], "^exact: every entry; 0.2")
        self.assertRegex(lines[7], "^sampled: one entry in 499")
        self.assertEqual(lines[8], "3")
        rows = list(csv.DictReader(io.StringIO("\n".join(lines[9:]))))
        self.assertGreater(len(rows), 10)
        self.assertTrue(all(r["domain"] == "unknown" for r in rows))
