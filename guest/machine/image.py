# SPDX-License-Identifier: MIT
"""The initramfs: busybox, /init, the command, and what the user adds."""

import dataclasses
import os
import re
import shutil
import subprocess

from . import cpio, modules
from .errors import RunError, UsageError
from .paths import INIT

BUSYBOX = ("/bin/busybox", "/usr/bin/busybox")
# As on Debian: programs and libraries are found under both names.
MERGED = (("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/lib64", "usr/lib64"))
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": "/root", "USER": "root", "TERM": "vt220", "LC_ALL": "C"}
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


@dataclasses.dataclass
class Parts:
    """What the machine has beside the command: each takes modules, and /init is told of it."""

    disk: bool = False
    net: bool = False
    xen: bool = False  # the devices that programs of domain 0 open
    root: str = ""  # device whose file system takes the initramfs's place; then adds go there
    gets: tuple = ()  # paths of files to send to the host when the command has ended

    def modules(self):
        return ((modules.DISK if self.disk or self.root else ())
                + (modules.NET if self.net else ()) + (modules.XEN if self.xen else ())
                + (modules.FILES if self.gets else ()))


def parse_add(text):
    """PATH[:DEST] -> (path, destination). A file keeps the name it was given by: "bench/x" is
    /bench/x inside, and the command starts in /, so the same words name it on both sides."""
    path, colon, destination = text.partition(":")
    if not path or (colon and not destination):
        raise UsageError("--add %s: PATH or PATH:DEST is expected" % text)
    if not os.path.exists(path):
        raise UsageError("--add %s: no such file" % path)
    if not colon:
        normal = os.path.normpath(path)
        destination = os.path.basename(os.path.abspath(path)) if ".." in normal.split("/") else normal
    elif destination.endswith("/"):
        destination += os.path.basename(os.path.abspath(path))
    return path, "/" + destination.lstrip("/")


def is_dynamic(path):
    """Whether path is an ELF program or library that the dynamic loader deals with."""
    try:
        with open(path, "rb") as file:
            if file.read(4) != b"\x7fELF":
                return False
    except OSError:
        return False
    return subprocess.run(["ldd", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def libraries(path):
    """Every shared library, and the loader, that the dynamic ELF file needs, by path."""
    text = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, text=True).stdout
    missing = re.findall(r"^\s*(\S+) => not found", text, re.M)
    if missing:
        raise RunError("%s needs %s, which this host does not have" % (path, missing[0]))
    return sorted(set(re.findall(r"(/\S+) \(0x", text)))


def _merged(path):
    """Where path leads on Debian: /bin/x is /usr/bin/x."""
    for link, target in MERGED:
        if path.startswith(link + "/"):
            return "/" + target + path[len(link):]
    return path


def _add(archive, path, destination, top="", libraries_top=""):
    """A file or tree, and the libraries that its programs need; both below a directory each."""
    archive.copy(os.path.realpath(path), top + (_merged(destination) if top else destination))
    files = [path]
    if os.path.isdir(path):
        files = [os.path.join(place, name) for place, _, names in os.walk(path) for name in names]
    for file in files:
        if os.access(file, os.X_OK) or ".so" in os.path.basename(file):
            if is_dynamic(file):
                for library in libraries(file):
                    inside = libraries_top + _merged(library) if libraries_top else library
                    archive.copy(os.path.realpath(library), inside)


def _busybox(archive):
    path = next((path for path in BUSYBOX if os.path.exists(path)), None)
    if not path:
        raise RunError("busybox is missing: apt install busybox-static")
    archive.copy(os.path.realpath(path), "/bin/busybox")
    listing = subprocess.run([path, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in listing.split():
        if name != "busybox":
            archive.symlink("/bin/" + name, "busybox")


def _strings(items):
    return b"".join(os.fsencode(item) + b"\0" for item in items)


def _parts(archive, parts, release):
    """The modules, and the lists for /init."""
    wanted = parts.modules()
    if wanted:
        paths = modules.closure(release, wanted)
        for path in paths:
            archive.copy(path, path)
        archive.file("/radon/modules", _strings(paths))
    if parts.disk or parts.root:
        archive.file("/radon/disk", b"")
    if parts.net:
        archive.file("/radon/net", b"")
    if parts.root:
        archive.file("/radon/root", _strings([parts.root]))
    if parts.gets:
        archive.file("/radon/get", _strings(parts.gets))


def build(command, adds=(), env=None, parts=Parts(), release=None):
    """The archive's bytes. command: list of words, one word is a line for the shell; empty is an
    interactive shell. release: the kernel's, for modules."""
    archive = cpio.Archive(MERGED)
    for path in ("/dev", "/proc", "/sys", "/tmp", "/run", "/root", "/etc", "/var/log", "/usr/sbin",
                 "/mnt"):
        archive.directory(path)
    archive.device("/dev/console", 5, 1)
    archive.file("/etc/passwd", PASSWD.encode())
    archive.file("/etc/group", GROUP.encode())
    archive.file("/etc/hosts", b"127.0.0.1 localhost radon\n")
    _busybox(archive)
    _parts(archive, parts, release)
    tops = ("/radon/overlay", "/radon/libraries") if parts.root else ("", "")
    for path, destination in adds:
        _add(archive, path, destination, *tops)
    words = ["/bin/sh", "-c", command[0]] if len(command) == 1 else list(command)
    settings = dict(ENVIRONMENT, **(env or {}))
    archive.file("/radon/argv", _strings(words))
    archive.file("/radon/env", _strings("%s=%s" % pair for pair in sorted(settings.items())))
    archive.copy(INIT, "/init")
    return archive.bytes()


def have_ldd():
    return shutil.which("ldd") is not None
