# SPDX-License-Identifier: MIT
"""`radon run -i`: the terminal on the machine's console."""

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import termios
import tty

from . import frames, machine, qemu
from .errors import EXIT_FAILED, EXIT_INTERRUPTED, UsageError
from .paths import note
from .slots import machine_slot

ESCAPE = b"\x1d"  # Ctrl-]


@contextlib.contextmanager
def _raw_terminal():
    if not sys.stdin.isatty():
        yield
        return
    saved = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


class _Console:
    """Shows what comes between the first frame and the last; keeps the rest for the log."""

    def __init__(self):
        self.seen = b""
        self.log = b""
        self.shown = False
        self.status = None

    def feed(self, data):
        self.log += data
        self.seen += data
        while True:
            found = frames.FRAME.search(self.seen)
            if not found:
                break
            self._show(self.seen[: found.start()])
            frame = frames.parse(found[0])
            self.seen = self.seen[found.end() :]
            if frame and frame[1] == "b":
                self.shown = True
                self.seen = self.seen.lstrip(b"\r\n")
            elif frame and frame[1] == "x":
                self.shown, self.status = False, int(frame[2])
        cut = self.seen.rfind(b"~R")
        if cut < 0 or len(self.seen) - cut > frames.FRAME_MAX:
            cut = len(self.seen) - self.seen.endswith(b"~")
        self._show(self.seen[:cut])
        self.seen = self.seen[cut:]

    def _show(self, data):
        if self.shown and data:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()


def _pump(process, console):
    """Moves bytes both ways until the machine ends; True if the user ended it."""
    sources = [process.stdout.fileno(), 0]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if 0 in ready:
            typed = os.read(0, 4096)
            if ESCAPE in typed:
                return True
            if typed:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(typed)
                    process.stdin.flush()
            else:
                sources.remove(0)
        if process.stdout.fileno() in ready:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return False
            console.feed(data)


def run(spec):
    """Boots spec with a shell on the console; its exit status is the shell's."""
    if spec.on == "emulation":
        raise UsageError("-i is not for --on emulation")
    console = _Console()
    with tempfile.TemporaryDirectory(prefix="radon-") as directory, machine_slot():
        boot = machine.make_boot(spec, directory)
        serial = ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        note("booting; Ctrl-] ends the machine")
        process = qemu.start(boot, serial, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            with _raw_terminal():
                ended_by_user = _pump(process, console)
            if not ended_by_user:
                process.wait(machine.POWER_OFF_S)
        finally:
            if process.poll() is None:
                qemu.stop(process)
    if spec.log:
        with open(spec.log, "wb") as file:
            file.write(console.log)
    if ended_by_user:
        return EXIT_INTERRUPTED
    if console.status is None:
        sys.stderr.write("\n".join(console.log.decode(errors="replace").splitlines()[-30:]) + "\n")
        note("the machine stopped before the shell ended")
        return EXIT_FAILED
    return console.status
