# SPDX-License-Identifier: MIT
"""A machine that is given what `radon run` would refuse: any module files, any command lines."""

import os
import struct
import tempfile
import unittest

from guest.machine import image, kernel, machine, qemu
from guest.machine.paths import HYPERVISOR

from . import common

CONSOLE = "console=com1 com1=115200,8n1 "
LINUX = "console=hvc0 panic=-1"
LIMIT_S = 90  # of wall time: a machine that takes so long hangs
PT_LOAD, PT_NOTE = 1, 4
LOAD_AT = 0x1000000


def elf_note(kind, number):
    """A note of Xen's (public/elfnote.h) with a 32-bit number."""
    return struct.pack("<III4sI", 4, 4, kind, b"Xen\0", number)


def elf(notes=b""):
    """A minimal 64-bit ELF kernel: one page of hlt, and these notes."""
    size = 0x1000
    headers = struct.pack("<IIQQQQQQ", PT_LOAD, 5, 0, LOAD_AT, LOAD_AT, size, size, size)
    if notes:
        headers += struct.pack("<IIQQQQQQ", PT_NOTE, 4, 0x200, LOAD_AT + 0x200, LOAD_AT + 0x200,
                               len(notes), len(notes), 4)
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, LOAD_AT, 64, 0, 0, 64, 56,
                       2 if notes else 1, 0, 0, 0)
    return ((head + headers).ljust(0x200, b"\0") + notes).ljust(size, b"\xf4")


def elf32():
    return (b"\x7fELF\1\1\1".ljust(16, b"\0") + struct.pack("<HHI", 2, 3, 1)).ljust(4096, b"\0")


class RawCase(unittest.TestCase):
    """run() boots the hypervisor on files; its console is then in self.console."""

    @classmethod
    def setUpClass(cls):
        common.prepare("radon")
        cls.directory = tempfile.TemporaryDirectory(prefix="radon-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.linux = kernel.newest()
        with open(cls.linux, "rb") as file:
            cls.bzimage = file.read()
        cls.initrd = cls.file("initrd", image.build(["true"]))

    def setUp(self):
        if common.ON != "radon":
            self.skipTest("of Radon's own loader")

    @classmethod
    def file(cls, name, data):
        path = os.path.join(cls.directory.name, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def boot(self, options="dom0_mem=512M", modules=None, memory=1024, linux_line=LINUX, extra=()):
        if modules is None:
            modules = [self.linux + " " + linux_line, self.initrd]
        return qemu.Boot(HYPERVISOR, CONSOLE + options,
                         ",".join(text.replace(",", ",,") for text in modules), memory=memory,
                         extra=list(extra), timeout=LIMIT_S)

    def run_raw(self, **settings):
        """QEMU's status; a machine that does not end fails the test."""
        ended = qemu.run(self.boot(**settings))
        self.console = ended.console.decode(errors="replace").replace("\r", "")
        self.assertFalse(ended.timed_out, "hangs:\n" + self.console[-2000:])
        return ended.status

    def refused(self, reason, **settings):
        """The hypervisor ends the machine with exactly one line that says why."""
        status = self.run_raw(**settings)
        self.assertEqual(status, machine.CRASH_STATUS, self.console[-2000:])
        lines = [line for line in self.console.split("\n") if "*** panic" in line]
        self.assertEqual(len(lines), 1, self.console[-2000:])
        self.assertRegex(lines[0], reason)

    def boots(self, **settings):
        self.assertEqual(self.run_raw(**settings), 0, self.console[-2000:])
        self.assertIn("Run /init as init process", self.console)
