# SPDX-License-Identifier: MIT
"""Defects of the hypervisor, provoked by keys of its debug console: a report that names functions, and
the end of `radon run`. An NMI is no defect: it is domain 0's."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from guest.machine import image, qemu
from guest.machine.paths import ROOT
from guest.machine.slots import machine_slot

from . import common
from .raw import LIMIT_S, RawCase

TO_HYPERVISOR = b"\1\1\1"  # Ctrl-A three times


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


class Keys(unittest.TestCase):
    def setUp(self):
        if common.ON != "radon":
            self.skipTest("of Radon's own debug console")
        common.prepare("radon")

    def press(self, key):
        """Boots a shell by `radon run -i`, presses a key; (exit status, the console)."""
        with tempfile.TemporaryDirectory(prefix="radon-") as directory:
            log = os.path.join(directory, "log")
            with subprocess.Popen([sys.executable, os.path.join(ROOT, "radon"), "run", "-i", "--log", log],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, bufsize=0) as process:
                try:
                    seen = read_until(process.stdout, b"/ # ", LIMIT_S)
                    self.assertIn(b"/ # ", seen)
                    process.stdin.write(TO_HYPERVISOR + key)
                    read_until(process.stdout, b"radon stops ***", LIMIT_S)
                    status = process.wait(LIMIT_S)
                finally:
                    if process.poll() is None:
                        process.kill()
            with open(log, encoding="utf-8", errors="replace") as file:
                return status, file.read()

    def report(self, key, title, functions):
        status, console = self.press(key)
        self.assertEqual(status, 1, console[-2000:])
        self.assertEqual(console.count("*** DEFECT:"), 1, "one report:\n" + console[-4000:])
        self.assertRegex(console, title)
        names = re.findall(r"^\(radon\)     (\w+)[.\w]*\+0x[0-9a-f]+\r?$", console, re.M)
        self.assertEqual([name for name in functions if name not in names], [], console[-3000:])

    def test_page_fault(self):
        self.report(b"%", r"DEFECT: exception 14 \(error code 0002, cr2 [0-9a-f]{16}\) in the hyp",
                    ["key_page_fault", "irq_dispatch"])

    def test_stack_overflow(self):
        self.report(b"^", r"DEFECT: double fault on CPU 0", ["use_stack"])

    def test_panic(self):
        status, console = self.press(b"!")
        self.assertEqual(status, 1)
        self.assertEqual(console.count("*** panic: asked for by the debug console ***"), 1)


class Monitor:
    """QEMU's machine protocol on a socket (QMP: one JSON object a line)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r")
        self.lines.readline()  # the greeting
        self.call("qmp_capabilities")

    def call(self, command):
        self.socket.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while True:
            answer = json.loads(self.lines.readline())
            if "return" in answer or "error" in answer:
                return answer

    def close(self):
        self.lines.close()
        self.socket.close()


class Nmi(RawCase):
    """One from outside goes to domain 0, whose kernel tells of it and lives on."""

    def test_nmi(self):
        script = "echo is ready > /dev/kmsg; sleep 3; echo lives on > /dev/kmsg"
        initrd = self.file("initrd-nmi", image.build([script]))
        path = os.path.join(self.directory.name, "qmp")
        boot = self.boot(modules=[self.linux + " console=hvc0 panic=-1 ignore_loglevel", initrd],
                         extra=["-qmp", "unix:%s,server=on,wait=off" % path])
        serial = ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        with machine_slot():
            process = qemu.start(boot, serial, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 bufsize=0)
            try:
                console = read_until(process.stdout, b"is ready", LIMIT_S)
                self.assertIn(b"is ready", console)
                monitor = Monitor(path)
                self.addCleanup(monitor.close)
                self.assertEqual(monitor.call("inject-nmi"), {"return": {}})
                console += read_until(process.stdout, b"Power down", LIMIT_S)
                self.assertEqual(process.wait(LIMIT_S), 0, console[-2000:])
            finally:
                if process.poll() is None:
                    qemu.stop(process)
                process.stdin.close()
                process.stdout.close()
        self.assertRegex(console, b"NMI received for unknown reason")
        self.assertIn(b"lives on", console)
        self.assertNotIn(b"DEFECT", console)
