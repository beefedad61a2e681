#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/abi-coverage.md: which hypercalls and sub-operations are served, which refused.

  hv/gen/abi_coverage.py            write the file
  hv/gen/abi_coverage.py --check    exit 1 if the file in the tree is not what would be written

Three sources, and no list of its own: the rows of hv/include/public/hypercalls.def; the numbers in the
public headers (Debian's libxen-dev); and the code, from each handler on: `case` labels, rows of
dispatch tables, comparisons. What no code mentions falls through to the handler's default.
"""
import argparse
import collections
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEF = os.path.join(ROOT, "hv", "include", "public", "hypercalls.def")
OUT = os.path.join(ROOT, "docs", "abi-coverage.md")
HEADERS = "/usr/include/xen"
DEPTH = 4  # calls from a handler to the function or table that knows its operations

# hypercall: (what its operations are, header, name of an operation, names to leave out)
# and the errno for an unknown one, where neither ENOSYS nor what the switch's default says
FAMILIES = {
    "mmu_update": ("kinds of update", "xen.h", r"MMU_[A-Z_]+", r"MMU_UPDATE_.*"),
    "sched_op_compat": ("operations", "sched.h", r"SCHEDOP_[a-z_]+", None),
    "platform_op": ("operations", "platform.h", r"XENPF_[a-z]\w+", None),
    "memory_op": ("operations", "memory.h", r"XENMEM_[a-z]\w+", r"XENMEM_(resource|\w+_op)_.*"),
    "xen_version": ("operations", "version.h", r"XENVER_[a-z]\w+", None),
    "console_io": ("operations", "xen.h", r"CONSOLEIO_[a-z]+", None),
    "physdev_op_compat": ("operations", "physdev.h", r"PHYSDEVOP_[a-z]\w+", None),
    "grant_table_op": ("operations", "grant_table.h", r"GNTTABOP_[a-z_]+", None),
    "vm_assist": ("assists", "xen.h", r"VMASST_TYPE_[a-z0-9_]+", None, "EINVAL"),
    "vcpu_op": ("operations", "vcpu.h", r"VCPUOP_[a-z_]+", None),
    "set_segment_base": ("bases", "arch-x86/xen-x86_64.h", r"SEGBASE_[A-Z_]+", None),
    "mmuext_op": ("operations", "xen.h", r"MMUEXT_[A-Z0-9_]+", None),
    "nmi_op": ("operations", "nmi.h", r"XENNMI_\w+_callback", None),
    "sched_op": ("operations", "sched.h", r"SCHEDOP_[a-z_]+", None),
    "callback_op": ("callbacks", "callback.h", r"CALLBACKTYPE_[a-z0-9_]+", None),
    "event_channel_op_compat": ("operations", "event_channel.h", r"EVTCHNOP_[a-z_]+", None),
    "event_channel_op": ("operations", "event_channel.h", r"EVTCHNOP_[a-z_]+", None),
    "physdev_op": ("operations", "physdev.h", r"PHYSDEVOP_[a-z]\w+", None),
    "sysctl": ("operations", "sysctl.h", r"XEN_SYSCTL_[a-z]\w+", None),
    "mca": ("operations", "arch-x86/xen-mca.h", r"XEN_MC_(?:[a-z]+cpu|[a-z]+_v2|[a-z]+)", None),
}

ROW = re.compile(r'^HYPERCALL\((\d+), (\w+), (\w+), (\d+), "([^"]*)"\)', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
FUNCTION = re.compile(r"^(static [^\n;={]*?|[a-z][^\n;={]*?)\b(\w+)\(([^;{}]*)\)\n\{\n(.*?)^\}", re.M | re.S)
TABLE = re.compile(r"^(?:static )?const (?:struct \w+ |struct \{.*?^\} )(\w+)\[\w*\] = \{\n(.*?)^\};",
                   re.M | re.S)
MACRO = re.compile(r"^#define (\w+)((?:[^\n]*\\\n)*[^\n]*)", re.M)
IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")
REFUSAL = re.compile(r"\s*return (?:[^;?]* \? -(XEN_E\w+) : )?-(XEN_E\w+);")
STATUS_REFUSAL = re.compile(r"if \(op\.status == GNTST_okay\)\s*op\.status = (GNTST_(?!okay)\w+);")

Code = collections.namedtuple("Code", "file text static table")
Verdict = collections.namedtuple("Verdict", "word detail")
SERVED = Verdict("served", "")
IGNORED = Verdict("accepted", "nothing to do")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def refused(match):
    """A match whose groups are the errors."""
    return Verdict("refused", " or ".join(e.replace("XEN_", "", 1) for e in match.groups() if e))


def rows():
    return [(int(nr), name, handler, int(nargs), text)
            for nr, name, handler, nargs, text in ROW.findall(read(DEF))]


def numbers(header, pattern, leave_out=None):
    """Names of a header that match, with their numbers; aliases of another name are left out."""
    text = COMMENT.sub(" ", read(os.path.join(HEADERS, header)))
    found = {}
    for name, value in re.findall(r"^#\s*define\s+(%s)\s+\(?(0x[0-9a-fA-F]+|\d+)[UL]*\)?\s*$" % pattern,
                                  text, re.M):
        if not (leave_out and re.fullmatch(leave_out, name)):
            found[name] = int(value, 0)
    return found


def index_code():
    """Functions, tables and macros of hv/ by name; one name may be static in several files."""
    index = collections.defaultdict(list)
    for path in sorted(glob.glob(os.path.join(ROOT, "hv", "**", "*.c"), recursive=True)):
        text = COMMENT.sub(" ", read(path))
        for head, name, _, body in FUNCTION.findall(text):
            index[name].append(Code(path, body, head.startswith("static"), False))
        for name, body in TABLE.findall(text):
            index[name].append(Code(path, body, True, True))
        for name, body in MACRO.findall(text):
            index[name].append(Code(path, body, True, False))
    return index


def lookup(index, name, file):
    """What `name` means in `file`."""
    for code in index.get(name, ()):
        if code.file == file:
            return code
    return next((code for code in index.get(name, ()) if not code.static), None)


def reachable(index, handler):
    """The handler and what it mentions, nearest first."""
    start = lookup(index, handler, "")
    if not start:
        raise SystemExit("abi_coverage: no function %s in hv/" % handler)
    seen, level, found = {handler}, [start], []
    for _ in range(DEPTH):
        found += level
        below = []
        for code in level:
            for name in IDENTIFIER.findall(code.text):
                target = lookup(index, name, code.file)
                if target and (name, target.file) not in seen:
                    seen.add((name, target.file))
                    below.append(target)
        level = below
    return found


def of_case(text, name):
    """The verdict of a `case` label: refused when nothing but `return -XEN_E...` follows."""
    label = re.search(r"\bcase %s:((?:\s*case \w+:)*)(.*)" % name, text, re.S)
    if not label:
        return None
    error = REFUSAL.match(label[2])
    return refused(error) if error else SERVED


def of_table(index, code, name):
    """The verdict of a row of a dispatch table: what its function does at once."""
    row = re.search(r"(?:\[%s\] = \{|\{ %s,)\s*(\w+)" % (name, name), code.text)
    if not code.table or not row:
        return None
    function = lookup(index, row[1], code.file)
    body = re.sub(r"\(void\)\w+(, \(void\)\w+)*;", "", function.text) if function else ""
    error = REFUSAL.fullmatch(body.rstrip()) or STATUS_REFUSAL.search(body)
    if error:
        return refused(error)
    return IGNORED if re.fullmatch(r"\s*return 0;\s*", body) else SERVED


def of_mention(code, name):
    """Compared with, or a bit in a mask."""
    return SERVED if re.search(r"(== |<< )%s\b" % name, code.text) else None


def verdict(index, codes, name, has_switch):
    """None: no code knows the operation."""
    if has_switch:
        return of_case(codes[0].text, name)
    for judge in (lambda c: of_case(c.text, name), lambda c: of_table(index, c, name),
                  lambda c: of_mention(c, name)):
        for code in codes:
            found = judge(code)
            if found:
                return found
    return None


def judge_family(index, name, handler):
    """[(operation, number, verdict)] of a hypercall, by number."""
    _, header, pattern, leave_out, *unknown = FAMILIES[name]
    ops = numbers(header, pattern, leave_out)
    if not ops:
        raise SystemExit("abi_coverage: %s has no %s" % (header, pattern))
    codes = reachable(index, handler)
    # A switch over the operations in the handler itself decides alone.
    has_switch = any(of_case(codes[0].text, op) for op in ops)
    default = re.search(r"default:\s*return -XEN_(E\w+);", codes[0].text) if has_switch else None
    absent = Verdict("refused", unknown[0] if unknown else default[1] if default else "ENOSYS")
    limit = re.search(r"cmd > (%s)" % pattern, codes[0].text)
    found = []
    for op, number in sorted(ops.items(), key=lambda item: item[1]):
        beyond = limit and number > ops[limit[1]]
        found.append((op, number, (not beyond and verdict(index, codes, op, has_switch)) or absent))
    return found


HEAD = """<!-- SPDX-License-Identifier: MIT -->
# ABI coverage

Generated by `hv/gen/abi_coverage.py` from `hv/include/public/hypercalls.def`, the public headers of Debian's
libxen-dev, and the handlers; do not edit. A test (`./radon test unit`) fails when it is out of date.

*Served*: there is code for it; what that code does and does not is in the coverage column, in
[CAVEATS.md](../CAVEATS.md) and in its file. *Accepted*: it succeeds and nothing needs doing. *Refused*: the
errno that the caller gets. An operation that a header does not name is refused with ENOSYS.

"""


def render():
    index, table = index_code(), rows()
    if not table:
        raise SystemExit("abi_coverage: no rows in %s" % DEF)
    known = numbers("xen.h", r"__HYPERVISOR_\w+")
    lines = [HEAD + "## Hypercalls\n", "| nr | hypercall | arguments | coverage |", "|---:|---|---:|---|"]
    lines += ["| %d | %s | %d | %s |" % (nr, name, nargs, text) for nr, name, _, nargs, text in table]
    served = {nr for nr, *_ in table}
    absent = sorted((nr, name.replace("__HYPERVISOR_", "")) for name, nr in known.items()
                    if nr not in served and "arch_" not in name)
    lines += ["", "Refused with ENOSYS: %s, and every number that is not listed."
              % ", ".join("%s (%d)" % (name, nr) for nr, name in absent), ""]
    for nr, name, handler, _, _ in table:
        if name not in FAMILIES:
            continue
        found = judge_family(index, name, handler)
        count = sum(v.word != "refused" for _, _, v in found)
        lines += ["## %s: %s" % (name, FAMILIES[name][0]), "",
                  "%d of %d of `public/%s`; handler `%s`." % (count, len(found), FAMILIES[name][1], handler),
                  "", "| nr | name | |", "|---:|---|---|"]
        lines += ["| %d | %s | %s |" % (number, op, v.word + (": " + v.detail if v.detail else ""))
                  for op, number, v in found] + [""]
    return "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it is stale")
    options = parser.parse_args()
    text = render()
    if options.check:
        if not os.path.exists(OUT) or read(OUT) != text:
            print("docs/abi-coverage.md is stale: run hv/gen/abi_coverage.py", file=sys.stderr)
            return 1
        return 0
    with open(OUT, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
