# SPDX-License-Identifier: MIT
"""#include has no cycle, and dependencies point one way (RULES); prints what breaks this.

    python3 tests/checks/includes.py
"""

import os
import re
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.checks import files

SOURCE = re.compile(r"\.([chS]|def)$")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
SEARCH = ("hv/include", "hv", "fastpath/core", "fastpath/synth", "tests/unit", "guest/ktest", "")  # as by -I
# Headers that a compiler brings itself, and the part of the C library that the hypervisor has.
FREESTANDING = {"limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}

# Folder: the folders, or single catalogues, whose files it may include. The longest name that fits a file counts; a folder
# that fits none may include anything (tests). A catalogue (.def) depends on nothing, wherever it is.
RULES = {
    "fastpath/core": ("fastpath/core",),
    "fastpath/load": ("fastpath/load", "fastpath/core", "hv/include/public"),
    "fastpath/profile": ("fastpath/profile", "fastpath/core", "fastpath/load", "fastpath/synth",
                         "tracing", "hv/include/public"),
    "fastpath/synth": ("fastpath/synth", "fastpath/core", "hv/include/public"),
    "hv/include/public": ("hv/include/public",),
    "hv/include": ("hv/include", "fastpath/core", "tracing"),
    "hv": ("hv", "fastpath/core", "tracing"),
    "tracing": ("tracing", "hv/include/public", "fastpath/profile/decisions.def"),
    "bench": ("bench", "tracing/xen", "hv/include/public"),
    "analysis": ("analysis", "hv/include/public"),
    "guest": ("guest", "hv/include/public"),
}
# Code of the hypervisor: no C library. Its unpackers are built with one beside them, of their own.
HYPERVISOR = ("fastpath/core", "hv")
HOSTED = re.compile(r"hv/boot/unpack|fastpath/core/tests/")
# What these include beyond that, with the reason.
EXCEPTIONS = {
    ("hv/boot/elfnote.c", "elf.h"): "types and numbers of a file format, no functions",
}


def inside(path, folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def includes(text):
    """(line, name, whether in <>) of each #include."""
    for number, line in enumerate(text.split("\n"), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found[1] or found[2], found[1] is None


def resolve(path, name, known):
    """The file of the tree that path means by "name"; None: a generated one, or the system's."""
    for folder in (os.path.dirname(path), *SEARCH):
        candidate = os.path.normpath(os.path.join(folder, name))
        if candidate in known:
            return candidate
    return None


def graph(known):
    """{path: [(line, path that it includes)]}, of the files of the tree alone."""
    edges = {}
    for path, text in known.items():
        if SOURCE.search(path):
            targets = ((line, resolve(path, name, known)) for line, name, _ in includes(text))
            edges[path] = [(line, target) for line, target in targets if target]
    return edges


def cycles(edges):
    """A fault for each #include that closes a circle."""
    faults, done, trail = [], set(), []

    def visit(path):
        trail.append(path)
        for line, target in edges.get(path, ()):
            if target in trail:
                circle = trail[trail.index(target) :] + [target]
                faults.append((path, line, "#include in a circle: " + " > ".join(circle)))
            elif target not in done:
                visit(target)
        done.add(trail.pop())

    for path in sorted(edges):
        if path not in done:
            visit(path)
    return faults


def directions(edges):
    """A fault for each #include that RULES do not allow."""
    faults = []
    for path, targets in sorted(edges.items()):
        folders = [folder for folder in RULES if inside(path, (folder,))]
        allowed = RULES[max(folders, key=len)] if folders else None
        for line, target in targets:
            if path.endswith(".def"):
                faults.append((path, line, "a catalogue includes " + target))
            elif allowed is not None and not inside(target, allowed):
                faults.append((path, line, "includes %s; may include: %s"
                               % (target, ", ".join(allowed))))
    return faults


def libraries(known):
    """A fault for each header of the C library, or of another one, in the hypervisor."""
    faults = []
    for path, text in sorted(known.items()):
        if not SOURCE.search(path) or not inside(path, HYPERVISOR) or HOSTED.match(path):
            continue
        for line, name, system in includes(text):
            public = name.startswith("xen/") and inside(path, ("hv",))
            if system and name not in FREESTANDING and not public and (path, name) not in EXCEPTIONS:
                faults.append((path, line, "<%s> in the hypervisor" % name))
    return faults


def check(known):
    edges = graph(known)
    return cycles(edges) + directions(edges) + libraries(known)


if __name__ == "__main__":
    sys.exit(files.report(check(files.tracked())))
