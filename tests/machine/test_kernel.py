# SPDX-License-Identifier: MIT
"""Kernel files: Debian's is taken, foreign ones are refused in words."""

import os
import struct
import tempfile
import unittest

from guest.machine import kernel, modules
from guest.machine.errors import RadonError, RunError, UsageError


class Files(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, "kernel")
        with open(kernel.newest(), "rb") as file:
            self.debian = file.read()

    def refused(self, data, words):
        with open(self.path, "wb") as file:
            file.write(data)
        with self.assertRaisesRegex(RadonError, words):
            kernel.check(self.path)

    def test_debian(self):
        kernel.check(kernel.newest())
        self.assertIn(kernel.release(kernel.newest()), kernel.newest())

    def test_missing(self):
        with self.assertRaises(UsageError):
            kernel.check(self.path)

    def test_foreign(self):
        self.refused(b"", "neither")
        self.refused(b"#!/bin/sh\n" + b"#" * 5000, "neither")
        arm = bytearray(b"\x7fELF\x02\x01\x01".ljust(64, b"\0"))
        struct.pack_into("<H", arm, 18, 183)
        self.refused(bytes(arm), "not for 64-bit x86")
        self.refused(self.debian[:100000], "truncated")
        old = bytearray(self.debian)
        struct.pack_into("<H", old, 0x206, 0x201)
        self.refused(bytes(old), "too old")

    def test_elf_inside(self):
        with open(kernel.elf(kernel.newest()), "rb") as file:
            self.assertEqual(file.read(4), b"\x7fELF")

    def test_damaged_payload(self):
        damaged = bytearray(self.debian)
        damaged[len(damaged) // 2] ^= 0xFF
        with open(self.path, "wb") as file:
            file.write(damaged)
        with self.assertRaises(RunError):
            kernel.elf(self.path)

    def test_modules_come_after_what_they_need(self):
        release = kernel.release(kernel.newest())
        names = [os.path.basename(path) for path in modules.closure(release, modules.DISK)]
        for first, second in (("scsi_mod.ko", "libata.ko"), ("libata.ko", "libahci.ko"),
                              ("libahci.ko", "ahci.ko"), ("jbd2.ko", "ext4.ko")):
            self.assertLess(names.index(first), names.index(second))
        with self.assertRaises(RunError):
            modules.closure(release, ["no_such_driver"])
        with self.assertRaises(RunError):
            modules.closure("0.0", ["ahci"])
