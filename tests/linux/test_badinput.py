# SPDX-License-Identifier: MIT
"""What the boot loader may pass that is wrong: a reason in one line, and the end; never a hang."""

from guest.machine import kernel

from .raw import LINUX, RawCase, elf, elf32, elf_note

PHYS32_ENTRY = 18  # XEN_ELFNOTE_PHYS32_ENTRY: PVH


class Kernel(RawCase):
    def test_none(self):
        self.refused("no kernel for domain 0", modules=[])

    def test_empty(self):
        self.refused("the file is empty", modules=[self.file("empty", b"")])

    def test_foreign(self):
        for name, data, reason in (
                ("text", b"a text file\n" * 400, "not a bzImage and not an ELF file"),
                ("byte", b"\x7f", "not a bzImage and not an ELF file"),
                ("native", elf(), "no Xen ELF notes"),
                ("elf32", elf32(), "a 32-bit ELF file"),
                ("pvh", elf(elf_note(PHYS32_ENTRY, 0x1000000)), "no PV entry point")):
            with self.subTest(name):
                self.refused("kernel: " + reason, modules=[self.file(name, data)])

    def test_cut_short(self):
        payload_end = sum(kernel.payload_place(self.bzimage, self.linux))
        for length in (0x1FF, 1000, payload_end // 2, payload_end - 1):
            with self.subTest(length):
                self.refused("kernel: ", modules=[self.file("cut", self.bzimage[:length])])

    def test_damaged(self):
        for at in (len(self.bzimage) // 4, len(self.bzimage) // 2):
            data = bytearray(self.bzimage)
            data[at] ^= 0xFF
            with self.subTest(at):
                self.refused("payload is damaged", modules=[self.file("damaged", bytes(data))])


class Initrd(RawCase):
    """Its contents are domain 0's affair: the kernel panics, and that ends the machine."""

    def test_garbage(self):
        garbage = self.file("garbage", b"\xde\xad" * 30000)
        status = self.run_raw(modules=[self.linux + " " + LINUX, garbage])
        self.assertNotEqual(status, 0)
        self.assertIn("Unable to mount root fs", self.console)

    def test_none(self):
        self.assertNotEqual(self.run_raw(modules=[self.linux + " " + LINUX]), 0)
        self.assertIn("Unable to mount root fs", self.console)

    def test_more_modules_than_are_kept(self):
        more = [self.file("module%d" % i, b"x" * 5000) for i in range(10)]
        self.boots(modules=[self.linux + " " + LINUX, self.initrd, *more])
        self.assertIn("only the first 8 boot modules are kept", self.console)


class Options(RawCase):
    def test_unknown_is_a_warning(self):
        self.boots(options="dom0_mem=512M frobnicate=7 " + "a=b " * 3000)
        self.assertEqual(self.console.count("unknown option: frobnicate=7"), 1)
        self.assertEqual(self.console.count("unknown option: a=b"), 1)

    def test_bad_device_is_an_error_and_the_default(self):
        self.boots(options="dom0_mem=512M com1=junk " + "y" * 9000)
        self.assertIn("error: command line: bad value: com1=junk", self.console)

    def test_bad_size_of_domain_0(self):
        for value in ("banana", "99999999999999G", "512M512M"):
            with self.subTest(value):
                self.refused("bad value: dom0_mem=" + value, options="dom0_mem=" + value)
        self.refused("bad value: dom0_max_vcpus=many", options="dom0_max_vcpus=many")

    def test_domain_0_too_small(self):
        self.refused(r"too little memory for its kernel and initrd: 1 MiB, needs \d+ MiB",
                     options="dom0_mem=1M")

    def test_domain_0_larger_than_the_machine(self):
        self.refused("too little memory: domain 0 wants", options="dom0_mem=100G")

    def test_long_line_of_domain_0(self):
        self.boots(linux_line=LINUX + " " + "x" * 6000)
        self.assertIn("domain 0's command line is cut to 1023 bytes", self.console)


class Memory(RawCase):
    def test_too_small_machines(self):
        for mib in (4, 8, 16, 32, 64, 96, 128, 192):
            for options in ("dom0_mem=512M", ""):
                with self.subTest(mib=mib, options=options):
                    self.refused("too little memory", memory=mib, options=options)

    def test_smallest_machine(self):
        self.boots(memory=256, options="dom0_mem=128M")
