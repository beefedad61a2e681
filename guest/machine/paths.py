# SPDX-License-Identifier: MIT
"""Where things are in the tree, and messages to the person at the terminal."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
CACHE = os.path.join(BUILD, "cache")
HYPERVISOR = os.path.join(BUILD, "hv", "radon")
INIT = os.path.join(BUILD, "guest", "init")


def note(text):
    """Progress: to stderr, so that stdout holds results alone."""
    print("radon: " + text, file=sys.stderr, flush=True)


def cache_dir():
    os.makedirs(CACHE, exist_ok=True)
    return CACHE


def write_atomically(path, data):
    """Readers see the old file or the whole new one, never a part."""
    temporary = "%s.%d" % (path, os.getpid())
    with open(temporary, "wb") as file:
        file.write(data)
    os.replace(temporary, path)
