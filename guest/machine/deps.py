# SPDX-License-Identifier: MIT
"""Debian packages that the tree needs: what for, and how to see that one is there."""

import dataclasses
import glob
import os
import re
import shutil
import subprocess

from .errors import RunError
from .paths import note

# Where a package is looked for: a command in PATH, or a file by pattern (begins with "/").
# Jobs: build (the hypervisor), run (a machine), xen (that column), dom0 (Debian's root), trace (rows of the bench), test, bench.
TABLE = """
gcc                       gcc                                        build,run  compiler of everything that is C
libc6-dev                 /usr/lib/x86_64-linux-gnu/libc.a           build,run  static programs for the machine
make                      make                                       build      runs the compilers
cmake                     cmake                                      build      describes the build
libxen-dev                /usr/include/xen/xen.h                     build      public headers of the guest ABI
liblzma-dev               /usr/lib/x86_64-linux-gnu/liblzma.a        build      unpacks XZ kernels
zlib1g-dev                /usr/lib/x86_64-linux-gnu/libz.a           build      unpacks gzip kernels
libzstd-dev               /usr/lib/x86_64-linux-gnu/libzstd.a        build      unpacks Zstd kernels
liblz4-dev                /usr/lib/x86_64-linux-gnu/liblz4.a         build      unpacks LZ4 kernels
libzydis-dev              /usr/include/Zydis/Zydis.h                 build      decodes what radon-prof recorded; the decoder tests' second opinion
libelf-dev                /usr/lib/x86_64-linux-gnu/libelf.a         build      symbols of programs
libcmocka-dev             /usr/include/cmocka.h                      build      unit tests
libpfm4-dev               /usr/include/perfmon/pfmlib.h              build      names of software events
libbabeltrace2-dev        /usr/include/babeltrace2/babeltrace.h      build      plugin that reads recordings in babeltrace2
liblttng-ust-dev          /usr/include/x86_64-linux-gnu/lttng/tracepoint.h build LTTng events of the tools
qemu-system-x86           qemu-system-x86_64                         run        the machine
seabios                   /usr/share/seabios/bios-256k.bin           run        firmware of the machine
linux-image-amd64         /boot/vmlinuz-*-amd64                      run        the guest: Debian's kernel
busybox-static            busybox                                    run        programs of the initramfs
xen-hypervisor-4.17-amd64 /boot/xen-4.17-amd64.gz                    xen        the hypervisor to compare with
zstd                      zstd                                       test       checks and makes Zstd files
lz4                       lz4                                        test       checks and makes LZ4 files
xz-utils                  xz                                         test       makes XZ files for tests
clang-14                  clang-14                                   test       second compiler; fuzzers
libclang-rt-14-dev        /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.asan-x86_64.a test sanitizers of that compiler
cpio                      cpio                                       test       reads the initramfs back
grub-common               grub-mkrescue                              test       a boot medium with GRUB
grub-pc-bin               /usr/lib/grub/i386-pc/multiboot2.mod       test       GRUB for a BIOS, on that medium
grub-efi-amd64-bin        /usr/lib/grub/x86_64-efi/multiboot2.mod    test       GRUB for UEFI, on that medium
ovmf                      /usr/share/ovmf/OVMF.fd                    test       UEFI firmware for the machine
xorriso                   xorriso                                    test       writes that medium
mtools                    mformat                                    test       writes that medium
cppcheck                  cppcheck                                   test       static analysis
scdoc                     scdoc                                      test       makes the manual page
stress-ng                 stress-ng                                  test       load for Debian's kernel
xen-utils-4.17            /usr/lib/xen-4.17/bin/xentrace             test,trace records traces in domain 0
xen-utils-common          xenalyze                                   test       second opinion of the recordings
mmdebstrap                mmdebstrap                                 dom0       makes the root of a Debian domain 0
e2fsprogs                 /sbin/mke2fs                               dom0       puts it into a file system
babeltrace2               babeltrace2                                test       reads what the plugin gives, and CTF
lttng-tools               lttng                                      test       records what the relay gives
gnuplot-nox               gnuplot                                    bench      draws the plots
"""


@dataclasses.dataclass
class Package:
    name: str
    probe: str
    jobs: tuple
    reason: str

    def present(self):
        if self.probe.startswith("/"):
            return bool(glob.glob(self.probe))
        return shutil.which(self.probe) is not None


def table():
    rows = (re.split(r"\s+", line, maxsplit=3) for line in TABLE.strip().splitlines())
    return [Package(name, probe, tuple(jobs.split(",")), why) for name, probe, jobs, why in rows]


def missing(*jobs):
    """Packages of these jobs that are not there."""
    return [package for package in table() if set(package.jobs) & set(jobs) and not package.present()]


def _apt(*arguments):
    # INITRD=No: Debian's hook would spend a minute on an initramfs that nobody here boots.
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", INITRD="No")
    return subprocess.run(["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", *arguments], env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, check=False)


def ensure(*jobs):
    """Installs what these jobs miss, saying what and why; raises RunError when that fails."""
    wanted = missing(*jobs)
    if not wanted:
        return
    names = [package.name for package in wanted]
    for package in wanted:
        note("installing %s: %s" % (package.name, package.reason))
    fix = "apt-get install --no-install-recommends " + " ".join(names)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RunError("missing packages; as root: " + fix)
    install = ("install", "-y", "--no-install-recommends", *names)
    done = _apt(*install)
    if done.returncode != 0:  # package lists absent or old
        _apt("update")
        done = _apt(*install)
    still = [package.name for package in wanted if not package.present()]
    if done.returncode != 0 or still:
        last = (done.stdout.strip().splitlines() or ["no message"])[-1]
        raise RunError("could not install %s (%s); by hand: %s" % (" ".join(still), last, fix))
