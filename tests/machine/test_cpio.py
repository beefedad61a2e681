# SPDX-License-Identifier: MIT
"""The archive writer: the same bytes every time, readable by cpio; the checker: finds damage."""

import gzip
import lzma
import os
import subprocess
import tempfile
import unittest

from guest.machine import cpio
from guest.machine.errors import RunError


def sample(order=1):
    archive = cpio.Archive((("/bin", "usr/bin"),))
    files = [("/bin/tool", b"\x7fELF", 0o755), ("/etc/empty", b"", 0o644),
             ("/var/lib/x/data", bytes(range(256)) * 5, 0o600)]
    for path, data, mode in files[::order]:
        archive.file(path, data, mode)
    archive.symlink("/bin/link", "tool")
    archive.device("/dev/console", 5, 1)
    return archive.bytes()


class Writer(unittest.TestCase):
    def test_order_and_time_do_not_matter(self):
        self.assertEqual(sample(1), sample(-1))

    def test_host_times_and_owners_do_not_matter(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "file")
            images = []
            for when in (1, 1000000000):
                with open(path, "wb") as file:
                    file.write(b"same")
                os.utime(path, (when, when))
                archive = cpio.Archive()
                archive.copy(directory, "/tree")
                images.append(archive.bytes())
            self.assertEqual(images[0], images[1])
            os.chmod(path, 0o755)
            archive = cpio.Archive()
            archive.copy(directory, "/tree")
            self.assertNotEqual(images[0], archive.bytes())

    def test_cpio_reads_it(self):
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(["cpio", "-idm", "--quiet", "--no-absolute-filenames"],
                                  input=sample(), cwd=directory, stderr=subprocess.PIPE, check=False)
            self.assertTrue(done.returncode == 0 or b"mknod" in done.stderr, done.stderr)
            with open(os.path.join(directory, "var/lib/x/data"), "rb") as file:
                self.assertEqual(file.read(), bytes(range(256)) * 5)
            self.assertEqual(os.readlink(os.path.join(directory, "bin")), "usr/bin")
            self.assertEqual(os.readlink(os.path.join(directory, "usr/bin/link")), "tool")
            tool = os.stat(os.path.join(directory, "usr/bin/tool"))
            self.assertEqual((tool.st_mode & 0o777, tool.st_mtime), (0o755, 0))


class Checker(unittest.TestCase):
    def test_whole_ones_pass(self):
        plain = sample()
        for data in (plain, gzip.compress(plain), lzma.compress(plain), plain + b"\0" * 12 + plain,
                     plain + lzma.compress(plain)):
            self.assertGreaterEqual(cpio.check(data, "x"), len(plain) - 512)

    def test_tools_of_debian(self):
        for tool in (["zstd", "-qc"], ["lz4", "-qlc"], ["xz", "-c"], ["gzip", "-c"]):
            with self.subTest(tool=tool[0]):
                packed = subprocess.run(tool, input=sample(), stdout=subprocess.PIPE, check=True)
                cpio.check(packed.stdout, "x")
                with self.assertRaises(RunError):
                    cpio.check(packed.stdout[: len(packed.stdout) // 2], "x")

    def test_every_truncation_is_found(self):
        plain = sample().rstrip(b"\0")
        for length in range(len(plain) - len(cpio.TRAILER)):
            with self.assertRaises(RunError, msg=length):
                cpio.check(plain[:length], "x")

    def test_rubbish(self):
        for data in (b"", b"hello", b"070701" + b"z" * 200, b"\x1f\x8b" + b"\0" * 50,
                     b"\x28\xb5\x2f\xfd" + b"\1" * 20):
            with self.assertRaises(RunError):
                cpio.check(data, "x")
