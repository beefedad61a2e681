#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots the test kernels of this folder as domain 0 and reads their verdicts.

  tests/guest/run.py [--on radon|xen] [--cpu MODEL] [--list] [--no-build] [--log DIR] [TEST ...]

One line a test: VERDICT test (seconds) summary. Exit status 0 if nothing failed, 1 if something
did, 2 on wrong usage. Verdicts: SUCCESS; SKIP; FAILURE (the hypervisor's fault); ERROR (the
test's own fault: what fails on the peer, Xen, is wrong in the test); CRASH (no verdict).
"""
import argparse
import dataclasses
import glob
import gzip
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from guest.machine.qemu import CLOCKS  # noqa: E402
from guest.machine.slots import machine_slot  # noqa: E402

HERE = os.path.join(ROOT, "tests", "guest")
VERDICT = re.compile(r"ktest: verdict (SUCCESS|SKIP|ERROR|FAILURE) (\S+): (.*)")
ENDING = re.compile(r"machine halts|halting machine|rebooting machine|resets the machine")
NMI_WANTED = "ktest: wants an NMI\n"
NMI = b"\x01cnmi\n\x01c"  # to the monitor, a command, and back to the serial line
CRASH_GRACE_S = 15.0  # how long it may take to end after domain 0 died
GRACE_S = 1.0  # how long a machine may take to end once its verdict is out


class SetupError(Exception):
    """What keeps the tests from being run at all."""


@dataclasses.dataclass
class Settings:
    """A test's settings, from `ktest-run:` lines in the comment of its main.c."""
    smp: int = 1
    memory: int = 256
    timeout: float = 60
    hv_options: str = ""
    cpu: str = ""
    clock: str = "tcg"  # as guest/machine/qemu.py has it
    nmi: int = 0  # 1: the machine gets an NMI whenever the test prints that it wants one
    module: int = 0  # bytes of a module to load beside the kernel
    crash: list = dataclasses.field(default_factory=list)  # texts a dying domain must leave
    known: dict = dataclasses.field(default_factory=dict)  # hypervisor -> reason for SKIP


@dataclasses.dataclass
class Result:
    verdict: str
    summary: str
    seconds: float


def read_settings(name):
    """Settings lines read `ktest-run: key value`; several are allowed."""
    found = Settings()
    with open(os.path.join(HERE, name, "main.c"), encoding="utf-8") as source:
        for key, value in re.findall(r"ktest-run: (\w+) (.*)", source.read()):
            value = value.strip()
            if key in ("smp", "memory", "module", "nmi"):
                setattr(found, key, int(value))
            elif key == "timeout":
                found.timeout = float(value)
            elif key in ("hv_options", "cpu", "clock"):
                setattr(found, key, value)
            elif key == "crash":
                found.crash.append(value)
            elif key == "skip":
                where, _, why = value.partition(" ")
                found.known[where] = why
            else:
                raise SetupError(f"{name}: unknown setting {key}")
    return found


def all_tests():
    return sorted(os.path.basename(os.path.dirname(p))
                  for p in glob.glob(os.path.join(HERE, "*", "main.c")))


def hypervisor_image(on, build, scratch):
    """Path of the image that QEMU loads."""
    if on == "radon":
        path = os.path.join(build, "hv", "radon")
        if not os.path.exists(path):
            raise SetupError(f"no hypervisor at {path}: build it first")
        return path
    packed = sorted(glob.glob("/boot/xen-4.17-amd64.gz"))
    if not packed:
        raise SetupError("no /boot/xen-4.17-amd64.gz: install xen-hypervisor-4.17-amd64")
    path = os.path.join(scratch, "xen")
    with gzip.open(packed[-1], "rb") as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target)
    return path


