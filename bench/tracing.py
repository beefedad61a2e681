# SPDX-License-Identifier: MIT
"""`radon bench --rows tracing`: what recording costs a workload, and what one record costs.

A column is a hypervisor and a way of observing: "radon/exact". Each boots once a repeat, with the same
files in it, and runs the same rows of rbench; "off" of the same hypervisor is what it is compared with.
"""

import concurrent.futures
import json
import re
import sys

from guest.machine import build, deps, tools
from guest.machine.errors import EXIT_FAILED, EXIT_OK, RadonError, UsageError
from guest.machine.machine import Spec, run_machine
from guest.machine.paths import note

from analysis import tracing as plot

from . import measure, programs, provenance, tracing_document as doc

GROUP = "tracing"  # as --rows has it
ROWS = ("null_call", "null_read", "pipe", "page_fault", "anon_fault", "mprotect", "fork", "exec",
        "compute")
XENTRACE = "/usr/lib/xen-4.17/bin/xentrace"
TRACE = tools.INSIDE + "radon-trace"
RING_PAGES = 1024  # of each CPU
PV_EVENTS = "0x20f000"  # the class of PV events, as xentrace takes it
RECORDING = "/run/recording"  # while records are counted
COUNTED_SAMPLES = (5, 25)  # two recordings a row: their difference is of operations alone
QUICK_SAMPLES = 5
TIMEOUT_S = 900
LOST = re.compile(r"(\d+) lost")  # as radon-trace says it; xentrace says nothing
COUNT = ("%s report --csv %s | awk -F, '$1 == \"\" && NR > 1 { n += $4 } END { printf "
         "\"{\\\"recorded\\\":\\\"%%s\\\",\\\"samples\\\":%%d,\\\"records\\\":%%d}\\n\", \"%s\", %d, n }'")


def rbench(rows, samples, prepare=False):
    """The command that runs rows; samples 0: as each row says."""
    words = [programs.INSIDE + "rbench", "--json", "--rows", ",".join(rows)]
    words += ["--prepare"] if prepare else ["--no-events"]
    return " ".join(words + (["--samples", str(samples)] if samples else []))


def recorded(mode, command, path):
    """A line for the shell: command, recorded to path; its status is the command's."""
    if mode == "own":
        return "%s record -e all --pages %d -o %s -- %s" % (TRACE, RING_PAGES, path, command)
    return ("{ %s -D -S %d -e %s %s & } && sleep 1 && { %s; status=$?; kill -INT $!; wait $!; "
            "(exit $status); }" % (XENTRACE, RING_PAGES, PV_EVENTS, path, command))


def _sites(column):
    """How the tables of hot sites are to be filled in that column; '' where there are none."""
    name, mode = doc.parts(column)
    if name != "radon":
        return ""
    return programs.INSIDE + "rbench-sites " + (mode if mode in ("sampled", "exact") else "off")


def script(column, rows, samples):
    """What runs in the machine: the rows timed, then a count of the records that each makes."""
    mode = doc.parts(column)[1]
    timed = rbench(rows, samples, prepare=True)
    if mode not in doc.RECORDING:
        return " && ".join(filter(None, [_sites(column), timed]))
    steps = [_sites(column), recorded(mode, timed, "/dev/null")]
    for row in rows:
        for count in COUNTED_SAMPLES:
            steps.append(recorded(mode, rbench([row], count) + " >/dev/null", RECORDING)
                         if mode == "pv" else
                         recorded(mode, "sh -c '%s >/dev/null'" % rbench([row], count), RECORDING))
            steps.append(COUNT % (TRACE, RECORDING, row, count))
    return " && ".join(filter(None, steps))


def make_spec(column, options, rows):
    samples = QUICK_SAMPLES if options.quick else \
        measure.WALL_SAMPLES if options.clock != "instr" else 0
    adds = [(path, programs.INSIDE + name) for path, name in
            ((programs.RBENCH, "rbench"), (programs.TINY, "rbench-tiny"),
             (programs.SITES, "rbench-sites"))]
    adds += [(tools.program("trace"), TRACE), (XENTRACE, XENTRACE)]
    return Spec(on=doc.parts(column)[0], clock=options.clock, cpus=options.cpus, cpu=options.cpu,
                memory=options.memory, dom0_memory=options.dom0_memory, kernel=options.kernel,
                adds=adds, command=[script(column, [row["id"] for row in rows], samples)],
                xen_devices=True, timeout=options.timeout or TIMEOUT_S)


