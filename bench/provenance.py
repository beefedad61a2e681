# SPDX-License-Identifier: MIT
"""What a result must say about where it comes from: versions, hashes, exact commands."""

import hashlib
import os
import platform
import subprocess
import tempfile

from guest.machine import columns, kernel, machine, qemu
from guest.machine.paths import ROOT

PACKAGES = ("qemu-system-x86", "seabios", "xen-hypervisor-4.17-amd64", "busybox-static", "gcc",
            "libc6-dev", "libpfm4-dev", "gnuplot-nox")
SERIAL = ["-chardev", "file,id=console,path=console", "-serial", "chardev:console"]


def _output(arguments):
    """First line of a command's output, or None."""
    try:
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False)
    except FileNotFoundError:
        return None
    text = done.stdout.strip()
    return text.splitlines()[0] if done.returncode == 0 and text else None


def tool_version():
    described = _output(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"])
    return described or "unknown"


def package_versions(kernel_path):
    """Package -> version, `unknown` for one that is not installed."""
    names = list(PACKAGES)
    owner = _output(["dpkg-query", "-S", os.path.realpath(kernel_path)])
    if owner:
        names.append(owner.split(":")[0])
    return {name: _output(["dpkg-query", "-W", "-f", "${Version}", name]) or "unknown"
            for name in sorted(names)}


def file_hash(path):
    with open(path, "rb") as file:
        data = file.read()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def host():
    """The host matters in wall time; in instruction time it does not."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release()}


def _portable(text, directory):
    """Without the places of this tree and of the temporary files of one boot."""
    return text.replace(directory + "/", "").replace(ROOT + "/", "./")


def describe_boot(spec):
    """The column's QEMU command line and the hashes of the files that it boots."""
    with tempfile.TemporaryDirectory(prefix="radon-") as directory:
        boot = machine.make_boot(spec, directory)
        files = {"initrd": file_hash(os.path.join(directory, "initrd"))}
        argv = [_portable(word, directory) for word in qemu.arguments(boot, SERIAL)]
    if spec.on in columns.HYPERVISORS:
        files["hypervisor"] = file_hash(boot.kernel)
    return {"argv": argv, "files": files}


def kernel_path(spec):
    return spec.kernel or kernel.newest() or ""
