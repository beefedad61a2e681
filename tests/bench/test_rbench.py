# SPDX-License-Identifier: MIT
"""The measuring program itself, on this host: every row gives samples; wrong use is refused."""

import json
import os
import subprocess
import tempfile
import unittest

from bench import programs


def rbench(*argv, **settings):
    return subprocess.run([programs.RBENCH, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=100, **settings)


@unittest.skipUnless(os.path.exists(programs.RBENCH), "rbench is not built: ./radon build")
class Rbench(unittest.TestCase):
    def test_every_row_runs(self):
        with tempfile.TemporaryDirectory() as directory:
            done = rbench("--json", "--samples", "3", "--scale", "0.1", "--settle", "0",
                          "--dir", directory)
            self.assertEqual(os.listdir(directory), ["rbench.d1"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line["row"] for line in lines[1:]],
                         [row["id"] for row in programs.list_rows()])
        for line in lines[1:]:
            self.assertEqual(len(line["ns"]), 3, line)
            self.assertTrue(all(ns > 0 for ns in line["ns"]), line)
            self.assertGreater(line["ops"], 0)

    def test_failed_row_is_reported(self):
        done = rbench("--json", "--rows", "null_call,exec", "--tiny", "/nonexistent", "--settle", "0")
        self.assertEqual(done.returncode, 1)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertNotIn("error", lines[1])
        self.assertEqual(lines[2]["error"], "execve /nonexistent: errno 2")

    def test_row_that_hangs_is_ended(self):
        with tempfile.TemporaryDirectory() as directory:
            slow = os.path.join(directory, "slow")
            with open(slow, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\nsleep 60\n")
            os.chmod(slow, 0o755)
            done = rbench("--json", "--rows", "exec", "--tiny", slow, "--timeout", "1",
                          "--settle", "0")
        self.assertEqual(done.returncode, 1)
        self.assertIn('"error":"no result after 1 s"', done.stdout)

    def test_wrong_use(self):
        for argv in (["--rows", "nonsense"], ["--samples", "x"], ["--samples", "-1"],
                     ["--samples", "99999"], ["--scale", "0"], ["--scale", "nan"], ["extra"],
                     ["--nonsense"]):
            with self.subTest(argv):
                done = rbench(*argv)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn("rbench", done.stderr)

    def test_list_agrees_with_the_rows(self):
        listed = rbench("--list").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in listed],
                         [row["id"] for row in programs.list_rows()])


if __name__ == "__main__":
    unittest.main()
