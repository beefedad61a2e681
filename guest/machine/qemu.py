# SPDX-License-Identifier: MIT
"""Starts QEMU, follows its console, ends it in time.

The console goes to a file, which always takes what QEMU writes: a pipe that is full for a moment would
make the guest wait for a time that differs from run to run.
"""

import ctypes
import dataclasses
import os
import signal
import subprocess
import tempfile
import time

from . import stuck
from .errors import RunError
from .slots import machine_slot

QEMU = "qemu-system-x86_64"
POLL_S = 0.05
KILL_GRACE_S = 5
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # linux/prctl.h
CLOCKS = {
    "instr": ["-accel", "tcg", "-icount", "shift=0,sleep=off",
              "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"],
    "tcg": ["-accel", "tcg", "-seed", "1"],
    "kvm": ["-accel", "kvm"],
}
# What each clock holds still so that runs can be compared; goes into results.
PINNED = {
    "instr": "1 instruction = 1 ns; RTC 2026-01-01; QEMU seed 1; nokaslr norandmaps; file times 0",
    "tcg": "QEMU seed 1; file times 0",
    "kvm": "file times 0",
}
DEBUG_EXIT_PORT = 0xF4  # a write of v ends QEMU with status v * 2 + 1


@dataclasses.dataclass
class Boot:
    """One boot of one machine: what QEMU is given beyond the machine itself."""

    kernel: str
    append: str = ""
    initrd: str = ""  # -initrd as QEMU takes it (for multiboot: "file args,file args")
    clock: str = "tcg"
    cpus: int = 1
    cpu: str = ""
    memory: int = 1024  # MiB
    extra: list = dataclasses.field(default_factory=list)
    timeout: float = 300


@dataclasses.dataclass
class Ended:
    """How it went. status: QEMU's own exit status, None if it was killed. state: of one that timed
    out, where its processors were."""

    status: object
    timed_out: bool
    console: bytes
    stderr: str
    wall: float
    state: str = ""


def arguments(boot, serial):
    cpu = boot.cpu or ("host" if boot.clock == "kvm" else "")
    args = [QEMU, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-m", "%dM" % boot.memory, "-smp", str(boot.cpus), *CLOCKS[boot.clock],
            "-device", "isa-debug-exit,iobase=%#x,iosize=0x04" % DEBUG_EXIT_PORT,
            *serial]
    args += ["-kernel", boot.kernel] if boot.kernel else []
    args += ["-cpu", cpu] if cpu else []
    args += ["-append", boot.append] if boot.append else []
    args += ["-initrd", boot.initrd] if boot.initrd else []
    return args + boot.extra


def _die_with_parent():
    """In the child: the kernel ends QEMU when this process is gone, however it went."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(boot, serial, **streams):
    """QEMU as a child process; it never outlives this one."""
    try:
        return subprocess.Popen(arguments(boot, serial), preexec_fn=_die_with_parent, **streams)
    except FileNotFoundError:
        raise RunError("%s is missing: apt install qemu-system-x86" % QEMU) from None


def stop(process):
    process.terminate()
    try:
        process.wait(KILL_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(boot, on_data=None):
    """Boots and waits for the end. on_data(bytes) is called as the console grows; when it returns a
    number, the machine gets that many seconds more at most."""
    with machine_slot(), tempfile.TemporaryDirectory(prefix="radon-") as directory:
        path = os.path.join(directory, "console")
        serial = ["-chardev", "file,id=console,path=" + path, "-serial", "chardev:console"]
        monitor, monitor_path = stuck.arguments(directory)
        with open(path, "wb"), open(os.path.join(directory, "stderr"), "w+b") as errors:
            process = start(boot, serial + monitor, stdin=subprocess.DEVNULL, stdout=errors,
                            stderr=errors)
            try:
                ended = _follow(process, path, boot.timeout, on_data,
                                lambda: stuck.look(monitor_path, boot.cpus) if monitor else "")
            finally:
                if process.poll() is None:
                    stop(process)
            errors.seek(0)
            ended.stderr = errors.read().decode(errors="replace").strip()
            return ended


def _follow(process, path, timeout, on_data, look):
    """look(): asked once for its state when the time is over."""
    started = time.monotonic()
    deadline = started + timeout
    chunks = []
    timed_out, state = False, ""
    with open(path, "rb", buffering=0) as console:
        while True:
            status = process.poll()
            data = console.read()
            if data:
                chunks.append(data)
                grace = on_data(data) if on_data else None
                if grace is not None:
                    deadline = min(deadline, time.monotonic() + grace)
            elif status is not None:
                break
            elif time.monotonic() > deadline:
                timed_out, state = True, look()
                stop(process)
            if not data and status is None:
                time.sleep(POLL_S)
    return Ended(None if timed_out else status, timed_out, b"".join(chunks), "",
                 time.monotonic() - started, state)
