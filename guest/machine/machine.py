# SPDX-License-Identifier: MIT
"""Runs one command on one machine: the interface for `radon run`, the benchmarks and the tests.

    from guest.machine.machine import Spec, run_machine
    result = run_machine(Spec(on="xen", clock="instr", command=["uname -a"]))
    result.status, result.stdout, result.reason
"""

import dataclasses
import os
import re
import tempfile
import time

from . import columns, cpio, emulation, files, frames, image, kernel as kernel_file, kvm, qemu
from .errors import EXIT_FAILED, EXIT_TIMEOUT, RunError, UsageError

TIMEOUT_S = 300  # wall time; emulation gets ten times as much
EMULATION_FACTOR = 10
POWER_OFF_S = 30  # from the last frame to the end of QEMU
TAIL_LINES = 30  # of the console, for a person who must see why
CRASH_STATUS = 2 * 0x2A + 1  # of QEMU, when the hypervisor wrote 0x2a to isa-debug-exit
CAUSES = (  # lines of a console that say why a machine stopped; the first kind that is there counts
    r"\*\*\* (DEFECT: .*) \*\*\*", r"\*\*\* (panic: .*) \*\*\*",
    r"(Panic on CPU \d+:\s+.*)", r"(domain \d+ crashed: .*)",
    r"(Domain \d+ \(vcpu#\d+\) crashed .*)", r"(Kernel panic - not syncing: .*)",
)


@dataclasses.dataclass
class Spec:
    """What to run, where. Files are paths on the host; sizes in MiB; times in seconds."""

    on: str = "radon"  # a name of columns.COLUMNS
    clock: str = "tcg"  # a key of qemu.CLOCKS
    cpus: int = 1
    cpu: str = ""  # QEMU's CPU model; empty: its default
    memory: int = 1024
    dom0_memory: int = 512
    kernel: str = ""  # empty: Debian's newest
    initrd: str = ""  # an initrd to unpack below ours
    adds: list = dataclasses.field(default_factory=list)  # (path, destination), see image.parse_add
    cmdline: str = ""
    hv_cmdline: str = ""
    command: list = dataclasses.field(default_factory=list)  # one word: a line for /bin/sh
    env: dict = dataclasses.field(default_factory=dict)
    disk: str = ""
    net: bool = False
    root: str = ""  # raw ext4 file that takes the initramfs's place
    keep_root: bool = False  # changes to root stay; else they go with the machine
    xen_devices: bool = False  # load the drivers that programs of domain 0 use
    gets: list = dataclasses.field(default_factory=list)  # (path inside, path on the host)
    timeout: float = 0  # 0: the column's default
    log: str = ""  # file for the rest of the console
    hypervisor: str = ""  # an image in place of the column's own


@dataclasses.dataclass
class Result:
    """What came out. status is the command's exit status when reason is empty; otherwise the machine
    failed: EXIT_TIMEOUT or EXIT_FAILED, and reason says how in one line."""

    status: int
    stdout: bytes
    stderr: bytes
    log: str  # the console without the command's output
    wall: float
    reason: str
    command_status: object  # the command's, also when the machine failed later; None if unknown
    boot_uptime_ns: object  # the kernel's clock when /init started the command
    boot_tsc: object  # the time stamp counter then (in instruction time: ns since reset)
    pinned: str  # what was held still, for results
    state: str = ""  # of one that timed out: where its processors were

    def tail(self):
        lines = [line for line in self.log.replace("\r", "").split("\n") if line.strip()]
        return "\n".join(lines[-TAIL_LINES:])


class Collector:
    """Sorts decoded frames into streams; stream(kind, bytes) sees output as it comes."""

    def __init__(self, stream=None):
        self.decoder = frames.Decoder()
        self.stream = stream
        self.parts = {"o": [], "e": []}
        self.notes = []
        self.status = self.uptime = self.tsc = None

    def feed(self, data):
        """Takes console bytes; returns the seconds left for power-off once the command has ended."""
        self._take(self.decoder.feed(data))
        return POWER_OFF_S if self.status is not None else None

    def finish(self):
        self._take(self.decoder.finish())

    def _take(self, pairs):
        for kind, payload in pairs:
            if kind in self.parts:
                self.parts[kind].append(payload)
                if self.stream:
                    self.stream(kind, payload)
            elif kind == "n":
                self.notes.append(payload.decode(errors="replace"))
            elif kind == "b":
                self.uptime, self.tsc = (int(word) for word in payload.split())
            elif kind == "x":
                self.status = int(payload)


def _check(spec):
    if spec.on not in columns.COLUMNS:
        raise UsageError("no column %s: one of %s" % (spec.on, " ".join(columns.COLUMNS)))
    if spec.clock not in qemu.CLOCKS:
        raise UsageError("no clock %s: one of %s" % (spec.clock, " ".join(qemu.CLOCKS)))
    if not 1 <= spec.cpus <= 255:
        raise UsageError("--cpus %d: 1 to 255" % spec.cpus)
    for path in (spec.disk, spec.root):
        if path and not os.path.isfile(path):
            raise UsageError("cannot read the disk %s" % path)


def _linux(spec):
    path = spec.kernel or kernel_file.newest()
    if not path:
        raise RunError("no Debian kernel in /boot: apt install linux-image-amd64")
    kernel_file.check(path)
    return path


