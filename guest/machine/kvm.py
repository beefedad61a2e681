# SPDX-License-Identifier: MIT
"""Whether this host's KVM runs an ordinary guest. Having /dev/kvm does not prove it: the only proof
is a guest that got somewhere."""

import os
import tempfile

from . import qemu
from .errors import RunError

DEVICE = "/dev/kvm"
LIMIT_S = 5
# A boot sector, 16-bit code: mov al,0x2a; out 0xf4,al; hlt. QEMU's status is then 0x2a * 2 + 1.
CODE = bytes([0xB0, 0x2A, 0xE6, qemu.DEBUG_EXIT_PORT, 0xF4])
EXPECTED = 0x2A * 2 + 1


def _boot_sector(cpu):
    with tempfile.TemporaryDirectory(prefix="radon-") as directory:
        disk = os.path.join(directory, "disk")
        with open(disk, "wb") as file:
            file.write(CODE.ljust(510, b"\0") + b"\x55\xaa")
        drive = ["-drive", "if=ide,format=raw,file=" + disk]
        return qemu.run(qemu.Boot("", clock="kvm", cpu=cpu, memory=64, extra=drive,
                                  timeout=LIMIT_S))


def probe(cpu="host"):
    """(usable, one line that says why) for a guest with this CPU model."""
    if not os.path.exists(DEVICE):
        return False, "%s does not exist" % DEVICE
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False, "%s: no permission (add yourself to the group kvm)" % DEVICE
    ended = _boot_sector(cpu)
    if ended.timed_out:
        return False, "a guest under KVM hangs (ended after %d s)" % LIMIT_S
    if ended.status != EXPECTED:
        words = ended.stderr.splitlines() or ["status %s" % ended.status]
        return False, "a guest under KVM fails: " + words[0]
    return True, "a guest ran under KVM"


def require(cpu):
    """Raises RunError unless a guest with this CPU model (empty: the host's) runs under KVM."""
    usable, why = probe(cpu or "host")
    if not usable:
        raise RunError("--clock kvm cannot be used here: %s" % why)
