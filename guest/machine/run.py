# SPDX-License-Identifier: MIT
"""`radon run`: the command line of guest.machine.machine."""

import argparse
import sys

from . import build, interactive
from .errors import EXIT_INTERRUPTED, UsageError
from .machine import Result, Spec, run_machine
from .options import Parser
from .paths import note
from .request import machine_options, make_spec, split_command

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
def parser():
    top = Parser(
        prog="radon run", epilog=EXAMPLES,
        description="Boot a machine with a small initramfs, run COMMAND in it, power it off.")
    machine_options(top)
    add = top.add_argument
    add("--initrd", default="", metavar="FILE", help="an initrd to unpack below the small one")
    add("--disk", default="", metavar="FILE", help="a raw or qcow2 file as /dev/sda")
    add("--net", action="store_true", help="an Ethernet device, eth0, that leads nowhere else")
    add("-i", dest="interactive", action="store_true", help="an interactive shell; Ctrl-] ends it")
    add("command", nargs="*", metavar="COMMAND", help=argparse.SUPPRESS)
    return top


def _stream(kind, data):
    out = sys.stdout.buffer if kind == "o" else sys.stderr.buffer
    out.write(data)
    out.flush()


def boot(spec, is_interactive=False):
    """Runs spec with its output on ours; the exit status of the command that asked for it."""
    try:
        if is_interactive:
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


def check_command(options, command):
    """A command after "--", or -i; nothing else."""
    if options.command:
        raise UsageError("%r: the command comes after --" % options.command[0])
    if bool(command) == options.interactive:
        raise UsageError("give a command after --, or -i for a shell" if not command
                         else "-i takes no command")


def main(argv):
    before, command = split_command(argv)
    options = parser().parse_args(before)
    check_command(options, command)
    spec = make_spec(options, command)
    spec.initrd, spec.disk, spec.net = options.initrd, options.disk, options.net
    build.prepare(spec.on)
    return boot(spec, options.interactive)