def parse_counts(text):
    """{row: {samples: records}} of the lines that count."""
    counts = {}
    for line in text.splitlines():
        if line.startswith('{"recorded"'):
            record = json.loads(line)
            counts.setdefault(record["recorded"], {})[str(record["samples"])] = record["records"]
    return counts


def lost_records(stderr):
    """How many records the recorders said were lost."""
    return sum(int(found[1]) for found in LOST.finditer(stderr))


def run_once(column, spec):
    """One boot: a run record of the document."""
    try:
        result = run_machine(spec)
    except RadonError as error:
        return doc.failed_run(str(error))
    text, said = result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")
    reason = result.reason
    if not reason and result.status:
        reason = "status %d: %s" % (result.status, (said.strip().splitlines() or ["no message"])[-1])
    try:
        environment, records = measure.parse_output(text)
        counts = parse_counts(text)
    except ValueError as error:
        environment, records, counts = {}, {}, {}
        reason = reason or "rbench's output is damaged: %s" % error
    if reason:
        note("%s: %s" % (column, reason))
    return {"reason": reason, "status": result.command_status, "wall_s": round(result.wall, 1),
            "environment": environment, "rows": records, "recorded": counts,
            "lost_records": lost_records(said), "pinned": result.pinned}


def choose_rows():
    known = {row["id"]: row for row in programs.list_rows()}
    return [known[name] for name in ROWS]


def choose_columns(names):
    """Columns of the hypervisors that were asked for."""
    chosen = [column for column in doc.COLUMNS if doc.parts(column)[0] in names]
    if not chosen:
        raise UsageError("--rows tracing: --on radon, xen or both")
    return chosen


def run_columns(specs, repeat, jobs):
    """Every spec `repeat` times, rounds interleaved; column -> list of run records."""
    order = [name for _ in range(repeat) for name in specs]
    runs, done = {name: [] for name in specs}, 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        pending = [(name, pool.submit(run_once, name, specs[name])) for name in order]
        for name, future in pending:
            runs[name].append(future.result())
            done += 1
            note("%d of %d machines: %s" % (done, len(order), name))
    return runs



def prepare(names):
    """Everything that the columns boot; raises RunError when it is not there."""
    deps.ensure("trace")
    programs.ensure()
    for name in {doc.parts(column)[0] for column in names}:
        build.prepare(name)


def measure_all(options, document, names, jobs, repeat):
    specs = {name: make_spec(name, options, document["rows"]) for name in names}
    described = {name: provenance.describe_boot(spec) for name, spec in specs.items()}
    runs = run_columns(specs, repeat, jobs)
    for name in names:
        column = {"name": name, "reason": "", "command": specs[name].command, "runs": runs[name]}
        document["columns"].append(dict(column, **described[name]))
    return doc.compute(document)


def save(document, options):
    if options.json and options.json != "-":
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
    if options.csv:
        doc.save_csv(document, options.csv)
    if options.plot:
        plot.draw(document, options.plot)


def show(document, as_json=False):
    """To standard output; the exit status."""
    if as_json:
        json.dump(document, sys.stdout, indent=1)
        print()
    else:
        print(doc.render(document))
    sys.stdout.flush()
    return EXIT_OK if document["complete"] else EXIT_FAILED


def main(options, new_document, jobs, repeat):
    """What `radon bench --rows tracing` does. new_document(rows, column): an empty document."""
    names = choose_columns([name.strip() for name in options.on.split(",")])
    prepare(names)
    rows = choose_rows()
    document = new_document(rows, doc.parts(names[0])[0])
    document.update(schema=doc.SCHEMA, schema_version=doc.SCHEMA_VERSION)
    document["files"]["radon-trace"] = provenance.file_hash(tools.program("trace"))
    measure_all(options, document, names, jobs, repeat)
    status = show(document, options.json == "-")
    save(document, options)
    return status
