# SPDX-License-Identifier: MIT
"""The project's programs for domain 0, where the build left them."""

import glob
import os

from . import build
from .errors import RunError
from .paths import BUILD, ROOT

DISPATCHER = os.path.join(ROOT, "guest", "dom0", "radon")
INSIDE = "/usr/bin/"
FOLDERS = ("tracing", "fastpath")
LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
PLUGINS = "/usr/lib/x86_64-linux-gnu/babeltrace2/plugins/"


def program(name):
    """Path of radon-NAME, up to date."""
    build.build_tree(target="radon-" + name)
    for folder in FOLDERS:
        path = os.path.join(BUILD, folder, "radon-" + name)
        if os.access(path, os.X_OK):
            return path
    raise RunError("the build left no radon-" + name)


def everything():
    """(path, destination) of all that domain 0 is given; builds it first."""
    build.build_tree()
    found = [path for folder in FOLDERS for path in glob.glob(os.path.join(BUILD, folder, "radon-*"))
             if os.path.isfile(path) and os.access(path, os.X_OK)]
    adds = [(path, INSIDE + os.path.basename(path)) for path in sorted(found)]
    plugins = glob.glob(os.path.join(BUILD, "tracing", "babeltrace-plugin-*.so"))
    adds += [(path, PLUGINS + os.path.basename(path)) for path in sorted(plugins)]
    libraries = glob.glob(os.path.join(BUILD, "tracing", "libradon-*.so"))
    adds += [(path, LIBRARIES + os.path.basename(path)) for path in sorted(libraries)]
    return adds + [(DISPATCHER, INSIDE + "radon")]
