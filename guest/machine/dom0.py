# SPDX-License-Identifier: MIT
"""`radon dom0`: a Debian 12 root as domain 0, with Xen's, LTTng's and the project's tools."""

import argparse
import os

from . import build, debroot, kernel, tools
from .columns import HYPERVISORS
from .errors import RunError, UsageError
from .options import Parser
from .request import machine_options, make_spec, split_command
from .run import check_command
from .terminal import boot

MEMORY_MIB, DOM0_MEMORY_MIB = 1536, 1024
EXAMPLES = """examples:
  ./radon dom0 -- xl info
  ./radon dom0 --on xen -- 'xentrace -D -e all -T 5 /tmp/t; xenalyze --summary /tmp/t'
  ./radon dom0 --add script.sh -- sh script.sh
  ./radon dom0 --get /tmp/t:t.bin -- radon trace record -o /tmp/t -- ls -lR /usr
  ./radon dom0 --disk mine.img -i

SCRIPT: one word is a line for the shell; several are a program and its arguments. Its standard
output, standard error and exit status come back. Changes to the file system are gone afterwards,
unless --disk names a file to keep them in.
Other ends: 1 the machine failed, 2 wrong use, 124 timed out, 130 interrupted.
"""


def parser():
    top = Parser(prog="radon dom0", epilog=EXAMPLES,
                 description="Boot Debian 12 as domain 0, run SCRIPT there, power it off.")
    machine_options(top, on=HYPERVISORS, memory=MEMORY_MIB, dom0_memory=DOM0_MEMORY_MIB)
    add = top.add_argument
    add("--disk", default="", metavar="FILE",
        help="keep the file system there; made if it does not exist")
    add("--net", action="store_true", help="an Ethernet device, eth0, that leads nowhere else")
    add("--rebuild", action="store_true", help="make the file system again, of today's packages")
    add("-i", dest="interactive", action="store_true", help="an interactive shell; Ctrl-] ends it")
    add("command", nargs="*", metavar="SCRIPT", help=argparse.SUPPRESS)
    return top


def _linux(options):
    """The release of the kernel whose modules the file system needs."""
    path = options.kernel or kernel.newest()
    if not path:
        raise RunError("no Debian kernel in /boot: apt install linux-image-amd64")
    kernel.check(path)
    release = kernel.release(path)
    if not release:
        raise UsageError("%s: domain 0 takes a bzImage, whose modules are known" % path)
    return release


def _disk(options, image):
    """(file of the root, whether changes stay)."""
    if not options.disk:
        return image, False
    if not os.path.exists(options.disk):
        debroot.copy_to(image, options.disk)
    return options.disk, True


def make(options, command):
    """The Spec; everything that it names is there."""
    spec = make_spec(options, command)
    if options.disk and not os.path.isdir(os.path.dirname(os.path.abspath(options.disk))):
        raise UsageError("--disk %s: no such directory" % options.disk)
    build.prepare(spec.on)
    image = debroot.ensure(_linux(options), options.rebuild)
    spec.root, spec.keep_root = _disk(options, image)
    spec.xen_devices, spec.net = True, options.net
    spec.adds = tools.everything() + spec.adds
    return spec


def main(argv):
    before, command = split_command(argv)
    options = parser().parse_args(before)
    check_command(options, command)
    return boot(make(options, command), options.interactive)
