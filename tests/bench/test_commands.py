# SPDX-License-Identifier: MIT
"""`radon bench compare`, `report` and the refusals of `radon bench`: exit statuses and words."""

import os
import subprocess
import sys
import tempfile
import unittest

from bench import document as doc
from guest.machine.paths import ROOT

from . import samples


def call(*argv):
    """(exit status, stdout, stderr) of the command."""
    done = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "radon"), "bench", *argv],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Commands(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def save(self, name, document):
        path = os.path.join(self.directory.name, name)
        doc.save_json(document, path)
        return path

    def test_equal_documents(self):
        a = self.save("a", samples.document())
        status, out, err = call("compare", a, a, "--fail-on", "0.1%", "--strict")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("+0.00 %", out)

    def test_regression(self):
        a = self.save("a", samples.document())
        b = self.save("b", samples.document(radon=(510, 4500, 800, 30010)))
        self.assertEqual(call("compare", a, b)[0], 0)
        self.assertEqual(call("compare", a, b, "--fail-on", "7%")[0], 0)
        status, _, err = call("compare", a, b, "--fail-on", "5%")
        self.assertEqual(status, 3)
        self.assertIn("null call on radon is 6.25 % slower", err)
        self.assertEqual(call("compare", b, a, "--fail-on", "5")[0], 0)

    def test_less_bandwidth_is_a_regression(self):
        a = self.save("a", samples.document())
        b = self.save("b", samples.document(radon=(480, 4500, 880, 30010)))
        self.assertEqual(call("compare", a, b, "--fail-on", "5%")[0], 3)

    def test_row_that_no_longer_works_is_a_regression(self):
        broken = samples.document()
        broken["columns"][1]["runs"][0]["rows"]["stat"]["error"] = "gone"
        a, b = self.save("a", samples.document()), self.save("b", broken)
        self.assertEqual(call("compare", a, b, "--fail-on", "5%")[0], 3)
        self.assertEqual(call("compare", a, b, "--strict")[0], 5)

    def test_unlike_documents(self):
        a = self.save("a", samples.document())
        self.assertEqual(call("compare", a, self.save("t", samples.document(clock="tcg")))[0], 2)
        other = samples.document()
        other["packages"]["qemu-system-x86"] = "8.0"
        status, _, err = call("compare", a, self.save("o", other))
        self.assertEqual(status, 0)
        self.assertIn("differ in packages (qemu-system-x86)", err)

    def test_report(self):
        status, out, _ = call("report", self.save("a", samples.document()))
        self.assertEqual(status, 0)
        self.assertIn("criteria: 4 of 4 rows met", out)
        self.assertIn("native: qemu", out)
        broken = samples.document()
        broken["columns"][1]["runs"][0]["rows"]["stat"]["error"] = "gone"
        self.assertEqual(call("report", self.save("b", broken))[0], 1)

    def test_plot(self):
        a = self.save("a", samples.document())
        for suffix, magic in ((".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG")):
            path = os.path.join(self.directory.name, "plot" + suffix)
            self.assertEqual(call("report", a, "--plot", path)[0], 0)
            with open(path, "rb") as file:
                self.assertEqual(file.read(len(magic)), magic)
        left = set(os.listdir(self.directory.name))
        self.assertLessEqual({"plot.gp", "plot.csv"}, left)

    def test_wrong_use(self):
        a = self.save("a", samples.document())
        for argv in (("--rows", "null_call", "--on", "vmware"), ("--clock", "sundial"),
                     ("--repeat", "0"), ("--quick", "--repeat", "2"), ("--cpus", "x"),
                     ("--json", "/nonexistent/a.json"), ("--plot", "a.gif"), ("surplus",),
                     ("--clock", "tcg", "--jobs", "2"), ("compare", a),
                     ("compare", a, a, "--fail-on", "much"), ("report", a + ".missing"),
                     ("--csv", self.directory.name)):
            with self.subTest(argv):
                status, out, err = call(*argv)
                self.assertEqual((status, out), (2, ""))
                self.assertTrue(err)


if __name__ == "__main__":
    unittest.main()
