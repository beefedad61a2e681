# SPDX-License-Identifier: MIT
"""Values, ratios and criteria are computed from the samples; what failed is said, never made up."""

import csv
import json
import os
import tempfile
import unittest

from bench import criteria, document as doc, measure, table
from guest.machine.errors import UsageError

from . import samples


def verdicts(document, row):
    result = next(result for result in document["results"] if result["row"] == row)
    return {entry["name"]: entry["met"] for entry in result["criteria"]}


class Values(unittest.TestCase):
    def test_median_of_all_runs(self):
        document = samples.document()
        document["columns"][0]["runs"].append(samples.run(1000, 1, 1, 1))
        doc.compute(document)
        self.assertEqual(document["results"][0]["values"]["native"]["samples"], 6)
        self.assertEqual(document["results"][0]["values"]["native"]["median"], (344 + 1000) / 2)

    def test_overhead_is_subtracted(self):
        row = samples.ROWS[0]
        self.assertEqual(doc.sample_value(row, 10, 1000, 200), 80)

    def test_bandwidth_ratio_is_of_time(self):
        result = samples.document()["results"][2]
        self.assertAlmostEqual(result["values"]["native"]["median"], 1000 * 1e3 / 770)
        self.assertAlmostEqual(result["time_ratio_to_native"]["xen"], 900 / 770)

    def test_failed_row(self):
        document = samples.document()
        document["columns"][1]["runs"][0]["rows"]["stat"] = {"ops": 0, "ns": [], "error": "no stat"}
        doc.compute(document)
        self.assertEqual(document["results"][1]["values"]["radon"], {"failed": "no stat"})
        self.assertFalse(document["complete"])
        self.assertEqual(document["failures"],
                         [{"column": "radon", "row": "stat", "reason": "no stat"}])
        text = table.render(document)
        self.assertIn("failed: radon stat: no stat", text)
        line = next(line for line in text.splitlines() if line.startswith("stat"))
        self.assertIn(" failed ", line)
        self.assertNotIn("met:", line)

    def test_machine_that_stopped_early(self):
        document = samples.document()
        run = document["columns"][1]["runs"][0]
        del run["rows"]["compute"]
        run["reason"] = "timed out"
        doc.compute(document)
        self.assertEqual(document["results"][3]["values"]["radon"], {"failed": "timed out"})
        self.assertIn("median", document["results"][0]["values"]["radon"])
        self.assertEqual(len(document["failures"]), 1)

    def test_column_that_never_ran(self):
        document = samples.document()
        document["columns"][1].update(reason="not built", runs=[])
        doc.compute(document)
        self.assertEqual(document["results"][0]["values"]["radon"], {"failed": "not built"})
        self.assertEqual(table.render(document).count("failed: radon: not built"), 1)

    def test_damaged_output_of_rbench(self):
        with self.assertRaises(ValueError):
            measure.parse_output('{"rbench":1}\n{"row":"null_ca')
        environment, records = measure.parse_output('{"rbench":1}\n{"row":"a","ops":1,"ns":[2]}\n')
        self.assertEqual(environment["rbench"], 1)
        self.assertEqual(records, {"a": {"ops": 1, "ns": [2]}})


class Criteria(unittest.TestCase):
    def test_half_of_the_difference(self):
        row = samples.ROWS[0]
        self.assertTrue(all(entry["met"] for entry in criteria.judge(
            row, {"native": 339, "radon": 499, "xen": 1109}, "instr")))
        found = criteria.judge(row, {"native": 339, "radon": 730, "xen": 1109}, "instr")
        self.assertEqual([entry["met"] for entry in found], [False, True, False])

    def test_long_calls_have_a_limit_of_their_own(self):
        met = verdicts(samples.document(radon=(480, 4600, 800, 30010)), "stat")
        self.assertTrue(met["R-L <= (X-L)/2"])
        self.assertFalse(met["R-L <= 0.20 us a call"])

    def test_compute_within_a_percent_of_native(self):
        self.assertTrue(all(verdicts(samples.document(), "compute").values()))
        slow = samples.document(radon=(480, 4500, 800, 30400))
        self.assertFalse(all(verdicts(slow, "compute").values()))

    def test_bandwidth_is_judged_as_time(self):
        self.assertTrue(verdicts(samples.document(), "pipe_bw")["R-L <= (X-L)/2"])
        slow = samples.document(radon=(480, 4500, 850, 30010))
        self.assertFalse(verdicts(slow, "pipe_bw")["R-L <= (X-L)/2"])

    def test_wall_time_allows_three_percent(self):
        near = samples.document(clock="tcg", radon=(1140, 5127, 900, 30030))
        self.assertEqual(list(verdicts(near, "null_call").values()), [True])
        far = samples.document(clock="tcg", radon=(1150, 5127, 900, 30030))
        self.assertEqual(list(verdicts(far, "null_call").values()), [False])

    def test_nothing_is_judged_without_radon(self):
        self.assertEqual(criteria.judge(samples.ROWS[0], {"native": 1, "xen": 2}, "instr"), [])


class Files(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def test_json_comes_back_the_same(self):
        document = samples.document()
        doc.save_json(document, self.path("a.json"))
        self.assertEqual(doc.load(self.path("a.json")), document)

    def test_verdicts_are_computed_again_when_read(self):
        document = samples.document()
        document["results"][0]["criteria"] = []
        doc.save_json(document, self.path("a.json"))
        self.assertEqual(len(doc.load(self.path("a.json"))["results"][0]["criteria"]), 3)

    def test_csv_has_every_sample(self):
        document = samples.document()
        document["columns"][2]["runs"][0]["rows"]["stat"]["error"] = "no, \"really\""
        doc.save_csv(doc.compute(document), self.path("a.csv"))
        with open(self.path("a.csv"), encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        self.assertEqual(len(lines), 3 * 4 * 3 - 2)
        failed = [line for line in lines if line["error"] != "none"]
        self.assertEqual([line["error"] for line in failed], ["no, \"really\""])
        self.assertEqual(failed[0]["value"], "unknown")
        self.assertNotIn("", {value for line in lines for value in line.values()})

    def test_foreign_files_are_refused(self):
        bad = {"empty": "", "text": "hello", "list": "[]", "other": '{"schema": "x"}',
               "future": json.dumps({"schema": doc.SCHEMA, "schema_version": 99}),
               "hollow": json.dumps({"schema": doc.SCHEMA, "schema_version": doc.SCHEMA_VERSION})}
        for name, text in bad.items():
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(text)
            with self.subTest(name), self.assertRaises(UsageError):
                doc.load(self.path(name))
        with self.assertRaises(UsageError):
            doc.load(self.path("missing"))


if __name__ == "__main__":
    unittest.main()
