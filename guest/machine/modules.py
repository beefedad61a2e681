# SPDX-License-Identifier: MIT
"""Kernel modules for the initramfs: which files a driver needs, in the order of loading."""

import os

from .errors import RunError

DISK = ("ahci", "sd_mod", "crc32c_generic", "ext4")  # ext4 asks for crc32c by an alias
NET = ("e1000",)
XEN = ("xen-privcmd", "xen-evtchn", "xen-gntdev", "xenfs")  # what programs of domain 0 open
FILES = ("virtio_pci", "virtio_console")  # the port that files come back through


def _name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def _words(directory, file):
    with open(os.path.join(directory, file), encoding="utf-8") as lines:
        return [line.split() for line in lines if not line.startswith("#")]


def closure(release, wanted):
    """Paths of the modules and all they depend on; raises RunError if a driver is not there."""
    directory = os.path.join("/lib/modules", release)
    try:
        depends = {row[0].rstrip(":"): row[1:] for row in _words(directory, "modules.dep") if row}
        built_in = {_name(row[0]) for row in _words(directory, "modules.builtin") if row}
        soft_rows = _words(directory, "modules.softdep")
    except OSError:
        raise RunError("no modules of kernel %s on this host (%s)" % (release, directory)) from None
    by_name = {_name(path): path for path in depends}
    soft = {row[1].replace("-", "_"): [word for word in row[2:] if not word.endswith(":")]
            for row in soft_rows if len(row) > 2 and row[0] == "softdep"}
    order = []

    def visit(name, required):
        name = name.replace("-", "_")
        path = by_name.get(name)
        if path is None:
            if required and name not in built_in:
                raise RunError("kernel %s has no module %s" % (release, name))
            return
        if path in order:
            return
        for needed in reversed(depends[path]):
            visit(_name(needed), True)
        for needed in soft.get(name, []):
            visit(needed, False)
        if path not in order:
            order.append(path)

    for name in wanted:
        visit(name, True)
    return [os.path.join(directory, path) for path in order]
