# SPDX-License-Identifier: MIT
"""`radon bench --rows tracing`: what is computed, printed, kept and drawn; the commands of the machines."""

import copy
import csv
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from bench import tracing, tracing_document as doc

from . import samples
from .test_commands import call

ROW = dict(samples.ROWS[0], ops=10)


def run(time_ns, recorded=None):
    return dict(doc.failed_run(""), status=0, rows={"null_call": samples.record(10, *[10 * time_ns] * 3)},
                recorded={"null_call": recorded} if recorded else {})


def document(pv=440, xen_pv=1500, lost=0):
    times = {"radon/off": run(400), "radon/sampled": run(401), "radon/exact": run(470),
             "radon/pv": run(pv, {"5": 60, "25": 260}), "radon/own": run(490, {"5": 160, "25": 760}),
             "xen/off": run(1100), "xen/pv": run(xen_pv, {"5": 60, "25": 260})}
    times["radon/own"]["lost_records"] = lost
    made = dict(samples.document(), schema=doc.SCHEMA, schema_version=doc.SCHEMA_VERSION,
                rows=[copy.deepcopy(ROW)],
                columns=[{"name": name, "reason": "", "command": [], "argv": [], "files": {},
                          "runs": [times[name]]} for name in doc.COLUMNS])
    return doc.compute(made)


class Document(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def file(self, name):
        return os.path.join(self.directory, name)

    def test_costs(self):
        cells = document()["results"][0]["cells"]
        self.assertEqual(cells["radon/exact"]["added_ns"], 70)
        self.assertEqual(cells["radon/own"]["records_per_operation"], 3)
        self.assertEqual(cells["radon/own"]["ns_per_record"], 30)
        self.assertEqual(cells["radon/pv"]["time_ratio_to_off"], 1.1)
        self.assertIsNone(cells["xen/off"]["added_ns"])

    def met(self, **settings):
        return {entry["name"]: entry["met"]
                for entry in document(**settings)["results"][0]["criteria"]}

    def test_criteria(self):
        self.assertEqual(set(self.met().values()), {True})
        self.assertFalse(self.met(pv=501)["PV events: a quarter of Xen's"])
        self.assertTrue(self.met(pv=500)["PV events: a quarter of Xen's"])

    def test_losses_are_not_silent(self):
        self.assertTrue(document()["complete"])
        made = document(lost=7)
        self.assertFalse(made["complete"])
        self.assertIn("records lost: 7", doc.render(made))

    def test_failed_machine(self):
        made = document()
        made["columns"][3]["runs"] = [doc.failed_run("no power")]
        text = doc.render(doc.compute(made))
        self.assertIn("failed: radon/pv: no power", text)
        self.assertFalse(made["complete"])

    def test_report_reads_it_back(self):
        with open(self.file("d"), "w", encoding="utf-8") as file:
            json.dump(document(), file)
        plot = ("--plot", self.file("p.svg")) if shutil.which("gnuplot") else ()
        status, out, err = call("report", self.file("d"), "--csv", self.file("c"), *plot)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"null call .* \+70 ns \(\+17.5 %\)")
        self.assertRegex(out, r"3.00 x 30 ns")
        with open(self.file("c"), encoding="utf-8") as file:
            lines = {(line["hypervisor"], line["observed"]): line for line in csv.DictReader(file)}
        self.assertEqual(lines["xen", "pv"]["added_ns"], "400.0")
        self.assertEqual(lines["xen", "off"]["added_ns"], "unknown")
        for name in ("p.svg", "p.gp", "p.csv") if plot else ():
            self.assertGreater(os.path.getsize(self.file(name)), 100)

    def test_foreign_and_damaged(self):
        self.assertFalse(doc.is_one(self.file("nothing")))
        broken = document()
        del broken["rows"]
        with open(self.file("d"), "w", encoding="utf-8") as file:
            json.dump(broken, file)
        status, _, err = call("report", self.file("d"))
        self.assertEqual(status, 2)
        self.assertIn("damaged", err)


class Commands(unittest.TestCase):
    def test_scripts_are_for_a_shell(self):
        for column in doc.COLUMNS:
            with self.subTest(column):
                text = tracing.script(column, ["null_call", "fork"], 0)
                subprocess.run(["sh", "-n", "-c", text], check=True)
                self.assertEqual("rbench-sites off" in text, column in
                                 ("radon/off", "radon/pv", "radon/own"))
                self.assertEqual("recorded" in text, column.endswith(("pv", "own")))

    def test_counting_in_the_shell(self):
        text = "domain,vcpu,event,count\n,,a,3\n0,0,a,3\n,,b,4\n"
        command = (tracing.COUNT % ("radon-trace", "file", "null_call", 5)).split("|", 1)[1]
        done = subprocess.run(["sh", "-c", command], input=text, stdout=subprocess.PIPE, text=True,
                              check=True)
        self.assertEqual(tracing.parse_counts(done.stdout), {"null_call": {"5": 7}})

    def test_losses(self):
        self.assertEqual(tracing.lost_records("t: 5 records, 90 bytes, 1 s; none lost\n"), 0)
        self.assertEqual(tracing.lost_records("t: 5 records, 90 bytes, 1 s; 12 lost\n"), 12)

    def test_columns(self):
        self.assertEqual(tracing.choose_columns(["native", "xen"]), ["xen/off", "xen/pv"])
        self.assertEqual(call("--rows", "tracing", "--on", "native")[0], 2)
