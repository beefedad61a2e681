# SPDX-License-Identifier: MIT
"""The table of `radon demo entries`: order, sums, and what is written."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import unittest

from bench import entries
from guest.machine.paths import ROOT


def row(entry, count, verdict="not handled", reason="LONG", hits=None, text="why"):
    return {"entry": entry, "count": count, "share_percent": 1.0, "cycles_per_entry": 100,
            "verdict": verdict, "by": "policy", "reason": reason, "handler": hits and 1, "hits": hits,
            "passes": hits and 0, "text": text}


FOUND = {"rows": [row("syscall:open", 100, reason="NO_GAIN", text="a | b\nc"),
                  row("syscall:read", 700, "handled", "HANDLED", 650),
                  row("syscall:stat", 100), row("syscall:brk", 100)]}


class Entries(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.prefix = os.path.join(directory.name, "table")

    def result(self):
        rows = entries.most_frequent(FOUND, 3)
        return {"command": "x", "date": "d", "tool_version": "v", "kernel": "k", "packages": {},
                "method": "m", "workload": ["true"], "summary": entries.summary(FOUND, rows),
                "rows": rows}

    def test_most_frequent_first(self):
        rows = entries.most_frequent(FOUND, 3)
        self.assertEqual([(one["rank"], one["entry"]) for one in rows],
                         [(1, "syscall:read"), (2, "syscall:brk"), (3, "syscall:open")])

    def test_summary(self):
        numbers = self.result()["summary"]
        self.assertEqual(numbers, {
            "entries_seen": 4, "rows": 3, "handled": 1, "handled_at_one_time": 2,
            "table_share_of_count": 0.9, "handled_share_of_count": 0.7, "handler_hits": 650,
            "reasons": {"LONG": 1, "NO_GAIN": 1}})

    def test_files(self):
        entries.save(self.result(), self.prefix)
        with open(self.prefix + ".json", encoding="utf-8") as file:
            self.assertEqual(json.load(file), self.result())
        with open(self.prefix + ".csv", encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file))
        self.assertEqual([one["count"] for one in read], ["700", "100", "100"])
        self.assertEqual(read[2]["text"], "a | b\nc")
        with open(self.prefix + ".md", encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertIn("| 1 | `syscall:read` | 700 | 100 | handled | HANDLED | 650 | why |", lines)
        self.assertIn("| 3 | `syscall:open` | 100 | 100 | not handled | NO_GAIN | - | a \\| b c |", lines)
        self.assertIn("    true", lines)

    def test_refusals(self):
        for words in (["entries", "--table", "/nosuch/x"], ["fast", "--table", "x"],
                      ["entries", "--top", "-1"]):
            done = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "radon"), "demo", *words],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, b""), words)


if __name__ == "__main__":
    unittest.main()
