# SPDX-License-Identifier: MIT
"""What Radon's figures must reach, row by row. L, R, X: time on native Linux, Radon, Xen, in ns."""

LONG_CALL_NS = 200.0  # what a long system call may cost beyond native
NULL_CALL_NS = 500.0
COMPUTE_SHARE = 0.01
WALL_SHARE = 0.03  # in wall time two equal columns differ by so much


def _entry(name, limit, actual, met):
    return {"name": name, "limit_ns": limit, "actual_ns": actual, "met": met}


def _at_most(name, actual, limit):
    return _entry(name, limit, actual, actual <= limit)


# What fast handlers must reach, in terms of native.
FAST_SHARE = {"null_call": 0.5, "null_read": 0.9, "null_write": 0.9, "sig_install": 1.0}
FAST_WORSE = 0.01  # and by how much no row may be worse for them


def judge_fast(row, times):
    """The criteria of Radon with fast handlers (R+), in instruction time."""
    native, radon, fast = (times.get(name) for name in ("native", "radon", "radon+fast"))
    found = []
    if fast is None:
        return found
    if native is not None and row["id"] in FAST_SHARE:
        share = FAST_SHARE[row["id"]]
        found.append(_at_most("R+ <= %.1f L" % share, fast, native * share))
    if radon is not None:
        found.append(_at_most("R+ <= R (within 1 %)", fast, radon * (1 + FAST_WORSE)))
    return found


def judge(row, times, clock):
    """The criteria that apply to this row, each with limit, figure and verdict. Empty when a column
    that they need is missing. times: column -> ns an operation (or a byte)."""
    native, radon, xen = (times.get(name) for name in ("native", "radon", "xen"))
    if radon is None:
        return []
    if clock != "instr":
        if xen is None:
            return []
        return [_at_most("R <= X (within 3 %)", radon, xen * (1 + WALL_SHARE))]
    found = []
    if row["kind"] == "compute":
        if native is not None:
            found.append(_at_most("|R-L| <= 1 % of L", abs(radon - native), native * COMPUTE_SHARE))
        return found
    if native is not None and xen is not None:
        found.append(_at_most("R-L <= (X-L)/2", radon - native, (xen - native) / 2))
    if xen is not None:
        found.append(_at_most("R <= X", radon, xen))
    if native is not None and row["long_calls"]:
        found.append(_at_most("R-L <= 0.20 us a call", radon - native,
                              LONG_CALL_NS * row["long_calls"]))
    if row["id"] == "null_call":
        found.append(_at_most("R <= 0.50 us", radon, NULL_CALL_NS))
    return found + judge_fast(row, times)
