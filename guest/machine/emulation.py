# SPDX-License-Identifier: MIT
"""The column of full emulation: QEMU's TCG inside native Linux on the machine.

The outer machine runs QEMU as its command. The inner console is the output of that command, so the
inner frames travel inside the outer ones, and are decoded twice.
"""

import math
import os

from . import frames, image, kernel as kernel_file
from .errors import RunError
from .qemu import QEMU
from .paths import cache_dir

FIRMWARE_DIRS = ("/usr/share/qemu", "/usr/share/seabios")
FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin", "pvh.bin")
MODULES = ("accel-tcg-x86_64.so",)  # parts of Debian's QEMU that it loads when asked for TCG
MODULE_DIRS = ("/usr/lib/x86_64-linux-gnu/qemu",)
INSIDE = "/emulator"
BASE_MIB = 256  # the outer kernel, and QEMU without its guest's memory


def _find(name, directories, package):
    for directory in directories:
        path = os.path.join(directory, name)
        if os.path.exists(path):
            return path
    raise RunError("%s is missing: apt install %s" % (name, package))


def outer_initramfs(spec, linux, inner_initramfs, inner_line):
    """(bytes of the outer initramfs, MiB of the outer machine). The inner machine has as much memory
    as domain 0 has elsewhere, and enters the kernel's ELF through PVH."""
    if spec.disk or spec.net or spec.gets:
        raise RunError("--disk, --net and --get are not for --on emulation")
    program = _find(QEMU, os.environ.get("PATH", "/usr/bin").split(":"), "qemu-system-x86")
    inner = os.path.join(cache_dir(), "inner-%d" % os.getpid())
    with open(inner, "wb") as file:
        file.write(inner_initramfs)
    adds = [(program, "/usr/bin/" + QEMU), (inner, INSIDE + "/initrd"),
            (kernel_file.elf(linux), INSIDE + "/vmlinux")]
    adds += [(_find(name, FIRMWARE_DIRS, "seabios"), INSIDE + "/" + name) for name in FIRMWARE]
    for name in MODULES:
        path = _find(name, MODULE_DIRS, "qemu-system-x86")
        adds.append((path, path))
    command = [QEMU, "-L", INSIDE, "-accel", "tcg,tb-size=128", "-nodefaults", "-no-user-config",
               "-display", "none", "-no-reboot", "-seed", "1", "-m", "%dM" % spec.dom0_memory,
               "-smp", str(spec.cpus), "-serial", "stdio", "-kernel", INSIDE + "/vmlinux",
               "-initrd", INSIDE + "/initrd", "-append", inner_line]
    try:
        outer = image.build(command, adds)
    finally:
        os.unlink(inner)
    memory = BASE_MIB + 2 * math.ceil(len(outer) / 2**20) + spec.dom0_memory + 256
    return outer, max(memory, spec.memory)


class Inner:
    """Decodes the outer console and hands what the nested QEMU printed to the inner collector."""

    def __init__(self, collector):
        self.collector = collector
        self.decoder = frames.Decoder()
        self.errors = []

    def feed(self, data):
        return self._take(self.decoder.feed(data))

    def finish(self):
        self._take(self.decoder.finish())
        self.collector.finish()

    def log_bytes(self):
        return self.decoder.log_bytes() + b"".join(self.errors)

    def _take(self, pairs):
        grace = None
        for kind, payload in pairs:
            if kind == "o":
                grace = self.collector.feed(payload)
            elif kind in "en":
                self.errors.append(payload)
        return grace
