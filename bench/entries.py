# SPDX-License-Identifier: MIT
"""`./radon demo entries`: what enters the hypervisor while a mixed workload runs with the daemon beside
it, the most frequent first, and of each: handled, or the reason why not."""

import csv
import json
import os
import tempfile
import time

from guest.machine import fast, kernel, tools
from guest.machine.errors import EXIT_FAILED, EXIT_OK, RunError, UsageError
from guest.machine.machine import run_machine
from guest.machine.paths import note

from . import document as doc, measure, programs, provenance
from .outputs import check_place

# Every row of the bench but the one that makes no entries, one after the other.
LEFT_OUT = ("compute",)
# What people do; one line a kind of work. Loops are long enough for the daemon to see them.
WORKLOAD = """ifconfig lo 127.0.0.1 up
ls -lR /bin /etc /dev /sys/devices/system
find / -xdev -type f | xargs -n 20 md5sum
find /sys -maxdepth 5 | wc -l
tar -c /bin /etc /usr | gzip | gunzip | tar -t
grep -r root /etc /proc/sys
for f in /proc/[0-9]*; do cat $f/status $f/maps $f/stat; done; ps; df; mount; free; uptime
seq 30000 | sort -rn | uniq | awk '{ s += $1 } END { print s }'
seq 20000 | sed 's/1/x/g' | tr x y | cut -c1-3 | wc
i=0; while [ $i -lt 300 ]; do echo $i; i=$((i + 1)); done | while read x; do echo $x >>/tmp/l; done
mkdir /tmp/d; i=0; while [ $i -lt 100 ]; do echo $i >/tmp/d/$i; ln -s $i /tmp/d/l$i; mv /tmp/d/$i /tmp/d/m$i; i=$((i + 1)); done; rm -r /tmp/d
trap : USR1; i=0; while [ $i -lt 500 ]; do kill -USR1 $$; i=$((i + 1)); done
i=0; while [ $i -lt 200 ]; do /bin/busybox true; i=$((i + 1)); done
dd if=/dev/zero of=/dev/null bs=1 count=200000
dd if=/dev/zero of=/tmp/x bs=4096 count=2000; cat /tmp/x | wc -c; cp /tmp/x /tmp/y; cmp /tmp/x /tmp/y; rm /tmp/x /tmp/y
echo text >/tmp/index.html; httpd -p 127.0.0.1:8080 -h /tmp; i=0; while [ $i -lt 50 ]; do wget -q -O - http://127.0.0.1:8080/index.html; i=$((i + 1)); done
i=0; while [ $i -lt 100 ]; do usleep 1000; i=$((i + 1)); done
date; dmesg | tail -n 5; vi --help; top -b -n 1; cat /proc/interrupts /proc/meminfo
"""
INSIDE_ENTRIES = "/run/entries.json"
COLUMNS = ("rank", "entry", "count", "share_percent", "cycles_per_entry", "verdict", "reason", "by",
           "handler", "hits", "passes", "text")
METHOD = (
    "Domain 0, one CPU, instruction time (1 instruction = 1 ns). Counts and cycles are of the hypervisor's "
    "sampled table, one entry in 499, from boot to the end of the workload: radon-explain --top 0. "
    "An entry is one attach point: a system call by number, a hypercall by number and operation, an "
    "exception by vector and address. Cycles: from the entry to the guest kernel's iret, or back.")


def make_spec(settings, rows):
    """Radon with the daemon: the bench's rows, the workload, then radon-explain."""
    spec = measure.make_spec("radon", settings, rows)
    rbench = measure.rbench_command(measure.FAST, rows, settings.clock, settings.quick)
    script = ('"$@" >&2; status=$?; { %s } </dev/null >/dev/null 2>&1; radon-explain --top 0 --json >%s; '
              "exit $status" % (WORKLOAD, INSIDE_ENTRIES))
    spec.command = ["/bin/sh", "-c", script, "entries", *rbench]
    spec.adds.append((tools.program("explain"), tools.INSIDE + "radon-explain"))
    spec.timeout = measure.TIMEOUT_S[measure.FAST]
    fast.beside(spec)
    return spec


def run(spec):
    """What radon-explain said, as JSON."""
    with tempfile.TemporaryDirectory(prefix="radon-") as directory:
        path = os.path.join(directory, "entries")
        spec.gets = [(INSIDE_ENTRIES, path)]
        result = run_machine(spec)
        if result.reason or result.command_status:
            raise RunError("%s\n%s" % (result.reason or "a row of the bench failed", result.tail()))
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError) as error:
            raise RunError("the machine gave no entries: %s" % error) from None


def most_frequent(found, top):
    """The rows of the table, the most frequent entry first."""
    rows = sorted(found["rows"], key=lambda row: (-row["count"], row["entry"]))[:top]
    return [{"rank": rank, **{name: row[name] for name in COLUMNS[1:]}}
            for rank, row in enumerate(rows, 1)]


