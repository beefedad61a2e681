# SPDX-License-Identifier: MIT
"""Boots each column, runs the rows in it, collects what rbench printed."""

import concurrent.futures
import json
import threading
import time

from guest.machine import build, fast
from guest.machine.errors import RadonError
from guest.machine.machine import Spec, run_machine
from guest.machine.paths import note

from . import programs

FAST = "radon+fast"  # Radon, with the daemon that makes fast handlers beside the rows
# The daemon sees each row for so long before it is measured: longer than it may take from hot to active.
FAST_WARM_MS = 3000
# As beside the daemon: a row that starts shells depends on whether a shell or init started rbench.
BY_A_SHELL = ["/bin/sh", "-c", '"$@"; exit $?', "rbench"]
TIMEOUT_S = {"emulation": 7200, FAST: 1800}
DEFAULT_TIMEOUT_S = 900
QUICK_SAMPLES = 5
WALL_SAMPLES = 21  # wall time scatters
EMULATION_SAMPLES = 3  # each operation takes 10 to 100 times as long there
EMULATION_SCALE = 0.25


def machine_of(column):
    """What the column's kernel runs on."""
    return "radon" if column == FAST else column


def rbench_command(column, rows, clock, quick, warm=False):
    """The command inside the machine; warm: every row runs for a while before it is measured."""
    words = [programs.INSIDE + "rbench", "--prepare", "--json",
             "--rows", ",".join(row["id"] for row in rows)]
    if column == "emulation":
        words += ["--samples", str(EMULATION_SAMPLES), "--scale", str(EMULATION_SCALE),
                  "--timeout", "1200"]
    elif quick:
        words += ["--samples", str(QUICK_SAMPLES)]
    elif clock != "instr":
        words += ["--samples", str(WALL_SAMPLES)]
    return words + (["--warm", str(FAST_WARM_MS)] if warm or column == FAST else [])


def make_spec(column, options, rows):
    spec = Spec(on=machine_of(column), clock=options.clock, cpus=options.cpus, cpu=options.cpu,
                memory=options.memory, dom0_memory=options.dom0_memory, kernel=options.kernel,
                adds=[(programs.RBENCH, programs.INSIDE + "rbench"),
                      (programs.TINY, programs.INSIDE + "rbench-tiny")],
                command=rbench_command(column, rows, options.clock, options.quick,
                                       # All alike: what is warm in one column is warm in each.
                                       warm=FAST in options.on and column != "emulation"),
                timeout=options.timeout or TIMEOUT_S.get(column, DEFAULT_TIMEOUT_S))
    if column == FAST:
        fast.beside(spec)
    else:
        spec.command = BY_A_SHELL + spec.command
    return spec


def parse_output(text):
    """rbench's lines -> (environment, {row id: record}). A line that is no JSON object is an error
    of the transport: ValueError."""
    environment, records = {}, {}
    for line in text.splitlines():
        if not line.strip():
            continue
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ValueError("not an object: " + line)
        if "row" in record:
            records[record.pop("row")] = record
        elif "rbench" in record:
            environment = record
    return environment, records


class Progress:
    """Lines on stderr: how many rows of all runs are done, and about how long the rest takes."""

    def __init__(self, total):
        self.total, self.done = total, 0
        self.started = self.reported = time.monotonic()
        self.lock = threading.Lock()

    def rows(self, count, final=False):
        with self.lock:
            self.done += count
            now = time.monotonic()
            if not self.done or (now - self.reported < 10 and not final):
                return
            self.reported = now
            left = (now - self.started) / self.done * (self.total - self.done)
            known = self.done * 10 >= self.total  # the first figure contains a boot
            note("%d of %d rows measured%s" % (self.done, self.total,
                                               ", about %d s left" % left if known else ""))


def _failed_run(reason):
    return {"reason": reason, "status": None, "wall_s": 0.0, "environment": {}, "rows": {},
            "user_space_at_ns": "unknown", "pinned": ""}


def run_once(spec, progress):
    """One boot: a run record of the document."""
    def stream(kind, data):
        if kind == "o":
            progress.rows(data.count(b'{"row"'))
    try:
        result = run_machine(spec, stream)
    except RadonError as error:
        return _failed_run(str(error))
    reason = result.reason
    try:
        environment, records = parse_output(result.stdout.decode(errors="replace"))
    except ValueError as error:
        environment, records = {}, {}
        reason = reason or "rbench's output is damaged: %s" % error
    if reason:
        note("%s: %s\n%s" % (spec.on, reason, result.tail()))
    started_at = result.boot_tsc if spec.clock == "instr" else result.boot_uptime_ns
    return {"reason": reason, "status": result.command_status, "wall_s": round(result.wall, 1),
            "environment": environment, "rows": records, "pinned": result.pinned,
            "user_space_at_ns": "unknown" if started_at is None else started_at}


def prepare(columns):
    """Build what the columns need; column -> reason for those that cannot run."""
    failed = {}
    for column in columns:
        try:
            build.prepare(machine_of(column))
        except RadonError as error:
            failed[column] = str(error)
    return failed


def run_columns(specs, repeats, jobs, rows):
    """Run every spec, of so many rows, `repeats[name]` times, rounds interleaved; name -> list of run
    records."""
    rounds = max(repeats.values(), default=0)
    order = [name for turn in range(rounds) for name in specs if turn < repeats[name]]
    progress = Progress(rows * len(order))
    runs = {name: [] for name in specs}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        pending = [(name, pool.submit(run_once, specs[name], progress)) for name in order]
        for name, future in pending:
            runs[name].append(future.result())
    return runs
