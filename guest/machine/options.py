# SPDX-License-Identifier: MIT
"""Option parsing that fails as everything here does: one line, exit status 2."""

import argparse

from .errors import UsageError


class Parser(argparse.ArgumentParser):
    """argparse with examples kept as written, no abbreviations, and errors as UsageError."""

    def __init__(self, **settings):
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        settings.setdefault("allow_abbrev", False)
        super().__init__(**settings)

    def error(self, message):
        raise UsageError("%s (%s --help)" % (message, self.prog))
