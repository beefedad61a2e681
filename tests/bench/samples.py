# SPDX-License-Identifier: MIT
"""Result documents made up for tests."""

import copy

from bench import document as doc

ROWS = [
    {"id": "null_call", "title": "null call", "artefact": "table3", "paper_row": "null call",
     "unit": "ns", "kind": "latency", "long_calls": 0, "p1": 0, "p2": 0, "samples": 3, "ops": 10,
     "help": ""},
    {"id": "stat", "title": "stat", "artefact": "table3", "paper_row": "stat", "unit": "ns",
     "kind": "latency", "long_calls": 1, "p1": 0, "p2": 0, "samples": 3, "ops": 10, "help": ""},
    {"id": "pipe_bw", "title": "pipe bandwidth", "artefact": "own", "paper_row": "",
     "unit": "MB/s", "kind": "bandwidth", "long_calls": 0, "p1": 0, "p2": 0, "samples": 3,
     "ops": 1000, "help": ""},
    {"id": "compute", "title": "compute", "artefact": "own", "paper_row": "", "unit": "ns",
     "kind": "compute", "long_calls": 0, "p1": 0, "p2": 0, "samples": 3, "ops": 1, "help": ""},
]


def record(ops, *times):
    return {"ops": ops, "ns": list(times), "events": {"PAGE-FAULTS": 1}, "event_ops": ops}


def run(null_call, stat, pipe, compute):
    """A run in which each row has three samples around the given time of an operation."""
    return {"reason": "", "status": 0, "wall_s": 1.0, "user_space_at_ns": 6100000000,
            "environment": {"kernel_release": "6.1.0"}, "pinned": "", "rows": {
                "null_call": record(10, null_call * 10, null_call * 10, null_call * 10 + 50),
                "stat": record(10, stat * 10, stat * 10 - 5, stat * 10 + 5),
                "pipe_bw": record(1000, pipe, pipe, pipe),
                "compute": record(1, compute, compute, compute)}}


def column(name, *runs):
    return {"name": name, "letter": doc.LETTERS[name], "reason": "", "rbench": [], "argv": ["qemu"],
            "files": {}, "runs": list(runs)}


def document(native=(339, 4357, 770, 30000), radon=(480, 4500, 800, 30010),
             xen=(1109, 5127, 900, 30030), clock="instr"):
    made = {
        "schema": doc.SCHEMA, "schema_version": doc.SCHEMA_VERSION, "tool_version": "abc",
        "created_utc": "2026-01-01T00:00:00Z", "command": ["./radon", "bench"], "complete": False,
        "lost_records": 0, "clock": clock, "quick": True, "cpus": 1, "cpu": "QEMU's default",
        "memory_mib": 1024, "dom0_memory_mib": 512, "pinned": "everything",
        "packages": {"qemu-system-x86": "7.2"}, "host": {},
        "files": {"rbench": {"sha256": "0" * 64, "bytes": 1}}, "rows": copy.deepcopy(ROWS),
        "columns": [column("native", run(*native)), column("radon", run(*radon)),
                    column("xen", run(*xen))]}
    return doc.compute(made)
