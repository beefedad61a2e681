# SPDX-License-Identifier: MIT
"""Numbers that must hold: size, memory, time to boot, time to build. docs/measurements.md has what
they were. Each test prints its figures to standard error."""

import os
import re
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from guest.machine import image, kernel, qemu
from guest.machine.paths import BUILD, ROOT

from . import common
from .raw import TO_HYPERVISOR, Live, RawCase

KIB, MIB = 1024, 1 << 20
IMAGE_LIMIT = MIB  # bytes of the hypervisor without the unpackers
BUILD_LIMIT_S = 60
MACHINE_MIB, DOM0_MIB = 4096, 512
SHT_NOBITS, SHF_ALLOC = 8, 2
PT_LOAD, PT_NOTE = 1, 4
XEN_ELFNOTE_ENTRY = 1
XZ = ["xz", "-c", "--check=crc32", "--x86", "--lzma2=preset=1,dict=32MiB"]
DEBUGCON = 0xE9
# At the kernel's first instruction: the TSC's eight bytes to QEMU's debug console, and QEMU's end.
# PHYSDEVOP_set_iopl (command 6 of hypercall 33) with {1}: domain 0's kernel may use ports.
REPORT_TSC = """
        rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        mov     %rax, %rbx
        push    $1
        mov     %rsp, %rsi
        mov     $6, %edi
        mov     $33, %eax
        syscall
        mov     $8, %ebp
1:      mov     %ebx, %eax
        out     %al, $0xe9
        shr     $8, %rbx
        dec     %ebp
        jnz     1b
        out     %al, $0xf4
2:      jmp     2b
"""


def tell(text, *values):
    print("measured: " + text % values, file=sys.stderr, flush=True)


def section_sizes(path):
    """{name: bytes in memory} of an ELF file."""
    with open(path, "rb") as file:
        data = file.read()
    offset, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    rows = [struct.unpack_from("<IIQQQQ", data, offset + i * size) for i in range(count)]
    strings = rows[names][4]
    return {data[strings + row[0] : data.index(b"\0", strings + row[0])].decode(): row[5]
            for row in rows if row[2] & SHF_ALLOC}


