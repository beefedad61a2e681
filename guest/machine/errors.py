# SPDX-License-Identifier: MIT
"""The two ways a request fails, by whose fault it is, and the exit statuses of `radon`."""

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_SKIPPED = 0, 1, 2, 77
EXIT_TIMEOUT, EXIT_INTERRUPTED = 124, 130


class RadonError(Exception):
    """A reason in one line; `status` is what the command exits with."""

    status = EXIT_FAILED


class UsageError(RadonError):
    """What was asked for makes no sense: found before anything runs."""

    status = EXIT_USAGE


class RunError(RadonError):
    """What was asked for could not be done."""