def _initramfs(spec, linux):
    """The bytes of the initramfs: the user's own first, ours unpacked over it."""
    below = b""
    if spec.initrd:
        below = kernel_file.read_input(spec.initrd, "initrd")
        cpio.check(below, spec.initrd)
        below += b"\0" * (-len(below) % 4)
    parts = image.Parts(disk=bool(spec.disk), net=spec.net, xen=spec.xen_devices,
                        root="/dev/sda" if spec.root else "",
                        gets=tuple(inside for inside, _ in spec.gets))
    release = kernel_file.release(linux) if parts.modules() else None
    if parts.modules() and not release:
        raise UsageError("drivers are needed: they take a bzImage, whose modules are known")
    return below + image.build(spec.command, spec.adds, spec.env, parts, release)


def _drive(path, number, options=""):
    with open(path, "rb") as file:
        kind = "qcow2" if file.read(4) == b"QFI\xfb" else "raw"
    return ["-drive", "if=none,id=disk%d,format=%s%s,file=%s"
            % (number, kind, options, path.replace(",", ",,")),
            "-device", "ide-hd,drive=disk%d,bus=ahci0.%d" % (number, number)]


def devices(spec, directory):
    """QEMU arguments of disks, network and files. The network ends inside the machine."""
    args = []
    if spec.disk or spec.root:
        args += ["-device", "ahci,id=ahci0"]
    if spec.root:
        args += _drive(spec.root, 0, "" if spec.keep_root else ",snapshot=on")
    if spec.disk:
        args += _drive(spec.disk, 1 if spec.root else 0)
    if spec.net:
        args += ["-netdev", "user,id=net0,restrict=on", "-device", "e1000,netdev=net0"]
    if spec.gets:
        args += files.arguments(directory)
    return args


def make_boot(spec, directory):
    """The files and arguments of one boot; files that only this boot needs go to directory."""
    _check(spec)
    if spec.clock == "kvm":
        kvm.require(spec.cpu)
    linux = _linux(spec)
    initramfs = _initramfs(spec, linux)
    timeout = spec.timeout or TIMEOUT_S * (EMULATION_FACTOR if spec.on == "emulation" else 1)
    memory, line = spec.memory, columns.linux_cmdline(spec.on, spec.clock, spec.cmdline)
    columns.check_memory(spec.on, memory, spec.dom0_memory, len(initramfs))
    if spec.on == "emulation":
        initramfs, memory = emulation.outer_initramfs(spec, linux, initramfs, line)
        line = columns.linux_cmdline(spec.on, spec.clock, "")
    initrd = os.path.join(directory, "initrd")
    with open(initrd, "wb") as file:
        file.write(initramfs)
    hypervisor = hypervisor_line = ""
    if spec.on in columns.HYPERVISORS:
        hypervisor = columns.hypervisor_image(spec.on, spec.hypervisor)
        hypervisor_line = columns.hypervisor_cmdline(spec.dom0_memory, spec.hv_cmdline)
    files = columns.qemu_files(spec.on, linux, initrd, line, hypervisor, hypervisor_line)
    extra = [] if spec.on == "emulation" else devices(spec, directory)
    return qemu.Boot(*files, spec.clock, spec.cpus, spec.cpu, memory, extra, timeout)


def _cause(log):
    """": " and the line of the console that says why, or ''."""
    text = log.decode(errors="replace").replace("\r", "")
    found = [found for found in (re.findall(pattern, text) for pattern in CAUSES) if found]
    return ": " + " ".join(found[0][-1].split()) if found else ""


def _reason(ended, collector, timeout, log):
    """Why the run is no success, or ''; and the exit status of that."""
    if collector.status is None:
        if ended.timed_out:
            return "timed out after %g s%s" % (timeout, _cause(log)), EXIT_TIMEOUT
        if ended.status == 1 and ended.stderr:
            return ended.stderr.splitlines()[-1], EXIT_FAILED
        if ended.status:
            who = "the hypervisor" if ended.status == CRASH_STATUS else "QEMU"
            return ("%s stopped the machine (QEMU's status %d)%s"
                    % (who, ended.status, _cause(log)), EXIT_FAILED)
        return "the machine stopped before the command ended" + _cause(log), EXIT_FAILED
    if collector.decoder.lost:
        return ("%d frames of the command's output were lost on the console"
                % collector.decoder.lost, EXIT_FAILED)
    if ended.timed_out:
        return "the machine did not power off after the command", EXIT_FAILED
    if ended.status:
        return ("the machine failed after the command (QEMU's status %d)%s"
                % (ended.status, _cause(log)), EXIT_FAILED)
    return "", collector.status


def run_machine(spec, stream=None):
    """Boots, runs the command, powers off. stream(kind, bytes): output while it comes, kind "o" or
    "e". Raises UsageError or RunError when the machine cannot even be started."""
    started = time.monotonic()
    collector = Collector(stream)
    with tempfile.TemporaryDirectory(prefix="radon-") as directory:
        boot = make_boot(spec, directory)
        reader = emulation.Inner(collector) if spec.on == "emulation" else collector
        ended = qemu.run(boot, reader.feed)
        missing = files.take(directory, spec.gets) if spec.gets else []
    reader.finish()
    log = collector.decoder.log_bytes()
    if reader is not collector:
        log = reader.log_bytes() + b"\n--- inside the emulator ---\n" + log
    reason, status = _reason(ended, collector, boot.timeout, log)
    if missing and not reason and not status:
        reason, status = "; ".join(missing), EXIT_FAILED
    if spec.log:
        with open(spec.log, "wb") as file:
            file.write(log)
            if ended.state:
                file.write(b"\n--- where the processors were ---\n%s\n" % ended.state.encode())
    text = log.decode(errors="replace")
    text += "".join("init: %s\n" % note for note in collector.notes)
    return Result(status, b"".join(collector.parts["o"]), b"".join(collector.parts["e"]), text,
                  time.monotonic() - started, reason, collector.status, collector.uptime,
                  collector.tsc, qemu.PINNED[spec.clock], ended.state)
