# SPDX-License-Identifier: MIT
"""Linux kernel files: finding one, checking one, taking the ELF out of one.

The layout is the Linux x86 boot protocol (Documentation/x86/boot.rst): the setup header is at offset
0x1f1, and from protocol 2.08 it says where the compressed ELF is.
"""

import glob
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import zlib

from .errors import RunError, UsageError
from .paths import cache_dir, note, write_atomically

PATTERN = "/boot/vmlinuz-*-amd64"
XEN_PATTERN = "/boot/xen-4.17-amd64.gz"
ELF_MAGIC = b"\x7fELF"
PAYLOADS = (  # magic, name, tool that unpacks it when Python's library does not
    (b"\xfd7zXZ\0", "xz", None),
    (b"\x1f\x8b", "gzip", None),
    (b"\x02\x21\x4c\x18", "lz4", ["lz4", "-dc"]),
    (b"\x28\xb5\x2f\xfd", "zstd", ["zstd", "-dc"]),
)


def read_input(path, what):
    """The bytes of a file that the user named."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError("cannot read the %s %s: %s" % (what, path, error.strerror)) from None


def version_key(path):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]


def newest():
    """Debian's newest kernel on this host, or None."""
    found = [path for path in glob.glob(PATTERN) if not re.search(r"-(rt|cloud)-amd64$", path)]
    return max(found, key=version_key) if found else None


def check(path):
    """Refuses what is no 64-bit x86 kernel: before a machine is started, in words."""
    head = read_input(path, "kernel")
    if head[:4] == ELF_MAGIC:
        if len(head) < 64 or head[4:6] != b"\x02\x01" or head[18:20] != b"\x3e\0":
            raise RunError("%s is an ELF file, but not for 64-bit x86" % path)
        return
    if len(head) < 0x260 or head[0x1FE:0x200] != b"\x55\xaa" or head[0x202:0x206] != b"HdrS":
        raise RunError("%s is neither a Linux bzImage nor an ELF kernel" % path)
    if not struct.unpack_from("<H", head, 0x236)[0] & 1:
        raise RunError("%s is not a 64-bit kernel" % path)
    start, length = payload_place(head, path)
    if start + length > len(head):
        raise RunError("%s is truncated" % path)


def payload_place(data, path):
    protocol = struct.unpack_from("<H", data, 0x206)[0]
    if protocol < 0x208:
        raise RunError("%s: boot protocol %#x is too old" % (path, protocol))
    offset, length = struct.unpack_from("<II", data, 0x248)
    return (data[0x1F1] + 1) * 512 + offset, length


def release(path):
    """The kernel's release, as `uname -r` will say it (modules are kept under it); None for an ELF."""
    data = read_input(path, "kernel")
    if data[:4] == ELF_MAGIC:
        return None
    at = struct.unpack_from("<H", data, 0x20E)[0] + 0x200
    return data[at : data.index(b"\0", at)].split(b" ")[0].decode()


def decompress(data, path):
    """Unpacks one compressed stream, whatever its kind."""
    for magic, name, tool in PAYLOADS:
        if data.startswith(magic):
            try:
                if name == "xz":
                    return lzma.LZMADecompressor().decompress(data)
                if name == "gzip":
                    return zlib.decompressobj(31).decompress(data)
                return subprocess.run(tool, input=data, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, check=False).stdout
            except (lzma.LZMAError, zlib.error) as error:
                raise RunError("%s: bad %s data: %s" % (path, name, error)) from None
    raise RunError("%s: unknown compression" % path)


def elf(path):
    """The path of the kernel's ELF: the file itself, or taken out of a bzImage (kept in the cache)."""
    data = read_input(path, "kernel")
    if data[:4] == ELF_MAGIC:
        return path
    target = os.path.join(cache_dir(), "vmlinux-" + hashlib.sha256(data).hexdigest()[:16])
    if not os.path.exists(target):
        start, length = payload_place(data, path)
        unpacked = decompress(data[start : start + length], path)
        if unpacked[:4] != ELF_MAGIC:
            raise RunError("%s: the payload is no ELF file" % path)
        write_atomically(target, unpacked)
    return target


def xen():
    """Debian's Xen, unpacked (QEMU's multiboot loader takes no gzip)."""
    found = glob.glob(XEN_PATTERN)
    if not found:
        raise RunError("Debian's Xen is not installed: apt install xen-hypervisor-4.17-amd64")
    data = read_input(found[0], "hypervisor")
    target = os.path.join(cache_dir(), "xen-" + hashlib.sha256(data).hexdigest()[:16])
    if not os.path.exists(target):
        note("unpacking %s" % found[0])
        write_atomically(target, zlib.decompressobj(31).decompress(data))
    return target


def fix_line(tool):
    return None if shutil.which(tool) else "apt install " + tool
