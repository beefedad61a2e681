# SPDX-License-Identifier: MIT
"""Another of Debian's kernels than the one in /boot: taken out of its package, not installed.

The archive drops versions with time, so that none is named here: the newest that apt offers, of a
series or an ABI other than the installed one's.  Kept in the cache, in a folder by its release:
boot/vmlinuz-RELEASE and lib/modules/RELEASE, as the package has them.
"""

import glob
import lzma
import os
import re
import shutil
import subprocess
import tempfile

from . import kernel
from .paths import cache_dir, note

PACKAGE = re.compile(r"^linux-image-(\d\S*-amd64) ", re.M)
SPECIAL = re.compile(r"-(rt|cloud)-amd64$")
TRIES = 3


class NoKernel(Exception):
    """There is none, or it cannot be had; the text says why."""


def _run(*command, **settings):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, check=False, **settings)


def _offered():
    """Releases that apt knows, without ours, the newest first."""
    installed = kernel.newest()
    ours = kernel.release(installed) if installed else ""
    for refresh in (False, True):
        if refresh:
            _run("apt-get", "update")
        found = PACKAGE.findall(_run("apt-cache", "search", "--names-only", "^linux-image-").stdout)
        found = [name for name in found if not SPECIAL.search(name) and name != ours]
        # A name without digits behind the series (6.12-amd64) is a package that only points to one.
        found = [name for name in found if re.match(r"\d+\.\d+\.\d+", name)]
        if found:
            return sorted(set(found), key=kernel.version_key, reverse=True)
    return []


def _take(release, target):
    """Download and unpack; '' or why not."""
    with tempfile.TemporaryDirectory(prefix="kernel-", dir=cache_dir()) as directory:
        os.chmod(directory, 0o755)
        done = _run("apt-get", "download", "-q", "linux-image-" + release, cwd=directory)
        packages = glob.glob(os.path.join(directory, "*.deb"))
        if done.returncode or not packages:
            return (done.stderr.strip().splitlines() or ["apt-get download failed"])[-1]
        tree = os.path.join(directory, "tree")
        done = _run("dpkg-deb", "-x", packages[0], tree)
        if done.returncode:
            return done.stderr.strip()
        shutil.rmtree(target, ignore_errors=True)
        os.rename(tree, target)
    return ""


def other():
    """The path of its vmlinuz; raises NoKernel."""
    why = "apt offers none"
    for release in _offered()[:TRIES]:
        target = os.path.join(cache_dir(), "kernel-" + release)
        path = os.path.join(target, "boot", "vmlinuz-" + release)
        if not os.path.exists(path):
            note("getting Debian's kernel %s" % release)
            why = _take(release, target) or "the package has no kernel"
        if os.path.exists(path):
            return path
    raise NoKernel(why)


def release_of(path):
    """Of a path that other() gave, or of one in /boot."""
    return os.path.basename(path).split("-", 1)[1]


def module(path, name):
    """The file of a module of that kernel, not packed; NAME with or without directories."""
    top = os.path.join(os.path.dirname(path), "..", "lib", "modules", release_of(path))
    found = sorted(glob.glob(os.path.join(top, "**", name + ".ko*"), recursive=True))
    if not found:
        raise NoKernel("%s has no module %s" % (release_of(path), name))
    if not found[0].endswith(".xz"):
        return found[0]
    plain = found[0][:-len(".xz")]
    with lzma.open(found[0]) as packed, open(plain, "wb") as file:
        shutil.copyfileobj(packed, file)
    return plain
