# SPDX-License-Identifier: MIT
"""The programs that measure: building them, and what they say about themselves."""

import json
import os
import subprocess

from guest.machine import build
from guest.machine.errors import RunError, UsageError
from guest.machine.paths import BUILD

RBENCH = os.path.join(BUILD, "bench", "rbench")
TINY = os.path.join(BUILD, "bench", "rbench-tiny")
SITES = os.path.join(BUILD, "bench", "rbench-sites")
TARGETS = ("rbench", "rbench-tiny", "rbench-sites")
INSIDE = "/bench/"  # where they are in the machine


def ensure():
    """All programs are there and newer than their sources."""
    for target in TARGETS:
        build.build_tree(target=target)


def list_rows():
    """Every row of rows.def as a dict, in its order."""
    done = subprocess.run([RBENCH, "--list-json"], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RunError("%s --list-json failed (status %d)" % (RBENCH, done.returncode))
    return json.loads(done.stdout)


def choose_rows(rows, names):
    """The rows that a comma-separated list names (all of them if it is empty)."""
    if not names:
        return rows
    wanted = [name.strip() for name in names.split(",")]
    known = {row["id"] for row in rows}
    for name in wanted:
        if name not in known:
            raise UsageError("no row %r; ./radon bench --list shows them" % name)
    return [row for row in rows if row["id"] in wanted]
