# SPDX-License-Identifier: MIT
"""`radon doctor`: what this host has, and for each thing that is wrong one line that mends it."""

import json
import os
import shutil
import subprocess
import sys

from . import build, deps, kernel, kvm, qemu
from .errors import EXIT_FAILED, EXIT_OK, RadonError
from .machine import Spec, run_machine
from .options import Parser
from .paths import HYPERVISOR, ROOT

OK, WARNING, BAD = "ok", "warning", "bad"
DISK_MIB = 2048  # a build, the cache and one run's files
MEMORY_MIB = 2048  # two machines at once
MIN_PYTHON = (3, 9)
QEMU_TESTED = "7.2"
BOOT_S = 60
KVM_BOOT_S = 20


class Report:
    """Rows of (state, what, finding, fix)."""

    def __init__(self):
        self.rows = []

    def add(self, state, what, finding, fix=""):
        self.rows.append({"state": state, "what": what, "finding": finding, "fix": fix})

    def bad(self):
        return any(row["state"] == BAD for row in self.rows)

    def text(self):
        lines = []
        for row in self.rows:
            lines.append("%-8s %-26s %s" % (row["state"], row["what"], row["finding"]))
            if row["fix"]:
                lines.append("%-8s %-26s mend: %s" % ("", "", row["fix"]))
        return "\n".join(lines)


def _first_line(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=20, check=False)
        return (done.stdout.splitlines() or [""])[0].strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def check_packages(report):
    for package in deps.table():
        if package.present():
            report.add(OK, package.name, package.reason)
        else:
            report.add(BAD, package.name, "missing: " + package.reason,
                       "apt-get install --no-install-recommends " + package.name)


def check_host(report):
    version = sys.version_info[:2]
    report.add(OK if version >= MIN_PYTHON else BAD, "python3", "%d.%d" % version,
               "" if version >= MIN_PYTHON else "apt-get install python3")
    free = shutil.disk_usage(ROOT).free // 2**20
    report.add(OK if free >= DISK_MIB else BAD, "disk space", "%d MiB free in the tree" % free,
               "" if free >= DISK_MIB else "free %d MiB" % (DISK_MIB - free))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") // 2**20
    report.add(OK if memory >= MEMORY_MIB else WARNING, "memory", "%d MiB free" % memory,
               "" if memory >= MEMORY_MIB else "run with smaller --memory")
    report.add(OK, "processors", str(os.cpu_count()))


def check_qemu(report):
    line = _first_line([qemu.QEMU, "--version"])
    if not line:
        report.add(BAD, "qemu", "does not run", "apt-get install qemu-system-x86")
    elif "version " + QEMU_TESTED in line:
        report.add(OK, "qemu", line)
    else:
        report.add(WARNING, "qemu", "%s; published figures are of %s.x" % (line, QEMU_TESTED),
                   "compare only runs of the same QEMU")


def check_files(report):
    newest = kernel.newest()
    if newest:
        try:
            kernel.check(newest)
            report.add(OK, "kernel", "%s (%s)" % (newest, kernel.release(newest)))
        except RadonError as error:
            report.add(BAD, "kernel", str(error), "apt-get install --reinstall linux-image-amd64")
    if os.path.exists(HYPERVISOR):
        report.add(OK, "hypervisor", os.path.relpath(HYPERVISOR, ROOT))
    else:
        report.add(WARNING, "hypervisor", "not built yet", "./radon build")


def check_kvm(report):
    usable, why = kvm.probe()
    if usable:  # a boot sector ran; does an ordinary kernel?
        result = run_machine(Spec(on="native", clock="kvm", command=["true"], timeout=KVM_BOOT_S))
        usable = not result.reason
        why = "Linux booted in %.1f s" % result.wall if usable else "Linux: " + result.reason
    report.add(OK if usable else WARNING, "--clock kvm", why,
               "" if usable else "use --clock instr or --clock tcg, which need no KVM")


def check_boot(report):
    """One small native machine from reset to power-off."""
    try:
        build.build_init()
        result = run_machine(Spec(on="native", command=["uname -r"], timeout=BOOT_S))
    except RadonError as error:
        report.add(BAD, "a machine", str(error), "the rows above")
        return
    if result.reason or result.status:
        report.add(BAD, "a machine", result.reason or "status %d" % result.status,
                   "./radon run --on native --log console.txt -- true")
    else:
        report.add(OK, "a machine", "Linux %s booted and ended in %.1f s"
                   % (result.stdout.decode().strip(), result.wall))


def parser():
    top = Parser(prog="radon doctor", description="Check this host; say how to mend what is wrong.",
                 epilog="examples:\n  ./radon doctor\n  ./radon doctor --json\n\n"
                        "exit status: 0, or 1 if something is bad (a warning is not)")
    top.add_argument("--json", action="store_true", help="print a JSON document")
    top.add_argument("--quick", action="store_true", help="boot nothing: no test of KVM or a machine")
    return top


def main(argv):
    options = parser().parse_args(argv)
    report = Report()
    checks = [check_packages, check_host, check_qemu, check_files]
    if not options.quick and shutil.which(qemu.QEMU):
        checks += [check_kvm, check_boot]
    for check in checks:
        check(report)
    if options.json:
        print(json.dumps({"schema": "radon-doctor", "version": 1, "complete": True,
                          "checks": report.rows}, indent=2))
    else:
        print(report.text())
    return EXIT_FAILED if report.bad() else EXIT_OK
