# SPDX-License-Identifier: MIT
"""What no file of the tree holds: paths of somebody's machine, and notes of what is yet to do; and what
each source file holds: the line of its licence. Prints what breaks this.

    python3 tests/checks/text.py
"""

import os
import re
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.checks import files

# The patterns are written so that they do not find themselves.
NOWHERE = (
    (re.compile(r"(?<![\w./*{}$-])/(?:work|farm|home|srv|Users)(?=/|\b)"), "a path of one machine"),
    (re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b"), "a note of what is yet to do"),
)
LICENCE = re.compile(r"^(?:/\*|#|//|;|--|<!--) SPDX-License-Identifier: MIT\b")
LICENCE_LINES = 3  # after #! and a title
NO_SOURCE = re.compile(r"\.(?:md|json|csv|data|svg|pdf|gp)$|^LICENSE$|^\.gitignore$")


def check(known):
    faults = []
    for path, text in sorted(known.items()):
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            faults += [(path, number, what) for pattern, what in NOWHERE if pattern.search(line)]
        if not NO_SOURCE.search(path) and not any(map(LICENCE.match, lines[:LICENCE_LINES])):
            faults.append((path, 1, "no line SPDX-License-Identifier: MIT"))
    return faults


if __name__ == "__main__":
    sys.exit(files.report(check(files.tracked())))
