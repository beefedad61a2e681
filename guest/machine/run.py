# SPDX-License-Identifier: MIT
"""`radon run`: the command line of guest.machine.machine."""

import argparse

from . import build, fast, observe
from .errors import UsageError
from .machine import Result, Spec, run_machine
from .options import Parser
from .request import check_output, machine_options, make_spec, split_command
from .terminal import boot

__all__ = ["Result", "Spec", "run_machine", "main"]

EXAMPLES = """examples:
  ./radon run -- uname -a
  ./radon run --on native --clock instr -- 'cat /proc/uptime; dmesg | tail'
  ./radon run --on xen --cpus 2 --add /usr/bin/stress-ng -- stress-ng --fork 2 -t 5
  ./radon run --trace ls.trace -e 'hypercall:*,trap:*' -- ls -lR /
  ./radon run --fast --add build/bench/rbench:/ -- /rbench --rows null_call --samples 500
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
    add("--trace", default="", metavar="FILE",
        help="record the hypervisor's events while COMMAND runs: FILE is for ./radon trace report")
    add("-e", dest="events", default="", metavar="EVENTS",
        help="of --trace: names with commas between them (./radon trace list); default: all")
    add("--fast", action="store_true",
        help="make fast handlers while COMMAND runs (radon-prof); list them at the end")
    add("--disk", default="", metavar="FILE", help="a raw or qcow2 file as /dev/sda")
    add("--net", action="store_true", help="an Ethernet device, eth0, that leads nowhere else")
    add("-i", dest="interactive", action="store_true", help="an interactive shell; Ctrl-] ends it")
    add("command", nargs="*", metavar="COMMAND", help=argparse.SUPPRESS)
    return top


def check_command(options, command):
    """A command after "--", or -i; nothing else."""
    if options.command:
        raise UsageError("%r: the command comes after --" % options.command[0])
    if bool(command) == options.interactive:
        raise UsageError("give a command after --, or -i for a shell" if not command
                         else "-i takes no command")


def _check_observed(options):
    if options.events and not options.trace:
        raise UsageError("-e is for --trace")
    if options.trace and options.interactive:
        raise UsageError("--trace records a command: not with -i")
    if options.trace and options.on != "radon":
        raise UsageError("--trace is for --on radon; on Xen, xentrace records: ./radon dom0 --on xen")
    if options.fast and (options.interactive or options.on != "radon"):
        raise UsageError("--fast is for a command on Radon: not with -i, and not with --on")
    if options.trace:
        check_output("--trace", options.trace)


def main(argv):
    before, command = split_command(argv)
    options = parser().parse_args(before)
    check_command(options, command)
    spec = make_spec(options, command)
    spec.initrd, spec.disk, spec.net = options.initrd, options.disk, options.net
    _check_observed(options)
    build.prepare(spec.on)
    if options.fast:
        fast.beside(spec)
    if options.trace:
        observe.record_to(spec, options.trace, ["-e", options.events] if options.events else [])
    return boot(spec, options.interactive)
