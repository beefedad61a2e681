# SPDX-License-Identifier: MIT
"""Writes and checks cpio archives of the kind the kernel unpacks ("newc").

Written archives are reproducible: entries sorted, inode numbers counted, all times and owners 0.
"""

import gzip
import io
import lzma
import os
import stat
import subprocess
import zlib

from .errors import RunError
from .kernel import PAYLOADS

MAGICS = (b"070701", b"070702")
HEADER = 110
TRAILER = "TRAILER!!!"


class Archive:
    """Collects files by absolute path; bytes() gives the archive."""

    def __init__(self, links=()):
        """links: (path, target) symbolic links that paths added later go through (like /bin)."""
        self.links = dict(links)
        self.entries = {}
        for path, target in self.links.items():
            self.symlink(path, target)

    def _resolve(self, path):
        """The place of path with the first component's link followed; makes its parents."""
        parts = os.path.normpath("/" + path.strip("/")).strip("/").split("/")
        if len(parts) > 1 and "/" + parts[0] in self.links:
            parts[:1] = self.links["/" + parts[0]].split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            self.entries.setdefault(parent, (stat.S_IFDIR | 0o755, b"", (0, 0)))
        return "/".join(parts)

    def directory(self, path, mode=0o755):
        self.entries.setdefault(self._resolve(path), (stat.S_IFDIR | mode, b"", (0, 0)))

    def file(self, path, data, mode=0o644):
        self.entries[self._resolve(path)] = (stat.S_IFREG | mode, data, (0, 0))

    def symlink(self, path, target):
        self.entries[self._resolve(path)] = (stat.S_IFLNK | 0o777, target.encode(), (0, 0))

    def device(self, path, major, minor):
        self.entries[self._resolve(path)] = (stat.S_IFCHR | 0o600, b"", (major, minor))

    def has(self, path):
        return self._resolve(path) in self.entries

    def copy(self, source, path):
        """A host file, link or directory tree, with its permissions."""
        if os.path.islink(source):
            self.symlink(path, os.readlink(source))
        elif os.path.isdir(source):
            self.directory(path)
            for name in sorted(os.listdir(source)):
                self.copy(os.path.join(source, name), path.rstrip("/") + "/" + name)
        elif os.path.isfile(source):
            with open(source, "rb") as file:
                self.file(path, file.read(), os.stat(source).st_mode & 0o777)

    def bytes(self):
        out = io.BytesIO()
        for inode, (name, entry) in enumerate(sorted(self.entries.items()), 1):
            _write_entry(out, inode, name, *entry)
        _write_entry(out, 0, TRAILER, 0, b"", (0, 0))
        out.write(b"\0" * (-out.tell() % 512))
        return out.getvalue()


def _write_entry(out, inode, name, mode, data, device):
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(encoded), 0)
    out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
    out.write(b"\0" * (-out.tell() % 4))
    out.write(data)
    out.write(b"\0" * (-out.tell() % 4))


def check(data, path):
    """Raises RunError unless data is whole: one or more archives, plain or compressed, as the kernel
    takes them. Returns the number of bytes that it unpacks to."""
    total = 0
    if not data:
        raise RunError("%s is empty" % path)
    while data:
        if data.startswith(MAGICS):
            used = _check_plain(data, path)
            data, total = data[used:], total + used
        else:
            unpacked, data = _unpack(data, path)
            total += check(unpacked, path)
        data = data.lstrip(b"\0")
    return total


def _check_plain(data, path):
    at = 0
    while True:
        head = data[at : at + HEADER]
        if len(head) < HEADER or not head.startswith(MAGICS):
            raise RunError("%s is truncated or damaged (cpio entry at byte %d)" % (path, at))
        try:
            size, name_size = int(head[54:62], 16), int(head[94:102], 16)
        except ValueError:
            raise RunError("%s is damaged (cpio entry at byte %d)" % (path, at)) from None
        name = data[at + HEADER : at + HEADER + name_size - 1]
        at = (at + HEADER + name_size + 3) & ~3
        at = (at + size + 3) & ~3
        if name == TRAILER.encode():
            return min(at, len(data))
        if at > len(data):
            raise RunError("%s is truncated" % path)


def _unpack(data, path):
    """(unpacked, what follows the compressed stream)."""
    name, tool = next(((n, t) for magic, n, t in PAYLOADS if data.startswith(magic)), (None, None))
    if name is None:
        raise RunError("%s is no initrd: neither cpio nor a compression that is known" % path)
    try:
        if tool:
            done = subprocess.run(tool, input=data, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, check=True)
            return done.stdout, b""
        machine = lzma.LZMADecompressor() if name == "xz" else zlib.decompressobj(31)
        unpacked = machine.decompress(data)
        if not machine.eof:
            raise RunError("%s is truncated" % path)
        return unpacked, machine.unused_data
    except FileNotFoundError:
        raise RunError("%s needs the tool %s to be checked" % (path, tool[0])) from None
    except (subprocess.CalledProcessError, lzma.LZMAError, zlib.error, gzip.BadGzipFile):
        raise RunError("%s is truncated or damaged (%s)" % (path, name)) from None
