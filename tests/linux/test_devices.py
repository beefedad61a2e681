# SPDX-License-Identifier: MIT
"""Domain 0 drives the devices; the console carries what it should."""

import os
import subprocess
import tempfile

from . import common

DISK_MIB = 64


class Devices(common.Case):
    def test_disk(self):
        with tempfile.TemporaryDirectory() as directory:
            disk = os.path.join(directory, "disk")
            with open(disk, "wb") as file:
                file.truncate(DISK_MIB << 20)
            text = self.run_ok(
                "head -c 20971520 /dev/urandom > /tmp/data && dd if=/tmp/data of=/dev/sda bs=1M conv=fsync "
                "2>/dev/null && echo 3 > /proc/sys/vm/drop_caches && "
                "head -c 20971520 /dev/sda | md5sum && md5sum < /tmp/data", disk=disk, cpus=2)
            sums = text.split()
            self.assertEqual(sums[0], sums[2])
            with open(disk, "rb") as file:
                content = file.read(20 << 20)
        mine = subprocess.run(["md5sum"], input=content, stdout=subprocess.PIPE, check=True)
        self.assertEqual(mine.stdout.split()[0].decode(), sums[0])

    def test_network(self):
        text = self.run_ok("ping -c 5 -W 5 10.0.2.2; grep eth0 /proc/interrupts", net=True)
        self.assertIn(" 0% packet loss", text)

    def test_large_output(self):
        result = self.boot("head -c 1048576 /bin/busybox")
        self.assertEqual((result.reason, result.status), ("", 0))
        with open("/bin/busybox", "rb") as file:
            self.assertTrue(file.read(1 << 20) == result.stdout, "%d bytes" % len(result.stdout))

    def test_output_between_kernel_messages(self):
        text = self.run_ok("dmesg -n 8; for i in $(seq 200); do echo line $i; "
                           "echo message $i > /dev/kmsg; done", cpus=2)
        self.assertEqual(text, "".join("line %d\n" % i for i in range(1, 201)))

    def test_status(self):
        self.assertEqual(self.boot("exit 42").status, 42)
        self.assertEqual(self.boot("kill -SEGV $$").status, 128 + 11)


class Ends(common.Case):
    """However the machine ends, it does end, and soon."""

    LIMIT_S = 90

    def ends(self, command, **settings):
        result = self.boot(command, timeout=self.LIMIT_S, **settings)
        self.assertNotEqual(result.status, 124, result.tail())
        return result

    def test_reboot(self):
        result = self.ends("echo now; sleep 0.2; reboot -f; sleep 60", cpus=2)
        self.assertEqual(result.stdout, b"now\n")
        self.assertIn("the machine stopped before the command ended", result.reason)

    def test_guest_panic(self):
        result = self.ends("echo c > /proc/sysrq-trigger")
        self.assertNotEqual(result.status, 0)
        self.assertIn("sysrq triggered crash", result.log)

    def test_domain_larger_than_the_machine(self):
        result = self.ends("true", memory=768, hv_cmdline="dom0_mem=4096M")
        if common.ON == "radon":
            self.assertIn("panic: too little memory: domain 0 wants", result.reason)
        self.assertTrue(result.reason or result.status == 0)

    def test_kernel_that_is_no_guest(self):
        with tempfile.TemporaryDirectory() as directory:
            source, kernel = os.path.join(directory, "k.c"), os.path.join(directory, "k")
            with open(source, "w", encoding="ascii") as file:
                file.write("void _start(void) { for (;;); }\n")
            subprocess.run(["gcc", "-static", "-nostdlib", "-no-pie", "-fcf-protection=none",
                            "-Wl,--build-id=none", "-o", kernel, source], check=True)
            result = self.ends("true", kernel=kernel)
        self.assertEqual(result.status, 1)
        self.assertTrue(result.reason)
