# SPDX-License-Identifier: MIT
"""The document of `radon bench --rows tracing`: what is in it, what is computed, how it is printed."""

import csv
import json

from guest.machine.errors import UsageError

from . import document as plain
from .table import CLOCKS, align

SCHEMA = "radon-bench-tracing"
SCHEMA_VERSION = 1
TITLES = {"radon/off": "Radon, off", "radon/sampled": "sampled", "radon/exact": "exact",
          "radon/pv": "PV events", "radon/own": "own rings", "xen/off": "Xen, off",
          "xen/pv": "PV events"}
LEGEND = (
    "us with everything off, and what is added by: hot sites sampled; every entry timed; PV events "
    "drained by xentrace;", "all events in Radon's own rings drained by radon-trace")
COLUMNS = tuple(TITLES)
RECORDING = ("pv", "own")  # these write records
RECORD_NS = 60  # the most a record may cost
SAMPLED_ENTRY_NS, EXACT_CALL_NS = 5, 70
XEN_SHARE = 0.25  # of what the same events cost on Xen
CSV_FIELDS = ("schema", "schema_version", "tool_version", "complete", "lost_records", "clock", "cpus",
              "row", "hypervisor", "observed", "time_ns", "added_ns", "time_ratio_to_off",
              "records_per_operation", "ns_per_record", "error")


def parts(column):
    """"radon/exact" -> ("radon", "exact")."""
    return tuple(column.split("/"))


def failed_run(reason):
    return {"reason": reason, "status": None, "wall_s": 0.0, "environment": {}, "rows": {},
            "recorded": {}, "lost_records": 0, "pinned": ""}


def _records(row, column):
    """Records an operation, from two recordings that differ in their number of samples; or None."""
    for run in column["runs"]:
        counts = run["recorded"].get(row["id"], {})
        if len(counts) == 2:
            low, high = sorted(counts, key=int)
            return (counts[high] - counts[low]) / ((int(high) - int(low)) * row["ops"])
    return None


def _cell(row, column, off):
    """Everything about one row in one column."""
    value = plain.column_value(row, column)
    if "failed" in value:
        return {"failed": value["failed"]}
    cell = {"time_ns": value["time_ns"], "added_ns": None, "time_ratio_to_off": None,
            "records_per_operation": _records(row, column), "ns_per_record": None}
    if off is not None and parts(column["name"])[1] != "off":
        cell["added_ns"] = value["time_ns"] - off
        cell["time_ratio_to_off"] = value["time_ns"] / off if off else None
        if cell["records_per_operation"] and row["kind"] != "compute":  # there it is the ticks'
            cell["ns_per_record"] = cell["added_ns"] / cell["records_per_operation"]
    return cell


def _limit(name, actual, limit):
    return {"name": name, "limit_ns": limit, "actual_ns": actual, "met": actual <= limit}


def judge(row, cells):
    """What a row must reach, of what was measured."""
    def added(column):
        return cells.get(column, {}).get("added_ns")
    found = []
    if row["id"] == "null_call" and added("radon/sampled") is not None:
        found.append(_limit("sampled, an entry", added("radon/sampled") / 2, SAMPLED_ENTRY_NS))
    if row["id"] == "null_call" and added("radon/exact") is not None:
        found.append(_limit("exact, a null call", added("radon/exact"), EXACT_CALL_NS))
    if row["id"] in ("null_call", "page_fault") and None not in (added("radon/pv"), added("xen/pv")):
        found.append(_limit("PV events: a quarter of Xen's", added("radon/pv"),
                            added("xen/pv") * XEN_SHARE))
    per_record = cells.get("radon/own", {}).get("ns_per_record")
    if row["id"] != "compute" and per_record is not None:
        found.append(_limit("own rings, a record", per_record, RECORD_NS))
    return found


def _result(row, document):
    offs = {}
    for column in document["columns"]:
        name, mode = parts(column["name"])
        if mode == "off":
            offs[name] = plain.column_value(row, column).get("time_ns")
    cells = {column["name"]: _cell(row, column, offs.get(parts(column["name"])[0]))
             for column in document["columns"]}
    return {"row": row["id"], "cells": cells, "criteria": judge(row, cells)}


