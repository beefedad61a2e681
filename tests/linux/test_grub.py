# SPDX-License-Identifier: MIT
"""GRUB starts the hypervisor from a medium, by multiboot 1 and 2, as on a real machine, BIOS and UEFI.

It leaves the file's name out of every command line, and by multiboot 2 it passes a copy of the ACPI root
pointer, which is all that a machine with UEFI has.
"""

import gzip
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from guest.machine import columns, image, kernel, machine, qemu

from . import common

LIMIT_S = 120  # of wall time, with a load at the speed of GRUB's disk driver
LINUX = "console=hvc0 panic=-1 grub.test=1,2"
COMMAND = "nproc; cat /proc/cmdline; grep MemTotal /proc/meminfo; cat /radon/big | wc -c"
BIG = 3_000_000  # bytes that do not pack: the initramfs is checked as a whole
CONFIG = """
serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
menuentry radon {
    %(boot)s /radon console=com1 com1=115200,8n1 loglvl=info dom0_mem=512M
    %(module)s /vmlinuz %(linux)s
    %(module)s /initrd
}
"""
BIOS, UEFI = "i386-pc", "x86_64-efi"  # as GRUB calls them
MODULES = "/usr/lib/grub/%s/multiboot2.mod"
OVMF = "/usr/share/ovmf/OVMF.fd"
CD = "if=none,id=cd,media=cdrom,format=raw,readonly=on,file="
BY_1 = {"boot": "multiboot", "module": "module"}
BY_2 = {"boot": "multiboot2", "module": "module2"}


class Grub(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for tool in ("grub-mkrescue", "xorriso", "mformat"):
            if not shutil.which(tool):
                raise unittest.SkipTest("no " + tool)
        if not os.path.exists(MODULES % BIOS):
            raise unittest.SkipTest("no grub-pc-bin")
        common.prepare(common.ON)
        cls.directory = tempfile.TemporaryDirectory(prefix="radon-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.big = os.path.join(cls.directory.name, "big")
        with open(cls.big, "wb") as file:
            file.write(os.urandom(BIG))
        cls.tree = os.path.join(cls.directory.name, "tree")
        os.makedirs(os.path.join(cls.tree, "boot", "grub"))
        cls.put("radon", cls.hypervisor())
        with open(kernel.newest(), "rb") as file:
            cls.put("vmlinuz", file.read())
        cls.put("initrd", image.build([COMMAND], [(cls.big, "/radon/big")]))

    @classmethod
    def put(cls, name, data):
        with open(os.path.join(cls.tree, name), "wb") as file:
            file.write(data)

    @staticmethod
    def hypervisor():
        with open(columns.hypervisor_image(common.ON), "rb") as file:
            data = file.read()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data

    def medium(self, words, platform):
        """A CD with this configuration; its path."""
        self.put("boot/grub/grub.cfg", (CONFIG % dict(words, linux=LINUX)).encode())
        path = os.path.join(self.directory.name, "cd.iso")
        done = subprocess.run(["grub-mkrescue", "-d", os.path.dirname(MODULES % platform), "-o", path,
                               self.tree], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return path

    def boot(self, words, cpus, memory, platform):
        """Domain 0's lines; the hypervisor's are then in self.console."""
        collector = machine.Collector()
        extra = ["-drive", CD + self.medium(words, platform), "-device", "ide-cd,drive=cd"]
        extra += ["-machine", "q35", "-bios", OVMF] if platform == UEFI else []
        ended = qemu.run(qemu.Boot("", cpus=cpus, memory=memory, extra=extra, timeout=LIMIT_S),
                         collector.feed)
        collector.finish()
        self.console = ended.console.decode(errors="replace").replace("\r", "")
        self.assertFalse(ended.timed_out, "hangs:\n" + self.console[-2000:])
        self.assertEqual(ended.status, 0, self.console[-2000:])
        self.assertEqual(collector.status, 0, self.console[-2000:])
        return b"".join(collector.parts["o"]).decode().splitlines()

    def check(self, words, cpus, memory=1024, platform=BIOS, line_pattern=re.escape(LINUX)):
        count, line, mem_total, size = self.boot(words, cpus, memory, platform)
        self.assertEqual(int(count), cpus)
        self.assertRegex(line, "^%s$" % line_pattern)
        self.assertTrue(256 << 10 < int(mem_total.split()[1]) <= 512 << 10, mem_total)
        self.assertEqual(int(size), BIG)

    def test_multiboot_2(self):
        self.check(BY_2, cpus=2)
        if common.ON == "radon":
            self.assertIn("ACPI: RSDP 0x0 (the boot loader's copy), 2 CPUs", self.console)

    def test_multiboot_1(self):
        self.check(BY_1, cpus=2)
        if common.ON == "radon":
            self.assertRegex(self.console, "ACPI: RSDP 0x[0-9a-f]{5}, 2 CPUs")

    def test_uefi(self):
        """Its ACPI tables are found, domain 0's too: it powers the machine off."""
        for path in (OVMF, MODULES % UEFI):
            if not os.path.exists(path):
                self.skipTest("no " + path)
        if common.ON == "xen":
            self.skipTest("Xen takes UEFI's own services, which change what is seen here")
        self.check(BY_2, cpus=2, platform=UEFI,
                   line_pattern="acpi_rsdp=0x[0-9a-f]+ " + re.escape(LINUX))
        self.assertRegex(self.console, "ACPI: the copied RSDP is at 0x[0-9a-f]{8}\n")

    def test_memory_above_4_gib(self):
        self.check(BY_2, cpus=1, memory=5120)