def summary(found, rows):
    """How much of all entries, and of their time, the table and the handlers have."""
    def total(some, name):
        return sum(row[name] for row in some)

    handled = [row for row in rows if row["verdict"] == "handled"]
    reasons = {}
    for row in rows:
        if row["verdict"] != "handled":
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    count = total(found["rows"], "count") or 1
    return {"entries_seen": len(found["rows"]), "rows": len(rows), "handled": len(handled),
            "handled_at_one_time": sum(1 for row in rows if row["verdict"] == "handled"
                                       or row["reason"] in ("NO_GAIN", "LOW_HITS")),
            "table_share_of_count": round(total(rows, "count") / count, 4),
            "handled_share_of_count": round(total(handled, "count") / count, 4),
            "handler_hits": sum(row["hits"] or 0 for row in handled),
            "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))}


def document(found, version, top, spec, rows):
    table = most_frequent(found, top)
    return {"schema": "radon-fast-entries", "schema_version": 1,
            "tool_version": version, "command": "./radon demo entries --top %d" % top,
            "date": time.strftime("%Y-%m-%d"), "clock": spec.clock, "cpus": spec.cpus, "method": METHOD,
            "kernel": os.path.basename(provenance.kernel_path(spec)),
            "packages": provenance.package_versions(provenance.kernel_path(spec)),
            "boot": provenance.describe_boot(spec), "bench_rows": [row["id"] for row in rows],
            "workload": WORKLOAD.splitlines(), "summary": summary(found, table), "rows": table}


# ------------------------------------------------------------------ what is written


def _cell(value, most=160):
    """A cell of Markdown."""
    if value is None:
        return "-"
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= most else text[:most - 3] + "..."


def _summary_lines(result):
    numbers = result["summary"]
    yield ("%d of %d entries are handled; %d had a handler at one time. The table has %.1f %% of all "
           "entries that were made (%d different ones); those that are handled were %.1f %% of them."
           % (numbers["handled"], numbers["rows"], numbers["handled_at_one_time"],
              100 * numbers["table_share_of_count"], numbers["entries_seen"],
              100 * numbers["handled_share_of_count"]))
    yield ""
    yield "| reason | entries |"
    yield "|---|---:|"
    for reason, count in numbers["reasons"].items():
        yield "| %s | %d |" % (reason, count)


def markdown(result):
    lines = ["# The %d most frequent entries of a mixed workload" % len(result["rows"]), "",
             "`%s`, %s, Radon %s, %s, QEMU %s." % (
                 result["command"], result["date"], result["tool_version"], result["kernel"],
                 result["packages"].get("qemu-system-x86", "unknown")), "",
             result["method"], "", *_summary_lines(result), "",
             "Reasons: `fastpath/profile/decisions.def`, `fastpath/synth/reasons.def`, "
             "[docs/radon-prof.md](../docs/radon-prof.md).", "",
             "| # | entry | count | cycles | verdict | reason | hits | why |",
             "|---:|---|---:|---:|---|---|---:|---|"]
    for row in result["rows"]:
        lines.append("| %d | `%s` | %d | %s | %s | %s | %s | %s |" % (
            row["rank"], row["entry"], row["count"], _cell(row["cycles_per_entry"]), row["verdict"],
            row["reason"], _cell(row["hits"]), _cell(row["text"])))
    lines += ["", "The workload, after every row of `./radon bench` but `%s`:" % "`, `".join(LEFT_OUT), "",
              *("    " + line for line in result["workload"])]
    return "\n".join(lines) + "\n"


def save(result, prefix):
    doc.save_json(result, prefix + ".json")
    with open(prefix + ".csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(result["rows"])
    with open(prefix + ".md", "w", encoding="utf-8") as file:
        file.write(markdown(result))


def check(prefix):
    """Raises UsageError for what could not be written at the end."""
    for suffix in (".json", ".csv", ".md") if prefix else ():
        check_place("--table", prefix + suffix)


def show(settings, top, prefix):
    """Runs it, prints the table, writes PREFIX.json, .csv and .md; the exit status."""
    if not kernel.newest():
        raise UsageError("no kernel in /boot")
    reason = measure.prepare(("radon",)).get("radon")
    if reason:
        raise RunError(reason)
    rows = [row for row in programs.list_rows() if row["id"] not in LEFT_OUT]
    spec = make_spec(settings, rows)
    note("one boot: every row, then a mixed workload, with the daemon; some minutes")
    version = provenance.tool_version()  # of what runs, whatever is edited meanwhile
    found = run(spec)
    result = document(found, version, top, spec, rows)
    if prefix:
        save(result, prefix)
    print(markdown(result), end="")
    return EXIT_OK if result["rows"] else EXIT_FAILED
