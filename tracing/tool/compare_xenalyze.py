#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare what radon-trace and Debian's xenalyze count in recordings.

    compare_xenalyze.py RADON_TRACE FILE...

Per vCPU: hypercalls and entries of multicalls by number (xenalyze adds the two), traps by vector,
page faults, emulations.  Records before the first change of runstate on their CPU are not counted
by xenalyze and left out.  Status 0: all the same; 1: something differs, or nothing was compared.
"""
import collections
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
XENALYZE_NAMES = {"privop": "emulate privop"}


def hypercall_numbers():
    path = os.path.join(ROOT, "hv/include/public/hypercalls.def")
    with open(path, encoding="utf-8") as f:
        rows = re.findall(r"^HYPERCALL\((\d+), (\w+)", f.read(), re.M)
    return {name: int(nr) for nr, name in rows}


def number(numbers, name):
    """Of a row's name: a known one, a number, or itself ("other")."""
    return numbers.get(name, int(name) if name.isdigit() else name)


def vector_numbers(radon_trace):
    done = subprocess.run([radon_trace, "list"], stdout=subprocess.PIPE, text=True, check=True)
    rows = re.findall(r"^trap:(\w+) +vector (\d+)", done.stdout, re.M)
    return {name: int(nr) for name, nr in rows}


def by_xenalyze(file):
    """(domain, vCPU, kind, number) -> count, from the section "PV events" of each vCPU."""
    out = subprocess.run(["xenalyze", "--summary", file], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True, check=True).stdout
    counts = collections.Counter()
    domain = vcpu = section = None
    in_pv = False
    for line in out.splitlines():
        if m := re.match(r"\|-- Domain (\d+)", line):
            domain, vcpu, in_pv = int(m[1]), None, False
        elif m := re.match(r"-- v(\d+) --", line):
            vcpu, in_pv = int(m[1]), False
        elif line.startswith("PV events"):
            in_pv = True
        elif not line.startswith("  "):
            in_pv = False
        elif in_pv and (m := re.match(r"    (?:\S+ +)?\[ *(\d+)\]:? +(\d+)$", line)):
            counts[domain, vcpu, section, int(m[1])] += int(m[2])
        elif in_pv and (m := re.match(r"  (\S.*?) +(\d+)$", line)):
            section = m[1]
            if section not in ("hypercall", "trap"):
                counts[domain, vcpu, section, None] += int(m[2])
    return counts


def by_radon_trace(radon_trace, file):
    done = subprocess.run([radon_trace, "report", "--json", file], stdout=subprocess.PIPE,
                          text=True, check=False)
    numbers, vectors = hypercall_numbers(), vector_numbers(radon_trace)
    counts = collections.Counter()
    for row in json.loads(done.stdout)["rows"]:
        if row["domain"] is None or row["domain"] < 0:
            continue
        kind, name = row["event"].split(":")
        name = name.split(".")[0]  # xenalyze has no operations
        who = row["domain"], row["vcpu"]
        if kind in ("hypercall", "subcall"):
            counts[who + ("hypercall", number(numbers, name))] += row["count"]
            if kind == "subcall":
                counts[who + ("hypercall (subcall)", None)] += row["count"]
        elif row["event"] == "trap:page_fault":
            counts[who + ("page_fault", None)] += row["count"]
        elif kind == "trap":
            counts[who + ("trap", number(vectors, name))] += row["count"]
        elif kind == "emulation":
            counts[who + (XENALYZE_NAMES.get(name, name), None)] += row["count"]
    return counts


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    status = 0
    for file in sys.argv[2:]:
        theirs, ours = by_xenalyze(file), by_radon_trace(sys.argv[1], file)
        keys = set(theirs) | set(ours)
        differ = sorted((k for k in keys if theirs[k] != ours[k]), key=str)
        for key in differ:
            print(f"{file}: d{key[0]}v{key[1]} {key[2]} {'' if key[3] is None else key[3]}: "
                  f"xenalyze {theirs[key]}, radon-trace {ours[key]}")
        print(f"{file}: {len(keys)} counts compared, {len(differ)} differ")
        if differ or not keys:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