def module_file(scratch, size):
    """A module whose byte i is i * 7 + i // 256, modulo 256: what the tests expect."""
    path = os.path.join(scratch, f"module-{size}")
    with open(path, "wb") as target:
        target.write(bytes((i * 7 + i // 256) & 255 for i in range(size)))
    return path


def command_line(image, kernel, on, settings):
    hv_options = "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all"
    if on == "xen":
        hv_options += " console_to_ring=0 watchdog=0"
    if settings.smp > 1:
        hv_options += f" dom0_max_vcpus={settings.smp}"
    command = ["qemu-system-x86_64", *CLOCKS[settings.clock], "-m", str(settings.memory),
               "-smp", str(settings.smp), "-nographic", "-no-reboot", "-nodefaults",
               "-serial", "mon:stdio" if settings.nmi else "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
               "-kernel", image, "-append", f"{hv_options} {settings.hv_options}".strip(),
               "-initrd", f"{kernel} word={os.path.basename(kernel)}"]
    if settings.module:
        command[-1] += "," + module_file(os.path.dirname(kernel), settings.module)
    if settings.cpu:
        command += ["-cpu", settings.cpu]
    return command


def finished(text, settings):
    """True once nothing more is wanted from the console."""
    if VERDICT.search(text):
        return True
    return bool(settings.crash) and all(re.search(c, text) for c in settings.crash)


def watch(process, settings):
    """Console text until the machine ends, the verdict is out, or time is over."""
    text, deadline, grace, nmis = "", time.monotonic() + settings.timeout, None, 0
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    while True:
        limit = min(deadline, grace or deadline) - time.monotonic()
        if limit <= 0:
            return text, grace is None or bool(settings.crash)
        if not selector.select(limit):
            continue
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            return text, False
        text += piece.decode("utf-8", "replace").replace("\r", "")
        while settings.nmi and nmis < text.count(NMI_WANTED):
            os.write(process.stdin.fileno(), NMI)
            nmis += 1
        if grace is None and finished(text, settings):
            grace = time.monotonic() + (CRASH_GRACE_S if settings.crash else GRACE_S)
        if grace and ENDING.search(text):
            return text, False


def run_machine(command, settings):
    with machine_slot():
        # A pipe in which nothing comes: what is read is the serial line's input, and makes interrupts.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        start = time.monotonic()
        try:
            text, timed_out = watch(process, settings)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        return text, timed_out, time.monotonic() - start


def judge(text, timed_out, settings, on):
    """Verdict and summary of one console log."""
    blame = "ERROR" if on == "xen" else "FAILURE"  # what fails on the peer is the test's fault
    found = VERDICT.search(text)
    if found:
        verdict = blame if found.group(1) == "FAILURE" else found.group(1)
        return verdict, found.group(3)
    if settings.crash:
        missing = [c for c in settings.crash if not re.search(c, text)]
        if missing:
            return blame, "not on the console: " + missing[0]
        if timed_out:
            return "CRASH", "the domain died, the machine goes on"
        return "SUCCESS", "the domain died, its state is on the console"
    lines = [l for l in text.splitlines() if l.strip()]
    why = "time limit" if timed_out else "machine ended"
    return "CRASH", f"{why} without a verdict; last line: {lines[-1] if lines else '(none)'}"


def run_test(name, on, image, build, log, cpu):
    settings = read_settings(name)
    settings.cpu = settings.cpu or cpu
    if on in settings.known:
        return Result("SKIP", settings.known[on], 0)
    kernel = os.path.join(build, "tests", "guest", name + ".elf")
    if not os.path.exists(kernel):
        return Result("ERROR", f"not built: {kernel}", 0)
    text, timed_out, seconds = run_machine(command_line(image, kernel, on, settings), settings)
    os.makedirs(log, exist_ok=True)
    with open(os.path.join(log, name + ".log"), "w", encoding="utf-8") as out:
        out.write(text)
    verdict, summary = judge(text, timed_out, settings, on)
    failed = [l for l in text.splitlines() if "ktest: check failed" in l or "ktest: unexp" in l]
    for line in failed[:20]:
        print("    " + line[line.index("ktest:") + 7:], flush=True)
    return Result(verdict, summary, seconds)


def build_tests(build):
    if not os.path.exists(os.path.join(build, "CMakeCache.txt")):
        subprocess.run(["cmake", "-S", ROOT, "-B", build], check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", build, "-j", "2", "--target", "guest-tests"], check=True,
                   stdout=sys.stderr)


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="run.py", description="Boot the test kernels as domain 0 and read their verdicts.")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="names; default: all")
    parser.add_argument("--on", choices=("radon", "xen"), default="radon")
    parser.add_argument("--cpu", default="", help="QEMU's processor for tests that name none")
    parser.add_argument("--list", action="store_true", help="print the tests and end")
    parser.add_argument("--no-build", action="store_true")
    parser.add_argument("--build-dir", default=os.path.join(ROOT, "build"))
    parser.add_argument("--log", help="folder for console logs; default: <build>/log/guest-<on>")
    return parser.parse_args(argv)


def main(argv):
    options = parse(argv)
    tests = options.tests or all_tests()
    unknown = [t for t in tests if t not in all_tests()]
    if unknown:
        print(f"run.py: no such test: {unknown[0]}", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(tests))
        return 0
    log = options.log or os.path.join(options.build_dir, "log", "guest-" + options.on)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        if not options.no_build:
            build_tests(options.build_dir)
        with tempfile.TemporaryDirectory() as scratch:
            image = hypervisor_image(options.on, options.build_dir, scratch)
            for name in tests:
                result = run_test(name, options.on, image, options.build_dir, log,
                                  options.cpu)
                key = {"SUCCESS": "passed", "SKIP": "skipped"}.get(result.verdict, "failed")
                counts[key] += 1
                print(f"{result.verdict:8}{name} ({result.seconds:.1f} s) {result.summary}",
                      flush=True)
    except (SetupError, subprocess.CalledProcessError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{n} {k}" for k, n in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
