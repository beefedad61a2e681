# SPDX-License-Identifier: MIT
"""The columns: what each boots on the one machine, as QEMU's -kernel, -append and -initrd."""

import os

from .errors import RunError, UsageError
from .paths import HYPERVISOR
from . import kernel as kernel_file

COLUMNS = ("radon", "native", "xen", "emulation")
HYPERVISORS = ("radon", "xen")
# Holds addresses still where runs must repeat to the digit; the same words in every column.
REPEATABLE = "nokaslr norandmaps"
PANIC = "panic=-1"  # reset at once, which ends QEMU
HYPERVISOR_CONSOLE = "console=com1 com1=115200,8n1"
OVERHEAD_MIB = 128  # beside domain 0: the hypervisor and its tables
KERNEL_MIB = 96  # Debian's kernel with nothing to do


def linux_cmdline(on, clock, extra):
    """The kernel's command line. extra comes last, so that it can override."""
    console = "console=hvc0" if on in HYPERVISORS else "console=ttyS0,115200"
    words = [console, PANIC, REPEATABLE if clock == "instr" else "", extra]
    return " ".join(word for word in words if word)


def hypervisor_cmdline(dom0_memory, extra):
    return " ".join(filter(None, [HYPERVISOR_CONSOLE, "dom0_mem=%dM" % dom0_memory, extra]))


def check_memory(on, memory, dom0_memory, image_bytes):
    """Refuses sizes that cannot hold the kernel and its initramfs (packed and unpacked)."""
    image = 2 * image_bytes / 2**20
    least = int(KERNEL_MIB + image)
    option = dom0_memory if on in HYPERVISORS else memory
    if option < least:
        raise UsageError("too little memory: %s %dM, and this kernel and initramfs need %dM"
                         % ("--dom0-memory" if on in HYPERVISORS else "--memory", option, least))
    if on in HYPERVISORS and memory < dom0_memory + OVERHEAD_MIB:
        raise UsageError("too little memory: --memory %dM; with --dom0-memory %dM it takes %dM"
                         % (memory, dom0_memory, dom0_memory + OVERHEAD_MIB))


def hypervisor_image(on, override=None):
    if override:
        if not os.path.exists(override):
            raise UsageError("no hypervisor image %s" % override)
        return override
    if on == "xen":
        return kernel_file.xen()
    if not os.path.exists(HYPERVISOR):
        raise RunError("%s is not built: ./radon build" % HYPERVISOR)
    return HYPERVISOR


def qemu_files(on, linux, initrd, linux_line, hypervisor, hypervisor_line):
    """(kernel, append, initrd) of one boot. QEMU parts multiboot modules at commas."""
    if on not in HYPERVISORS:
        return linux, linux_line, initrd
    for path in (linux, initrd):
        if "," in path or " " in path:
            raise UsageError("a comma or a space in %s: QEMU cannot take it as a module" % path)
    line = linux_line.replace(",", ",,")
    return hypervisor, hypervisor_line, "%s %s,%s" % (linux, line, initrd)
