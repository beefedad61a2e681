# SPDX-License-Identifier: MIT
"""A machine that is given what `radon run` would refuse: any module files, any command lines."""

import json
import os
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from guest.machine import columns, image, kernel, machine, qemu
from guest.machine.slots import machine_slot

from . import common

TO_HYPERVISOR = b"\1\1\1"  # Ctrl-A three times: keys go to the hypervisor's debug console
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


def read_until(stream, words, limit_s):
    """Bytes of a raw pipe up to where words appear, or to its end, or to the limit."""
    seen, deadline = b"", time.monotonic() + limit_s
    os.set_blocking(stream.fileno(), False)
    while words not in seen and time.monotonic() < deadline:
        data = stream.read(65536)
        if data == b"":
            break
        seen += data or b""
        if not data:
            time.sleep(0.05)
    return seen


class Live:
    """A running machine to talk to: `with Live(boot) as live`. Its console is a pipe."""

    def __init__(self, boot):
        self.boot, self.console = boot, ""

    def __enter__(self):
        self.slot = machine_slot()
        self.slot.__enter__()
        self.directory = tempfile.TemporaryDirectory(prefix="radon-")
        path = os.path.join(self.directory.name, "qmp")
        self.boot.extra += ["-qmp", "unix:%s,server=on,wait=off" % path]
        serial = ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        self.process = qemu.start(self.boot, serial, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        self.qmp = path
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            qemu.stop(self.process)
        self.process.stdin.close()
        self.process.stdout.close()
        self.directory.cleanup()
        self.slot.__exit__(None, None, None)

    def expect(self, words):
        """Reads the console until words come; returns all of it."""
        data = read_until(self.process.stdout, words.encode(), LIMIT_S)
        self.console += data.decode(errors="replace").replace("\r", "")
        if words not in self.console:
            raise AssertionError("no %r:\n%s" % (words, self.console[-2000:]))
        return self.console

    def type(self, keys):
        self.process.stdin.write(keys)

    def monitor(self, command):
        """One command without arguments by QEMU's machine protocol (a JSON object a line)."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT_S)
            connection.connect(self.qmp)
            with connection.makefile("r") as lines:
                lines.readline()  # the greeting
                for name in ("qmp_capabilities", command):
                    connection.sendall(json.dumps({"execute": name}).encode() + b"\n")
                    answer = {}
                    while "return" not in answer and "error" not in answer:
                        answer = json.loads(lines.readline())
        return answer

    def end(self):
        """QEMU's exit status."""
        self.console += read_until(self.process.stdout, b"\0never", LIMIT_S).decode("latin-1")
        return self.process.wait(LIMIT_S)


class RawCase(unittest.TestCase):
    """run() boots the hypervisor on files; its console is then in self.console."""

    @classmethod
    def setUpClass(cls):
        if common.ON != "radon":
            raise unittest.SkipTest("of Radon's own loader")
        common.prepare("radon")
        cls.directory = tempfile.TemporaryDirectory(prefix="radon-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.linux = kernel.newest()
        with open(cls.linux, "rb") as file:
            cls.bzimage = file.read()
        cls.initrd = cls.file("initrd", image.build(["true"]))

    @classmethod
    def file(cls, name, data):
        path = os.path.join(cls.directory.name, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def boot(self, options="dom0_mem=512M", modules=None, memory=1024, linux_line=LINUX,
             extra=(), on="radon", clock="tcg", cpus=1):
        if modules is None:
            modules = [self.linux + " " + linux_line, self.initrd]
        common.prepare(on)
        return qemu.Boot(columns.hypervisor_image(on), CONSOLE + options,
                         ",".join(text.replace(",", ",,") for text in modules), memory=memory,
                         extra=list(extra), clock=clock, cpus=cpus, timeout=LIMIT_S)

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
