# SPDX-License-Identifier: MIT
"""Where the processors of a machine are that does not end: asked of QEMU's monitor.

A time-out alone says nothing of its cause, and the next run may not hang. Registers and the words of
each stack do; addresses of the hypervisor get their symbols.
"""

import bisect
import os
import re
import socket
import subprocess

from .paths import BUILD

PROMPT = b"(qemu) "
ANSWER_S = 5  # a monitor that takes longer is stuck with the machine
LOOKS = 2  # at the registers: a processor that is in one place in both is not just slow
STACK_WORDS = 96
PATH_MAX = 100  # a socket's address has room for 108
KERNEL_HALF = 0xffff800000000000


def arguments(directory):
    """QEMU's, for a monitor in that directory; and its path. None where the path is too long."""
    path = os.path.join(directory, "monitor")
    if len(path) > PATH_MAX:
        return [], None
    return ["-chardev", "socket,id=monitor,server=on,wait=off,path=" + path,
            "-mon", "chardev=monitor,mode=readline"], path


class _Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ANSWER_S)
        self.socket.connect(path)
        self._answer()

    def _answer(self):
        data = b""
        while not data.endswith(PROMPT):
            more = self.socket.recv(65536)
            if not more:
                break
            data += more
        return data[:-len(PROMPT)].decode(errors="replace").replace("\r", "")

    def ask(self, line):
        """The answer without the line itself, which the monitor echoes with what its editor draws."""
        self.socket.sendall(line.encode() + b"\n")
        return self._answer().partition("\n")[2]


def _symbols():
    """Addresses and names of the hypervisor's functions, ascending; empty if there is no image."""
    image = os.path.join(BUILD, "hv", "radon.elf")
    done = subprocess.run(["nm", "--defined-only", "-n", image], capture_output=True, text=True,
                          check=False)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [(int(row[0], 16), row[2]) for row in rows if len(row) == 3 and row[1] in "tT"]


def _name(symbols, address):
    at = bisect.bisect(symbols, (address, "\x7f")) - 1
    if at < 0 or at + 1 == len(symbols) or address < KERNEL_HALF:
        return ""
    return " %s+%#x" % (symbols[at][1], address - symbols[at][0])


def _registers(text, symbols):
    """The lines of `info registers` that say where it is."""
    kept = [line for line in text.splitlines()
            if re.match(r"CPU#|R..?=|R[0-9]|RIP=|CS |CR0=", line)]
    rip = re.search(r"RIP=([0-9a-f]+)", text)
    return "\n".join(kept) + ("\n  at%s" % _name(symbols, int(rip[1], 16)) if rip else "")


def _stack(text, symbols):
    """The words of a dump that look like addresses of code or of a kernel's memory."""
    words = [int(word, 16) for word in re.findall(r" 0x([0-9a-f]{16})", text)]
    return "\n".join("  rsp+%#x: %016x%s" % (8 * i, word, _name(symbols, word))
                     for i, word in enumerate(words) if word >= KERNEL_HALF)


def look(path, cpus):
    """Text for a person; says so if the monitor does not answer. The machine goes on."""
    symbols = _symbols()
    said = []
    try:
        monitor = _Monitor(path)
        for time in range(LOOKS):
            for cpu in range(cpus):
                monitor.ask("cpu %d" % cpu)
                said.append(_registers(monitor.ask("info registers"), symbols))
                if time == LOOKS - 1:
                    said.append(_stack(monitor.ask("x /%dgx $rsp" % STACK_WORDS), symbols))
    except OSError as error:
        said.append("QEMU's monitor: %s" % (error.strerror or error))
    return "\n".join(said)
