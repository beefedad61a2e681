# SPDX-License-Identifier: MIT
"""`radon build`: the hypervisor by CMake, and /init of the machines."""

import contextlib
import fcntl
import glob
import os
import subprocess
import sys
import time

from . import deps
from .errors import RunError
from .options import Parser
from .paths import BUILD, HYPERVISOR, INIT, ROOT, note

INIT_SOURCES = os.path.join(ROOT, "guest", "init", "*.[ch]")
INIT_FLAGS = ["-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]


@contextlib.contextmanager
def _lock():
    """One build at a time in one tree."""
    os.makedirs(BUILD, exist_ok=True)
    with open(os.path.join(BUILD, ".lock"), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _command(arguments, quiet):
    done = subprocess.run(arguments, cwd=ROOT, check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE if quiet else sys.stderr,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        if quiet:
            sys.stderr.write(done.stdout)
        raise RunError("failed: " + " ".join(arguments))


def compile_init(compiler, target):
    """/init by one compiler; raises RunError with its messages on stderr."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    temporary = "%s.%d" % (target, os.getpid())
    sources = [source for source in sorted(glob.glob(INIT_SOURCES)) if source.endswith(".c")]
    _command([compiler, *INIT_FLAGS, "-o", temporary, *sources], True)
    os.replace(temporary, target)


def build_init():
    """build/guest/init, if a source is newer."""
    sources = glob.glob(INIT_SOURCES)
    with _lock():
        if os.path.exists(INIT) and os.path.getmtime(INIT) >= max(map(os.path.getmtime, sources)):
            return
        deps.ensure("run")
        compile_init("gcc", INIT)


def build_tree(quiet=True, target=None):
    """Everything of CMakeLists.txt, or one target; configures first if that was not done."""
    deps.ensure("build")
    with _lock():
        if not os.path.exists(os.path.join(BUILD, "CMakeCache.txt")):
            if quiet:
                note("building the hypervisor")
            _command(["cmake", "-S", ".", "-B", BUILD], quiet)
        _command(["cmake", "--build", BUILD, "-j2", *(["--target", target] if target else [])], quiet)


def ensure_hypervisor():
    """build/hv/radon is there and no source is newer."""
    build_tree(target="hv_image")
    if not os.path.exists(HYPERVISOR):
        raise RunError("the build made no %s" % os.path.relpath(HYPERVISOR, ROOT))


def prepare(on):
    """Everything that a run in this column needs: packages, /init, the hypervisor."""
    deps.ensure("run", *(["xen"] if on == "xen" else []))
    build_init()
    if on == "radon":
        ensure_hypervisor()


def parser():
    top = Parser(
        prog="radon build",
        description="Build the hypervisor (build/hv/radon), its unit tests and the machines' /init.",
        epilog="example:\n  ./radon build\n  ./radon build --quiet")
    top.add_argument("--quiet", action="store_true", help="print nothing unless it fails")
    return top


def main(argv):
    options = parser().parse_args(argv)
    started = time.monotonic()
    deps.ensure("build", "run")
    build_init()
    build_tree(options.quiet)
    note("built in %.1f s: %s" % (time.monotonic() - started, os.path.relpath(HYPERVISOR, ROOT)))
    return 0
