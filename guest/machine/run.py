# SPDX-License-Identifier: MIT
"""`radon run`: the command line of guest.machine.machine."""

import argparse
import os
import re
import sys

from . import build, columns, image, interactive, qemu
from .errors import EXIT_INTERRUPTED, UsageError
from .machine import Result, Spec, run_machine
from .options import Parser
from .paths import note

__all__ = ["Result", "Spec", "run_machine", "main"]

EXAMPLES = """examples:
  ./radon run -- uname -a
  ./radon run --on native --clock instr -- 'cat /proc/uptime; dmesg | tail'
  ./radon run --on xen --cpus 2 --add /usr/bin/stress-ng -- stress-ng --fork 2 -t 5
  ./radon run -i

COMMAND: one word is a line for the shell; several are a program and its arguments. The shell takes
busybox's own programs first: name an added one by its path (/usr/bin/xz).
Standard output and standard error are the command's; so is the exit status. Other ends:
1 the machine failed, 2 wrong use, 124 timed out, 130 interrupted.
"""
SIZE = re.compile(r"([0-9]+)([kKmMgG]?)[bB]?")
MIB_PER_UNIT = {"k": 1 / 1024, "": 1, "m": 1, "g": 1024}


def size_mib(text):
    """"512", "512M", "4G" -> MiB."""
    found = SIZE.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise argparse.ArgumentTypeError("%r is no size (512M, 4G)" % text)
    return int(int(found[1]) * MIB_PER_UNIT[found[2].lower()])


def positive(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("%r is no number of seconds" % text)
    return value


def parser():
    top = Parser(
        prog="radon run", epilog=EXAMPLES,
        description="Boot a machine with a small initramfs, run COMMAND in it, power it off.")
    add = top.add_argument
    add("--on", choices=columns.COLUMNS, default="radon",
        help="what the kernel runs on (default: radon)")
    add("--clock", choices=sorted(qemu.CLOCKS), default="tcg",
        help="instr: 1 instruction = 1 ns, repeats to the digit; tcg: wall time (default); "
             "kvm: hardware, where it works")
    add("--cpus", type=int, default=1, metavar="N", help="processors (default: 1)")
    add("--cpu", default="", metavar="MODEL", help="QEMU's CPU model, such as max")
    add("--memory", type=size_mib, default=1024, metavar="M", help="of the machine (default: 1024M)")
    add("--dom0-memory", type=size_mib, default=512, metavar="M",
        help="of domain 0 (default: 512M)")
    add("--kernel", default="", metavar="FILE", help="default: the newest of Debian in /boot")
    add("--initrd", default="", metavar="FILE", help="an initrd to unpack below the small one")
    add("--add", action="append", default=[], metavar="PATH[:DEST]",
        help="take a file or a directory along, with the libraries it needs (may be repeated)")
    add("--cmdline", default="", metavar="S", help="more words for the kernel")
    add("--hv-cmdline", default="", metavar="S", help="more words for the hypervisor")
    add("--disk", default="", metavar="FILE", help="a raw or qcow2 file as /dev/sda")
    add("--net", action="store_true", help="an Ethernet device, eth0, that leads nowhere else")
    add("--log", default="", metavar="FILE", help="write the rest of the console there")
    add("--timeout", type=positive, default=0, metavar="S",
        help="end after so many seconds, with status 124 (default: 300; emulation 3000)")
    add("-i", dest="interactive", action="store_true", help="an interactive shell; Ctrl-] ends it")
    add("command", nargs="*", metavar="COMMAND", help=argparse.SUPPRESS)
    return top


def split_command(argv):
    """Options before the first "--", the command after it."""
    if "--" in argv:
        at = argv.index("--")
        return argv[:at], argv[at + 1 :]
    return argv, []


def make_spec(options, command):
    return Spec(on=options.on, clock=options.clock, cpus=options.cpus, cpu=options.cpu,
                memory=options.memory, dom0_memory=options.dom0_memory, kernel=options.kernel,
                initrd=options.initrd, adds=[image.parse_add(text) for text in options.add],
                cmdline=options.cmdline, hv_cmdline=options.hv_cmdline, command=command,
                disk=options.disk, net=options.net, timeout=options.timeout, log=options.log)


def _stream(kind, data):
    out = sys.stdout.buffer if kind == "o" else sys.stderr.buffer
    out.write(data)
    out.flush()


def main(argv):
    before, command = split_command(argv)
    top = parser()
    options = top.parse_args(before)
    if options.command:
        raise UsageError("%r: the command comes after --" % options.command[0])
    if bool(command) == options.interactive:
        raise UsageError("give a command after --, or -i for a shell" if not command
                         else "-i takes no command")
    if options.log and not os.path.isdir(os.path.dirname(os.path.abspath(options.log))):
        raise UsageError("--log %s: no such directory" % options.log)
    spec = make_spec(options, command)
    build.prepare(spec.on)
    try:
        if options.interactive:
            return interactive.run(spec)
        result = run_machine(spec, _stream)
    except KeyboardInterrupt:
        note("interrupted")
        return EXIT_INTERRUPTED
    if result.reason:
        tail = result.tail()
        if tail:
            print(tail, file=sys.stderr)
        note(result.reason)
    return result.status
