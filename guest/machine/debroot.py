# SPDX-License-Identifier: MIT
"""The root file system of `radon dom0`: made once by mmdebstrap, kept in the cache."""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import tempfile

from . import deps
from .errors import RunError
from .paths import ROOT, cache_dir, note

SUITE = "bookworm"
PACKAGES = os.path.join(ROOT, "guest", "dom0", "packages")
SIZE_MIB = 2048  # of the file system; the file is sparse
RECIPE = 1  # another one makes another image: count up when this module makes it differently
SOURCE_FORMAT = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
PASSED_ON = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::http::Proxy",
             "Acquire::https::Proxy")  # settings of this host's apt that its mirror may need
FILES = {"etc/hostname": "radon\n", "etc/hosts": "127.0.0.1 localhost radon\n",
         "etc/fstab": "/dev/sda / ext4 noatime 0 1\n"}


def packages():
    with open(PACKAGES, encoding="utf-8") as file:
        words = (line.split("#")[0].strip() for line in file)
        return [word for word in words if word]


def _apt_lines(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    return list(dict.fromkeys(done.stdout.splitlines()))


def sources():
    """This host's apt sources of Debian 12, as lines of a sources.list."""
    lines = [line for line in _apt_lines("apt-get", "indextargets", "--format", SOURCE_FORMAT,
                                         "Created-By: Packages", "Origin: Debian")
             if line.split()[2].startswith(SUITE)]
    if not lines:
        raise RunError("apt has no package lists of Debian's %s on this host: apt-get update" % SUITE)
    return lines


def _apt_settings():
    """--aptopt=... for the settings that this host's apt needs."""
    wanted = {name.lower() for name in PASSED_ON}
    return ["--aptopt=" + line.rstrip(";") for line in _apt_lines("apt-config", "dump")
            if line.split(" ")[0].lower() in wanted]


def path(release):
    """Where the image for that kernel is, or will be."""
    key = "\n".join([str(RECIPE), SUITE, str(SIZE_MIB), release, *packages()])
    return os.path.join(cache_dir(), "dom0-%s.img" % hashlib.sha256(key.encode()).hexdigest()[:16])


@contextlib.contextmanager
def _lock():
    with open(os.path.join(cache_dir(), "dom0.lock"), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command, what, **settings):
    """One step; the last lines of what it said are the reason when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **settings)
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if line.strip()][-3:]
        raise RunError("%s failed (status %d): %s" % (what, done.returncode, " / ".join(said)))


def _bootstrap(root):
    command = ["mmdebstrap", "--mode=root", "--variant=essential", "--format=directory",
               '--aptopt=Acquire::Languages "none"', *_apt_settings(),
               "--include=" + ",".join(packages()), SUITE, root, "-"]
    _run(command, "mmdebstrap", input="\n".join(sources()) + "\n")


def _finish(root, release):
    """What Debian's packages do not bring: the kernel's modules, and a few names."""
    modules = os.path.join("lib", "modules", release)
    shutil.copytree("/" + modules, os.path.join(root, "usr", modules), symlinks=True)
    for name, text in FILES.items():
        with open(os.path.join(root, name), "w", encoding="utf-8") as file:
            file.write(text)
    for pattern in ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*"):
        for file in glob.glob(os.path.join(root, pattern)):
            os.unlink(file)


def _build(target, release):
    with tempfile.TemporaryDirectory(prefix="dom0-", dir=cache_dir()) as directory:
        root, image = os.path.join(directory, "root"), os.path.join(directory, "image")
        os.mkdir(root, 0o755)
        _bootstrap(root)
        _finish(root, release)
        _run(["mke2fs", "-q", "-t", "ext4", "-d", root, "-L", "radon-dom0", "-m", "0", "-E",
              "root_owner=0:0,lazy_itable_init=0", image, "%dM" % SIZE_MIB], "mke2fs")
        os.replace(image, target)


def ensure(release, again=False):
    """The image's path; makes it if it is not there, or again. Raises RunError."""
    target = path(release)
    with _lock():
        if os.path.exists(target) and not again:
            return target
        deps.ensure("dom0")
        if os.geteuid() != 0:
            raise RunError("the root file system of domain 0 is made as root, once: "
                           "sudo ./radon dom0 -- true")
        if not os.path.isdir("/lib/modules/" + release):
            raise RunError("no modules of kernel %s on this host" % release)
        note("making the root file system of domain 0 (once; a minute)")
        _build(target, release)
    return target


def copy_to(image, disk):
    """A disk of the user's own, with holes where the image has them."""
    note("making %s" % disk)
    temporary = "%s.%d" % (disk, os.getpid())
    _run(["cp", "--sparse=always", image, temporary], "cp")
    os.replace(temporary, disk)
