# SPDX-License-Identifier: MIT
"""The command `radon`: its exit statuses, and what it prints where."""

import os
import re
import subprocess
import tempfile
import unittest

from guest.machine import kernel
from guest.machine.paths import ROOT

RADON = os.path.join(ROOT, "radon")


def radon(*arguments, timeout=300):
    return subprocess.run([RADON, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False)


class Usage(unittest.TestCase):
    """Wrong requests: one line on stderr, nothing on stdout, at once."""

    def refused(self, status, words, *arguments):
        done = radon(*arguments, timeout=30)
        text = done.stderr.decode()
        self.assertEqual((done.returncode, done.stdout), (status, b""), text)
        self.assertRegex(text, words)
        self.assertEqual(text.count("\n"), 1, text)

    def test_options(self):
        run = ("run", "--on", "native")
        self.refused(2, "no command 'frob'", "frob")
        self.refused(2, "unrecognized arguments: --bogus", *run, "--bogus", "--", "true")
        self.refused(2, "invalid choice: 'vax'", "run", "--on", "vax", "--", "true")
        self.refused(2, "invalid choice: 'sun'", *run, "--clock", "sun", "--", "true")
        self.refused(2, "no size", *run, "--memory", "much", "--", "true")
        self.refused(2, "no number of seconds", *run, "--timeout", "-1", "--", "true")
        self.refused(2, "comes after --", *run, "true")
        self.refused(2, "give a command", *run)
        self.refused(2, "-i takes no command", *run, "-i", "--", "true")
        self.refused(2, "1 to 255", *run, "--cpus", "0", "--", "true")
        self.refused(2, "no stage nosuch", "test", "nosuch")
        self.refused(2, "invalid choice: 'native'", "dom0", "--on", "native", "--", "true")
        self.refused(2, "give a command", "dom0")
        self.refused(2, "comes after --", "dom0", "true")
        self.refused(2, "is for --on radon", *run, "--trace", "t", "--", "true")
        self.refused(2, "--fast is for a command on Radon", *run, "--fast", "--", "true")
        self.refused(2, "-e is for --trace", "run", "-e", "all", "--", "true")
        self.refused(2, "not with -i", "run", "--trace", "t", "-i")
        self.refused(2, "--trace /nope/x: no such directory", "run", "--trace", "/nope/x", "--", "true")
        self.refused(2, "radon trace dump takes no command", "trace", "dump", "t", "--", "true")
        self.refused(2, "--flame /nope/x: no such directory", "profile", "--flame", "/nope/x", "--", "true")
        self.refused(2, "give a command", "profile")
        self.refused(2, "give a command", "stat")
        self.refused(2, "give a command", "stat", "--exact")
        self.refused(2, "invalid choice: 'xen'", "stat", "--on", "xen", "--", "true")
        self.refused(2, "-o /nope/x: no such directory", "stat", "-o", "/nope/x", "--", "true")
        for text in ("x:y", "/x", "/x:", ":y"):
            self.refused(2, "/INSIDE:FILE is expected", *run, "--get", text, "--", "true")

    def test_files(self):
        run = ("run", "--on", "native")
        self.refused(2, "cannot read the kernel /nope: No such file", *run, "--kernel", "/nope",
                     "--", "true")
        self.refused(1, "neither a Linux bzImage", *run, "--kernel", RADON, "--", "true")
        self.refused(2, "cannot read the initrd", *run, "--initrd", "/nope", "--", "true")
        self.refused(1, "no initrd", *run, "--initrd", RADON, "--", "true")
        self.refused(2, "no such file", *run, "--add", "/nope", "--", "true")
        self.refused(2, "cannot read the disk", *run, "--disk", "/nope", "--", "true")
        self.refused(2, "no such directory", *run, "--log", "/nope/x", "--", "true")
        self.refused(2, "no such directory", *run, "--get", "/x:/nope/x", "--", "true")
        self.refused(2, "is a directory", *run, "--get", "/x:/tmp", "--", "true")
        self.refused(2, "no such directory", "dom0", "--disk", "/nope/x", "--", "true")
        self.refused(1, "neither a Linux bzImage", "dom0", "--kernel", RADON, "--", "true")

    def test_truncated_initrd(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"070701" + b"0" * 5000)
            file.flush()
            self.refused(1, "truncated|damaged", "run", "--on", "native", "--initrd", file.name, "--",
                         "true")

    def test_memory(self):
        self.refused(2, "too little memory: --memory 64M", "run", "--on", "native", "--memory", "64M",
                     "--", "true")
        self.refused(2, "too little memory: --dom0-memory 32M", "run", "--on", "xen",
                     "--dom0-memory", "32M", "--", "true")
        self.refused(2, "too little memory: --memory 512M", "run", "--on", "xen", "--memory", "512M",
                     "--", "true")

    def test_help(self):
        for arguments in ((), ("run",), ("build",), ("test",), ("doctor",), ("bench",),
                          ("dom0",), ("stat",), ("trace",), ("profile",)):
            done = radon(*arguments, "--help", timeout=30)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(b"example", done.stdout)
        self.assertEqual(radon(timeout=30).returncode, 2)

    def test_version(self):
        for arguments in ((), ("run",)):
            text = radon(*arguments, "--version", timeout=30).stdout.decode()
            self.assertRegex(text, r"^radon \d+\.\d+ \(\S.*\)\n$")


class Machine(unittest.TestCase):
    """Native Linux, so that only the runner is on trial."""

    def test_streams_and_status(self):
        done = radon("run", "--on", "native", "--", "printf 'a\\0b\\r\\n'; echo oops >&2; exit 7")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, b"a\0b\r\n", b"oops\n"))

    def test_words_are_not_for_the_shell(self):
        done = radon("run", "--on", "native", "--", "printf", "%s|", "a b", "$HOME", "")
        self.assertEqual((done.returncode, done.stdout), (0, b"a b|$HOME||"))

    def test_command_not_found_and_killed(self):
        self.assertEqual(radon("run", "--on", "native", "--", "nosuch", "x").returncode, 127)
        self.assertEqual(radon("run", "--on", "native", "--", "kill -9 $$").returncode, 137)

    def test_large_output(self):
        with open("/usr/bin/busybox" if os.path.exists("/usr/bin/busybox") else "/bin/busybox",
                  "rb") as file:
            expected = file.read(1 << 20)
        done = radon("run", "--on", "native", "--", "head -c 1048576 /bin/busybox")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == expected, "%d bytes came" % len(done.stdout))

    def test_timeout(self):
        done = radon("run", "--on", "native", "--timeout", "10", "--", "sleep 1000")
        self.assertEqual((done.returncode, done.stdout), (124, b""))
        self.assertIn(b"timed out after 10 s", done.stderr)

    def test_guest_panic(self):
        done = radon("run", "--on", "native", "--", "echo before; sleep 1; echo c > /proc/sysrq-trigger")
        self.assertEqual((done.returncode, done.stdout), (1, b"before\n"))
        self.assertIn(b"the machine stopped before the command ended: Kernel panic - not syncing: "
                      b"sysrq triggered crash", done.stderr)

    def test_add_and_log(self):
        with tempfile.TemporaryDirectory() as directory:
            log = os.path.join(directory, "log")
            done = radon("run", "--on", "native", "--add", "/usr/bin/xz", "--add", RADON + ":/etc/",
                         "--log", log, "--", "echo hello | /usr/bin/xz -c | /usr/bin/xz -dc; head -n 1 /etc/radon")
            self.assertEqual((done.returncode, done.stdout),
                             (0, b"hello\n#!/usr/bin/env python3\n"), done.stderr)
            with open(log, "rb") as file:
                text = file.read()
            self.assertIn(b"Linux version", text)
            self.assertNotIn(b"~R0", text)

    def test_get(self):
        with tempfile.TemporaryDirectory() as directory:
            first, second = os.path.join(directory, "a"), os.path.join(directory, "b")
            both = ("--get", "/tmp/a:" + first, "--get", "/tmp/b:" + second)
            done = radon("run", "--on", "native", *both, "--",
                         "head -c 1000003 /bin/busybox > /tmp/a; : > /tmp/b; exit 3")
            self.assertEqual((done.returncode, done.stderr), (3, b""))
            with open("/usr/bin/busybox" if os.path.exists("/usr/bin/busybox") else "/bin/busybox",
                      "rb") as file, open(first, "rb") as came:
                self.assertTrue(came.read() == file.read(1000003))
            self.assertEqual(os.path.getsize(second), 0)
            done = radon("run", "--on", "native", *both, "--", "echo 1 > /tmp/b")
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"there is no file /tmp/a in the machine", done.stderr)
            self.assertEqual(os.path.getsize(second), 2)

    def test_initrd_below_ours(self):
        initrd = kernel.newest().replace("vmlinuz", "initrd.img")
        if not os.path.exists(initrd):
            self.skipTest("no " + initrd)
        done = radon("run", "--on", "native", "--initrd", initrd, "--", "ls -d /scripts /radon")
        self.assertEqual((done.returncode, done.stdout), (0, b"/radon\n/scripts\n"), done.stderr)

    def test_instruction_time_repeats(self):
        outputs = [radon("run", "--on", "native", "--clock", "instr", "--",
                         "cat /proc/uptime /proc/sys/kernel/random/uuid; dmesg").stdout
                   for _ in range(2)]
        self.assertTrue(re.match(rb"\d+\.\d\d ", outputs[0]))
        self.assertEqual(outputs[0], outputs[1])
