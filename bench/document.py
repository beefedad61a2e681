# SPDX-License-Identifier: MIT
"""The result document: what is in it, and what is computed from its samples.

A document is a dict, written as JSON. Its `columns` hold every sample as measured; its `results`
(values, ratios, criteria) are computed from them, and computed again when a document is read.
"""

import csv
import json
import statistics

from guest.machine.errors import UsageError

from . import criteria

SCHEMA = "radon-bench"
SCHEMA_VERSION = 1
LETTERS = {"native": "L", "radon": "R", "radon+fast": "R+", "xen": "X", "emulation": "E"}
COMMON_FIELDS = ("schema", "schema_version", "tool_version", "complete", "lost_records", "clock",
                 "cpus")
CSV_FIELDS = COMMON_FIELDS + ("column", "run", "row", "unit", "sample", "operations", "time_ns",
                              "overhead_ns", "value", "error")


def sample_value(row, ops, time_ns, overhead_ns):
    """One sample in the row's unit."""
    ns = time_ns - overhead_ns
    return ops * 1e3 / ns if row["unit"] == "MB/s" else ns / ops


def to_time(row, value):
    """A value as a time (ns an operation, or ns a byte): less is better for every row."""
    return 1e3 / value if row["unit"] == "MB/s" else value


def _record_samples(record):
    overheads = record.get("overhead_ns") or [0] * len(record["ns"])
    return list(zip(record["ns"], overheads))


def _quartile_spread(values):
    """Distance of the quartiles, in percent of the median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return 100 * (high - low) / abs(middle) if middle else 0.0


def column_value(row, column):
    """The row's figure in one column: {"median": ...}, or {"failed": reason}."""
    values = []
    for run in column["runs"]:
        record = run["rows"].get(row["id"])
        if record is None or record.get("error"):
            reason = record["error"] if record else run["reason"] or "the row is missing"
            return {"failed": reason}
        values += [sample_value(row, record["ops"], time, overhead)
                   for time, overhead in _record_samples(record)]
    if not values:
        return {"failed": column.get("reason") or "no samples"}
    median = statistics.median(values)
    return {"median": median, "min": min(values), "max": max(values), "samples": len(values),
            "quartile_spread_percent": _quartile_spread(values), "time_ns": to_time(row, median)}


def _result(row, document):
    values = {column["name"]: column_value(row, column) for column in document["columns"]}
    times = {name: value["time_ns"] for name, value in values.items() if "time_ns" in value}
    base = times.get("native")
    ratios = {name: time / base for name, time in times.items()
              if name != "native" and base and base > 0}
    return {"row": row["id"], "unit": row["unit"], "values": values, "time_ratio_to_native": ratios,
            "criteria": criteria.judge(row, times, document["clock"])}


def compute(document):
    """Fill in results, failures and `complete` from the samples."""
    document["results"] = [_result(row, document) for row in document["rows"]]
    failures = []
    for column in document["columns"]:
        reasons = [run["reason"] for run in column["runs"] if run["reason"]]
        if column.get("reason"):
            reasons.append(column["reason"])
        failures += [{"column": column["name"], "row": None, "reason": reason}
                     for reason in reasons]
        for result in document["results"]:
            reason = result["values"][column["name"]].get("failed")
            if reason and reason not in reasons:
                failures.append({"column": column["name"], "row": result["row"], "reason": reason})
    document["failures"] = failures
    document["complete"] = not failures
    return document


def load(path):
    """A document from a file; UsageError when it is none."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise UsageError("cannot read %s: %s" % (path, error.strerror)) from None
    except ValueError as error:
        raise UsageError("%s is not JSON: %s" % (path, error)) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError("%s is no %s document" % (path, SCHEMA))
    if document.get("schema_version") != SCHEMA_VERSION:
        raise UsageError("%s has schema version %s, this tool reads %d"
                         % (path, document.get("schema_version"), SCHEMA_VERSION))
    try:
        return compute(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError("%s is damaged: %r" % (path, error)) from None


def save_json(document, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")


def csv_records(document):
    """One dict a sample (or a failed row), flat."""
    common = {name: document[name] for name in COMMON_FIELDS}
    for column in document["columns"]:
        for number, run in enumerate(column["runs"], 1):
            for row in document["rows"]:
                record = run["rows"].get(row["id"], {"ns": [], "error": run["reason"] or "missing"})
                base = dict(common, column=column["name"], run=number, row=row["id"],
                            unit=row["unit"])
                if record.get("error"):
                    yield dict(base, sample="unknown", operations="unknown", time_ns="unknown",
                               overhead_ns="unknown", value="unknown", error=record["error"])
                    continue
                for index, (time, overhead) in enumerate(_record_samples(record), 1):
                    yield dict(base, sample=index, operations=record["ops"], time_ns=time,
                               overhead_ns=overhead, error="none",
                               value=sample_value(row, record["ops"], time, overhead))


def save_csv(document, path):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, CSV_FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(csv_records(document))
