# SPDX-License-Identifier: MIT
"""What commands that boot a machine have in common: its options, and the Spec that they make."""

import argparse
import os
import re

from . import columns, image, qemu
from .errors import UsageError
from .machine import Spec

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


def machine_options(top, on=columns.COLUMNS, memory=1024, dom0_memory=512):
    """The options of the machine, whatever runs in it. on: columns to choose from, the default
    first; sizes in MiB."""
    add = top.add_argument
    add("--on", choices=on, default=on[0],
        help="what the kernel runs on (default: %s)" % on[0])
    add("--clock", choices=sorted(qemu.CLOCKS), default="tcg",
        help="instr: 1 instruction = 1 ns, repeats to the digit; tcg: wall time (default); "
             "kvm: hardware, where it works")
    add("--cpus", type=int, default=1, metavar="N", help="processors (default: 1)")
    add("--cpu", default="", metavar="MODEL", help="QEMU's CPU model, such as max")
    add("--memory", type=size_mib, default=memory, metavar="M",
        help="of the machine (default: %dM)" % memory)
    add("--dom0-memory", type=size_mib, default=dom0_memory, metavar="M",
        help="of domain 0 (default: %dM)" % dom0_memory)
    add("--kernel", default="", metavar="FILE", help="default: the newest of Debian in /boot")
    add("--add", action="append", default=[], metavar="PATH[:DEST]",
        help="take a file or a directory along, with the libraries it needs (may be repeated)")
    add("--get", action="append", default=[], metavar="INSIDE:FILE",
        help="when the command has ended, bring that file of the machine back (may be repeated)")
    add("--cmdline", default="", metavar="S", help="more words for the kernel")
    add("--hv-cmdline", default="", metavar="S", help="more words for the hypervisor")
    add("--log", default="", metavar="FILE", help="write the rest of the console there")
    add("--timeout", type=positive, default=0, metavar="S",
        help="end after so many seconds, with status 124 (default: 300; emulation 3000)")


def split_command(argv):
    """Options before the first "--", the command after it."""
    if "--" in argv:
        at = argv.index("--")
        return argv[:at], argv[at + 1 :]
    return argv, []


def parse_get(text):
    """"/inside:outside" -> both."""
    inside, colon, outside = text.partition(":")
    if not inside.startswith("/") or not colon or not outside:
        raise UsageError("--get %s: /INSIDE:FILE is expected" % text)
    check_output("--get", outside)
    return inside, outside


def check_output(option, path):
    """Refuses a file that could not be written: before a machine is started for it."""
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise UsageError("%s %s: no such directory" % (option, path))
    if os.path.isdir(path):
        raise UsageError("%s %s: is a directory" % (option, path))


def make_spec(options, command):
    """What machine_options() took. Raises UsageError for files that make no sense."""
    if options.log:
        check_output("--log", options.log)
    return Spec(on=options.on, clock=options.clock, cpus=options.cpus, cpu=options.cpu,
                memory=options.memory, dom0_memory=options.dom0_memory, kernel=options.kernel,
                adds=[image.parse_add(text) for text in options.add],
                cmdline=options.cmdline, hv_cmdline=options.hv_cmdline, command=command,
                gets=[parse_get(text) for text in options.get], timeout=options.timeout, log=options.log)
