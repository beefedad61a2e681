# SPDX-License-Identifier: MIT
"""The files that a run is asked to write. Checked before an hour is spent on measuring."""

import os

from analysis import plot
from guest.machine.errors import UsageError

from . import document as doc


def check_place(option, path):
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory) or not os.access(directory, os.W_OK):
        raise UsageError("%s %s: no directory that can be written to" % (option, path))
    if os.path.isdir(path):
        raise UsageError("%s %s is a directory" % (option, path))


def check(json_path, csv_path, plot_path):
    """Raises UsageError or RunError for what could not be written at the end."""
    for option, path in (("--json", json_path), ("--csv", csv_path), ("--plot", plot_path)):
        if path and path != "-":
            check_place(option, path)
    if plot_path:
        plot.check(plot_path)
        if csv_path and os.path.abspath(csv_path) == os.path.abspath(plot.data_path(plot_path)):
            raise UsageError("--csv %s is where --plot keeps its data" % csv_path)


def save(document, json_path, csv_path, plot_path):
    if json_path and json_path != "-":
        doc.save_json(document, json_path)
    if csv_path:
        doc.save_csv(document, csv_path)
    if plot_path:
        plot.draw(document, plot_path)
