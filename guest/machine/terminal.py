# SPDX-License-Identifier: MIT
"""A machine whose command's output is that of this process."""

import sys

from . import interactive
from .errors import EXIT_INTERRUPTED
from .machine import run_machine
from .paths import note


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
