# SPDX-License-Identifier: MIT
"""Manual pages of the tools of domain 0 name the options that their --help names."""

import os
import re
import shutil
import subprocess
import unittest

from guest.machine import tools
from guest.machine.paths import ROOT

HELPS = {"stat": ((),), "trace": (("record",), ("snapshot",))}
OWN = {"trace": {"--json", "--csv", "--tsc-hz"}}  # of commands that are described elsewhere on the page


def words(pattern, text):
    return set(re.findall(pattern, text, re.M))


class ToolManual(unittest.TestCase):
    def help_of(self, name, command):
        done = subprocess.run([tools.program(name), *command, "--help"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("usage: radon-" + name, done.stdout)
        return done.stdout

    def test_options(self):
        for name, commands in HELPS.items():
            with self.subTest(name):
                with open(os.path.join(ROOT, "docs", "radon-%s.1.scd" % name), encoding="utf-8") as file:
                    page = file.read()
                in_help = set().union(*(words(r"(?<![\w-])--[a-z][a-z-]+", self.help_of(name, command))
                                        for command in commands))
                on_page = words(r"\*(--[a-z][a-z-]+)[* ]", page)
                self.assertEqual(on_page - OWN.get(name, set()), in_help | (
                    {"--help"} & on_page))

    def test_they_are_manual_pages(self):
        if not shutil.which("scdoc"):
            self.skipTest("no scdoc")
        for name in HELPS:
            with open(os.path.join(ROOT, "docs", "radon-%s.1.scd" % name), "rb") as file:
                done = subprocess.run(["scdoc"], stdin=file, stdout=subprocess.PIPE, check=True)
            self.assertIn(b'.TH "radon-%s" "1"' % name.encode(), done.stdout)

    def test_versions(self):
        for name in HELPS:
            done = subprocess.run([tools.program(name), "--version"], stdout=subprocess.PIPE, text=True,
                                  check=True)
            self.assertRegex(done.stdout, r"^radon-%s [0-9a-f]{7,}(-dirty)?\n$" % name)
