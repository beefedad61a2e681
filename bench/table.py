# SPDX-License-Identifier: MIT
"""The table that people read."""

from . import document as doc

TITLES = {"native": "native L", "radon": "Radon R", "radon+fast": "fast R+", "xen": "Xen X",
          "emulation": "emulation E"}
CLOCKS = {
    "instr": "instruction time (1 instruction = 1 ns)",
    "tcg": "wall time under QEMU's TCG (columns interleaved; medians ± distance of the quartiles)",
    "kvm": "wall time under KVM (columns interleaved; medians ± distance of the quartiles)",
}


def show_value(row, value, spread):
    """A figure in us or MB/s, or `failed`."""
    if "failed" in value:
        return "failed"
    number = value["median"] if row["unit"] == "MB/s" else value["median"] / 1e3
    text = "%.1f" % number if abs(number) >= 1000 else "%.3f" % number
    return text + (" ±%.1f%%" % value["quartile_spread_percent"] if spread else "")


def _verdict(row, result):
    """Met, or the first criterion that is not; with its figures."""
    entries = result["criteria"]
    if not entries:
        return "unknown"
    entry = next((entry for entry in entries if not entry["met"]), entries[0])
    scale, unit = (1, "ns a byte") if row["unit"] == "MB/s" else (1e3, "us")
    return "%s: %s (%.4g %s %.4g %s)" % (
        "met" if entry["met"] else "NOT", entry["name"], entry["actual_ns"] / scale,
        "<=" if entry["met"] else ">", entry["limit_ns"] / scale, unit)


def _ratio(result, name):
    ratio = result["time_ratio_to_native"].get(name)
    return "unknown" if ratio is None else "%.2f" % ratio


def cells(document):
    """The table as a list of rows of strings, headings first."""
    names = [column["name"] for column in document["columns"]]
    others = [name for name in names if name != "native"] if "native" in names else []
    judged = "radon" in names and len(names) > 1
    spread = document["clock"] != "instr"
    head = ["row", "unit"] + [TITLES[name] for name in names]
    head += [doc.LETTERS[name] + "/L" for name in others] + (["criterion"] if judged else [])
    lines = [head]
    for row, result in zip(document["rows"], document["results"]):
        line = [row["title"], "MB/s" if row["unit"] == "MB/s" else "us"]
        line += [show_value(row, result["values"][name], spread) for name in names]
        line += [_ratio(result, name) for name in others]
        lines.append(line + ([_verdict(row, result)] if judged else []))
    return lines


def align(lines):
    """Columns side by side: the first two and the criterion to the left, figures to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    words_last = lines[0][-1] == "criterion"
    out = []
    for line in lines:
        parts = []
        for i, cell in enumerate(line):
            left = i < 2 or (words_last and i == len(line) - 1)
            parts.append(cell.ljust(widths[i]) if left else cell.rjust(widths[i]))
        out.append("  ".join(parts).rstrip())
    return out


def _user_space(document):
    parts = []
    for column in document["columns"]:
        times = [run["user_space_at_ns"] for run in column["runs"]
                 if isinstance(run["user_space_at_ns"], (int, float))]
        if times:
            parts.append("%s %.3f s" % (column["name"], min(times) / 1e9))
    what = "reset" if document["clock"] == "instr" else "the kernel's start"
    return "user space after %s: %s" % (what, ", ".join(parts)) if parts else ""


def _summary(document):
    judged = [result for result in document["results"] if result["criteria"]]
    if not judged:
        return ""
    met = sum(all(entry["met"] for entry in result["criteria"]) for result in judged)
    return "criteria: %d of %d rows met" % (met, len(document["results"]))


def _kernel(document):
    for column in document["columns"]:
        for run in column["runs"]:
            if run["environment"]:
                return run["environment"]["kernel_release"]
    return "unknown"


def footer(document):
    packages = document["packages"]
    lines = [
        "%s, %d CPU%s%s; ratios are of time (above 1: slower than native)"
        % (CLOCKS[document["clock"]], document["cpus"], "s" if document["cpus"] > 1 else "",
           ", quick" if document["quick"] else ""),
        "held still in every column: " + document["pinned"],
        "Linux %s, QEMU %s, Xen %s, Radon %s"
        % (_kernel(document), packages.get("qemu-system-x86", "unknown"),
           packages.get("xen-hypervisor-4.17-amd64", "unknown"), document["tool_version"]),
        _user_space(document), _summary(document)]
    for failure in document["failures"]:
        where = failure["column"] + (" " + failure["row"] if failure["row"] else "")
        lines.append("failed: %s: %s" % (where, failure["reason"]))
    return [line for line in lines if line]


def render(document):
    return "\n".join(align(cells(document)) + [""] + footer(document))