def assemble(source, directory):
    """The machine code of 64-bit assembly text."""
    obj, binary = os.path.join(directory, "code.o"), os.path.join(directory, "code")
    subprocess.run(["gcc", "-c", "-x", "assembler", "-o", obj, "-"], input=source.encode(),
                   check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", obj, binary], check=True)
    with open(binary, "rb") as file:
        return file.read()


def program_headers(elf):
    """(type, offset, vaddr, file size) of each."""
    offset, = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    for i in range(count):
        kind, _, place, vaddr, _, length = struct.unpack_from("<IIQQQQ", elf, offset + i * size)
        yield kind, place, vaddr, length


def file_offset(elf, address):
    """Where in the file a virtual address is."""
    for kind, at, vaddr, length in program_headers(elf):
        if kind == PT_LOAD and vaddr <= address < vaddr + length:
            return at + address - vaddr
    raise AssertionError("%x is in no segment" % address)


def pv_entry(elf):
    """The file offset of the PV entry point that Xen's ELF note names."""
    for kind, at, _, length in program_headers(elf):
        end = at + length
        while kind == PT_NOTE and at < end:
            name_size, size, note = struct.unpack_from("<III", elf, at)
            text = at + 12 + (name_size + 3) // 4 * 4
            if elf[at + 12 : at + 16] == b"Xen\0" and note == XEN_ELFNOTE_ENTRY:
                return file_offset(elf, struct.unpack_from("<Q", elf, text)[0])
            at = text + (size + 3) // 4 * 4
    raise AssertionError("no PV entry point")


def reporting_kernel(bzimage, elf, code):
    """The bzImage whose kernel tells the TSC at its first instruction, packed as Debian's is."""
    patched = bytearray(elf)
    at = pv_entry(elf)
    patched[at : at + len(code)] = code
    payload = subprocess.run(XZ, input=patched, stdout=subprocess.PIPE, check=True).stdout
    payload += struct.pack("<I", len(patched))
    start, _ = kernel.payload_place(bzimage, "kernel")
    packed = bytearray(bzimage[:start] + payload)
    struct.pack_into("<I", packed, 0x24C, len(payload))
    struct.pack_into("<I", packed, 0x1F4, (len(packed) - (packed[0x1F1] + 1) * 512 + 15) // 16)
    return bytes(packed)


class BootTime(RawCase):
    def reset_to_kernel(self, on, path):
        """Nanoseconds of instruction time from reset to domain 0's first instruction."""
        out = os.path.join(self.directory.name, "tsc-" + on)
        boot = self.boot(modules=[path + " console=hvc0", self.initrd], on=on, clock="instr",
                         extra=["-chardev", "file,id=tsc,path=" + out,
                                "-device", "isa-debugcon,iobase=%#x,chardev=tsc" % DEBUGCON])
        ended = qemu.run(boot)
        with open(out, "rb") as file:
            data = file.read()
        console = ended.console.decode(errors="replace")[-2000:]
        self.assertEqual((ended.status & 1, len(data)), (1, 8), console)
        return int.from_bytes(data, "little")

    def test_reset_to_kernel(self):
        with open(kernel.elf(self.linux), "rb") as file:
            code = assemble(REPORT_TSC, self.directory.name)
            path = self.file("reporting", reporting_kernel(self.bzimage, file.read(), code))
        mine, peer = (self.reset_to_kernel(on, path) for on in ("radon", "xen"))
        tell("reset to domain 0's first instruction: Radon %.1f ms, Xen %.1f ms", mine / 1e6,
             peer / 1e6)
        self.assertLess(mine, peer)


class Memory(RawCase):
    """What is neither domain 0's nor free is the hypervisor's, or the firmware's: under 1 MiB, the
    same in both."""

    def ask(self, on, pattern, scale):
        """(free KiB, domain 0's KiB) by the debug console."""
        initrd = self.file("initrd-idle", image.build(["echo is ready > /dev/kmsg; sleep 60"]))
        line = self.linux + " console=hvc0 panic=-1 ignore_loglevel"
        boot = self.boot("dom0_mem=%dM,max:%dM" % (DOM0_MIB, DOM0_MIB), modules=[line, initrd],
                         memory=MACHINE_MIB, on=on)
        with Live(boot) as live:
            live.expect("is ready")
            time.sleep(1)
            live.type(TO_HYPERVISOR + b"m")
            time.sleep(1)
            live.type(b"q")
            text = live.expect("No periodic timer" if on == "xen" else ", events ")
        tail = text[text.index("is ready"):]
        pages = int(re.search(r"nr_pages=(\d+)|privileged\): \d+ vCPUs, (\d+) pages", tail)
                    [1 if on == "xen" else 2])
        return sum(int(number) for number in re.findall(pattern, tail)) * scale, pages * 4

    def test_own_memory(self):
        used = {}
        for on, pattern, scale in (("radon", r"memory: (\d+) of \d+ frames free", 4),
                                   ("xen", r"heap\[\d+\]: (\d+)kB free", 1)):
            free, domain = self.ask(on, pattern, scale)
            used[on] = MACHINE_MIB * KIB - free - domain
            self.assertTrue(0 < used[on] < MACHINE_MIB * KIB // 4, (on, free, domain))
        tell("own memory at %d MiB: Radon %.1f MiB, Xen %.1f MiB", MACHINE_MIB, used["radon"] / KIB,
             used["xen"] / KIB)
        self.assertLess(used["radon"], used["xen"])


class Image(unittest.TestCase):
    def test_size(self):
        """The unpackers are in the section that is given back after boot."""
        common.prepare("radon")
        sizes = section_sizes(os.path.join(BUILD, "hv", "radon.elf"))
        stays = sum(size for name, size in sizes.items() if name != ".init")
        tell("the hypervisor: %d KiB stay, %d KiB go after boot (unpackers)", stays // KIB,
             sizes[".init"] // KIB)
        self.assertLess(stays, IMAGE_LIMIT)

    def test_clean_build(self):
        with tempfile.TemporaryDirectory(prefix="radon-") as directory:
            started = time.monotonic()
            for command in (["cmake", "-S", ".", "-B", directory],
                            ["cmake", "--build", directory, "-j2", "--target", "hv_image"]):
                subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
            seconds = time.monotonic() - started
        tell("clean build: %.1f s", seconds)
        self.assertLess(seconds, BUILD_LIMIT_S)
