# SPDX-License-Identifier: MIT
"""`radon stat`, `radon trace`, `radon profile` on the host.

With a command after "--" each boots a machine and runs the tool of that name in its domain 0, around
the command; what the tool wrote comes back. Without one it is the tool itself, on a recording.
"""

import os
import subprocess
import sys
import tempfile

from . import build, tools
from .errors import UsageError
from .options import Parser
from .request import check_output, machine_options, make_spec, split_command
from .terminal import boot

END = """
Options that are not of the machine are the tool's; it is in this tree: build/tracing/%s --help
lists them. COMMAND: one word is a line for the shell; several are a program and its arguments.
Exit: the tool's status, which is the command's where that failed; 1 the machine failed, 2 wrong use,
124 timed out, 130 interrupted.
"""


def bring_back(spec, path):
    """Has what the tool writes come to path on the host; where it is to write it in the machine."""
    inside = "/run/" + (os.path.basename(path) or "out")
    spec.gets = spec.gets + [(inside, path)]
    return inside


def words(command):
    """The command as a program and its arguments."""
    return ["/bin/sh", "-c", command[0]] if len(command) == 1 else list(command)


def wrap(spec, name, arguments):
    """Has spec run radon-NAME of this tree around its command."""
    spec.adds = spec.adds + [(tools.program(name), tools.INSIDE + "radon-" + name)]
    spec.command = ["radon-" + name, *arguments, "--", *words(spec.command)]
    spec.xen_devices = True


def _parser(name, what, examples, output):
    """The machine's options and -o, before a "--"."""
    tool = "radon-" + name
    top = Parser(prog="radon " + name, description=what,
                 epilog="examples:\n" + examples + END % tool)
    machine_options(top, on=("radon",))
    top.add_argument("-o", dest="output", default="", metavar="FILE", help=output)
    return top


def _here(name, arguments):
    """The tool itself, in place of this process."""
    path = tools.program(name)
    sys.stdout.flush()
    os.execv(path, ["radon-" + name, *arguments])


def _request(top, argv, outputs=("output",)):
    """(options of the machine, what is the tool's, the Spec)."""
    before, command = split_command(argv)
    options, passed = top.parse_known_args(before)  # --help ends here
    if not command:
        raise UsageError("give a command after --")
    for name in outputs:
        if getattr(options, name):
            check_output("-o" if name == "output" else "--" + name, getattr(options, name))
    return options, passed, make_spec(options, command)


def _is_for_the_tool(argv):
    """A call without a machine: a command of the tool's, and nothing after a "--"."""
    return bool(argv) and "--" not in argv and not argv[0].startswith("-")


def stat(argv):
    """What enters the hypervisor while a command runs."""
    top = _parser("stat", "How often each hypercall, trap, system call and guest routine enters the "
                  "hypervisor while COMMAND runs, and what it costs.",
                  "  ./radon stat -- ls -lR /\n"
                  "  ./radon stat --clock instr --csv -o ls.csv -- ls -lR /\n"
                  "  ./radon stat report trace.bin\n",
                  "write the report there (default: standard output)")
    if _is_for_the_tool(argv):
        _here("stat", argv)
    options, passed, spec = _request(top, argv)
    if options.output:
        passed = passed + ["-o", bring_back(spec, options.output)]
    build.prepare(spec.on)
    wrap(spec, "stat", passed)
    return boot(spec)


def trace(argv):
    """A recording of what happens while a command runs; or the tool on one."""
    top = _parser("trace", "Record the hypervisor's events while COMMAND runs: radon trace record "
                  "... -- COMMAND. Or read a recording.",
                  "  ./radon trace record -o ls.trace -- ls -lR /\n"
                  "  ./radon trace report ls.trace\n"
                  "  ./radon trace list\n",
                  "write the recording there (default: trace.bin)")
    if _is_for_the_tool(argv):
        _here("trace", argv)
    options, passed, spec = _request(top, argv)
    if passed[:1] != ["record"]:
        raise UsageError("radon trace %s takes no command: only radon trace record does"
                         % " ".join(passed[:1]))
    record_to(spec, options.output or "trace.bin", passed[1:])
    build.prepare(spec.on)
    return boot(spec)


def record_to(spec, path, passed):
    """Has spec record its command's run to path on the host."""
    check_output("-o", path)
    inside = bring_back(spec, path)
    clock = ["--clock", "instr" if spec.clock == "instr" else "machine"]
    wrap(spec, "trace", ["record", "-o", inside, *clock, *passed])


def _show_profile(recording, flame):
    """The table, and the flame graph; the status of the first that fails."""
    program = tools.program("profile")
    status = subprocess.run([program, "report", recording], check=False).returncode
    if flame and not status:
        status = subprocess.run([program, "flame", recording, "-o", flame], check=False).returncode
    return status


def profile(argv):
    """Where the time goes while a command runs."""
    top = _parser("profile", "Sample guest programs, guest kernel and hypervisor while COMMAND runs; "
                  "print where the time went.",
                  "  ./radon profile -- ls -lR /\n"
                  "  ./radon profile --hz 4999 -o ls.profile --flame ls.svg -- ls -lR /\n"
                  "  ./radon profile report ls.profile --total\n"
                  "  ./radon profile diff before.profile after.profile -o diff.svg\n",
                  "keep the recording there")
    top.add_argument("--flame", default="", metavar="FILE", help="write a flame graph (SVG) there")
    if _is_for_the_tool(argv):
        _here("profile", argv)
    options, passed, spec = _request(top, argv, ("output", "flame"))
    build.prepare(spec.on)
    with tempfile.TemporaryDirectory(prefix="radon-") as directory:
        recording = options.output or os.path.join(directory, "profile")
        wrap(spec, "profile", ["record", "-o", bring_back(spec, recording), *passed])
        if os.path.isfile(recording):
            os.unlink(recording)  # an old one is not shown for a run that failed
        status = boot(spec)
        if os.path.exists(recording):
            return status or _show_profile(recording, options.flame)
    return status