def compute(document):
    """Results, failures, losses and `complete`, from the samples."""
    document["results"] = [_result(row, document) for row in document["rows"]]
    failures = []
    for column in document["columns"]:
        reasons = [run["reason"] for run in column["runs"] if run["reason"]]
        reasons += [column["reason"]] if column.get("reason") else []
        failures += [{"column": column["name"], "row": None, "reason": why} for why in reasons]
        for result in document["results"]:
            why = result["cells"][column["name"]].get("failed")
            if why and why not in reasons:
                failures.append({"column": column["name"], "row": result["row"], "reason": why})
    document["failures"] = failures
    document["lost_records"] = sum(run["lost_records"] for column in document["columns"]
                                   for run in column["runs"])
    document["complete"] = not failures and not document["lost_records"]
    return document


def is_one(path):
    """Whether the file is such a document (and not another one, or none)."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("schema") == SCHEMA


def load(path):
    """A document from a file that is_one()."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise UsageError("%s has schema version %s, this tool reads %d"
                         % (path, document.get("schema_version"), SCHEMA_VERSION))
    try:
        return compute(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError("%s is damaged: %r" % (path, error)) from None


def save_csv(document, path):
    """One line a row and column."""
    common = {name: document[name] for name in CSV_FIELDS[:7]}
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, CSV_FIELDS, lineterminator="\n")
        writer.writeheader()
        for result in document["results"]:
            for column, cell in result["cells"].items():
                name, mode = parts(column)
                line = dict(common, row=result["row"], hypervisor=name, observed=mode,
                            error=cell.get("failed", "none"))
                for field in CSV_FIELDS[10:15]:
                    value = cell.get(field)
                    line[field] = "unknown" if value is None else value
                writer.writerow(line)


def _time(cell):
    return "failed" if "failed" in cell else "%.3f" % (cell["time_ns"] / 1e3)


def _added(cell):
    if "failed" in cell:
        return "failed"
    if cell.get("added_ns") is None:
        return "unknown"
    percent = 100 * (cell["time_ratio_to_off"] - 1)
    return "%+.0f ns (%+.1f %%)" % (cell["added_ns"], percent)


def _per_record(cell):
    if cell.get("records_per_operation") is None:
        return "unknown"
    count = "%.2f" % cell["records_per_operation"]
    cost = cell["ns_per_record"]
    return count + (" x %.0f ns" % cost if cost is not None and cell["records_per_operation"] >= 0.5
                    else "")


def _table(document, unit, columns, heads, show):
    lines = [["row", unit, *heads]]
    for row, result in zip(document["rows"], document["results"]):
        lines.append([row["title"], ""] + [show(name, result["cells"][name]) for name in columns])
    return align(lines)


def _times(document, names):
    """A table a hypervisor."""
    lines = []
    for hypervisor in ("radon", "xen"):
        mine = [name for name in names if parts(name)[0] == hypervisor]
        if mine:
            lines += _table(document, "us", mine, [TITLES[name] for name in mine],
                            lambda name, cell: _time(cell) if parts(name)[1] == "off"
                            else _added(cell)) + [""]
    return lines


def _counts(document, names):
    """Records an operation and what each costs, where any are written."""
    writers = [name for name in names if parts(name)[1] in RECORDING]
    if not writers:
        return []
    heads = ["%s: %s" % (parts(name)[0], TITLES[name]) for name in writers]
    return _table(document, "records", writers, heads, lambda name, cell: _per_record(cell)) + [""]


def _criteria(document):
    lines = []
    for row, result in zip(document["rows"], document["results"]):
        for entry in result["criteria"]:
            lines.append("%s: %s: %s: %.1f ns (at most %.1f)"
                         % ("met" if entry["met"] else "NOT", row["title"], entry["name"],
                            entry["actual_ns"], entry["limit_ns"]))
    met = sum(line.startswith("met") for line in lines)
    return lines + (["criteria: %d of %d met" % (met, len(lines))] if lines else [])


def _footer(document):
    packages = document["packages"]
    lines = [*LEGEND, "%s, %d CPU%s; QEMU %s, Xen %s, Radon %s"
             % (CLOCKS[document["clock"]], document["cpus"], "s" if document["cpus"] > 1 else "",
                packages.get("qemu-system-x86", "unknown"),
                packages.get("xen-hypervisor-4.17-amd64", "unknown"), document["tool_version"]),
             "records lost: %d" % document["lost_records"]]
    for failure in document["failures"]:
        where = failure["column"] + (" " + failure["row"] if failure["row"] else "")
        lines.append("failed: %s: %s" % (where, failure["reason"]))
    return lines


def render(document):
    """The tables that people read."""
    names = [column["name"] for column in document["columns"]]
    return "\n".join(_times(document, names) + _counts(document, names) + _criteria(document)
                     + _footer(document))
