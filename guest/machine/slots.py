# SPDX-License-Identifier: MIT
"""At most two machines run at once on a host, over all users of the tree."""

import contextlib
import fcntl
import os
import sys
import time

from .paths import note

DIRECTORY = os.environ.get("RADON_SLOTS", "/tmp/radon-slots")
SLOTS = ("slot0", "slot1")
TELL_S = 5  # a person at a terminal learns why nothing happens


def _open(name):
    path = os.path.join(DIRECTORY, name)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # another user's file: a lock needs no more


@contextlib.contextmanager
def machine_slot():
    """Holds one slot for the block; waits for it if it must."""
    os.makedirs(DIRECTORY, exist_ok=True)
    with contextlib.suppress(PermissionError):
        os.chmod(DIRECTORY, 0o777)
    held = None
    tell_at = time.monotonic() + TELL_S
    while held is None:
        if sys.stderr.isatty() and time.monotonic() > tell_at:
            note("waiting: two machines run on this host already")
            tell_at = float("inf")
        for name in SLOTS:
            descriptor = _open(name)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = descriptor
                break
            except BlockingIOError:
                os.close(descriptor)
        else:
            time.sleep(0.2)
    try:
        yield
    finally:
        os.close(held)
