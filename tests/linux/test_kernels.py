# SPDX-License-Identifier: MIT
"""The same kernel in every packing that a bzImage may have, as a plain ELF, and damaged."""

import os
import struct
import subprocess
import tempfile

from guest.machine import kernel

from . import common

PACKERS = {"gzip": ["gzip", "-9nc"], "xz": ["xz", "--check=crc32", "-c"],
           "lz4": ["lz4", "-qlc"], "zstd": ["zstd", "-qc"]}


def repack(bzimage, elf, packer):
    """The bzImage with its payload replaced, packed as the kernel's build does it: the unpacked size
    follows, except for gzip, whose format has it."""
    start, _ = kernel.payload_place(bzimage, "kernel")
    payload = subprocess.run(PACKERS[packer], input=elf, stdout=subprocess.PIPE, check=True).stdout
    if packer != "gzip":
        payload += struct.pack("<I", len(elf))
    image = bytearray(bzimage[:start] + payload)
    struct.pack_into("<I", image, 0x24C, len(payload))
    struct.pack_into("<I", image, 0x1F4, (len(image) - (image[0x1F1] + 1) * 512 + 15) // 16)
    return bytes(image)


class Kernels(common.Case):
    @classmethod
    def setUpClass(cls):
        cls.path = kernel.newest()
        with open(cls.path, "rb") as file:
            cls.bzimage = file.read()
        with open(kernel.elf(cls.path), "rb") as file:
            cls.elf = file.read()

    def boots(self, image):
        with tempfile.NamedTemporaryFile(prefix="kernel-") as file:
            file.write(image)
            file.flush()
            text = self.run_ok("uname -r", kernel=file.name)
        self.assertEqual(text.strip(), kernel.release(self.path))

    def test_gzip(self):
        self.boots(repack(self.bzimage, self.elf, "gzip"))

    def test_lz4(self):
        self.boots(repack(self.bzimage, self.elf, "lz4"))

    def test_zstd(self):
        self.boots(repack(self.bzimage, self.elf, "zstd"))

    def test_xz(self):
        self.boots(repack(self.bzimage, self.elf, "xz"))

    def test_plain_elf(self):
        self.boots(self.elf)

    def test_damaged_payload_is_refused(self):
        damaged = bytearray(self.bzimage)
        damaged[len(damaged) // 2] ^= 0xFF
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "kernel")
            with open(path, "wb") as file:
                file.write(damaged)
            result = self.boot("true", kernel=path, timeout=60)
        self.assertEqual(result.status, 1, result.tail())
        self.assertTrue(result.reason)
