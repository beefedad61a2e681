# SPDX-License-Identifier: MIT
"""The files of the tree, for the checks: those that git knows."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tracked(root=ROOT):
    """{path from the root: its text}; files that are not text are left out."""
    names = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE, check=True)
    found = {}
    for name in names.stdout.decode().split("\0"):
        path = os.path.join(root, name)
        if not name or not os.path.isfile(path):  # removed, but not yet from git
            continue
        with open(path, "rb") as file:
            data = file.read()
        if b"\0" not in data:
            found[name] = data.decode(errors="replace")
    return found


def report(faults):
    """Prints "PATH:LINE: what" for each; the exit status."""
    for path, line, what in faults:
        print("%s:%d: %s" % (path, line, what))
    return 1 if faults else 0
