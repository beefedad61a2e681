#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Inputs of fuzz_synth (capture_form.h) of files of captures, as the tests of synthesis leave them:

    mkdir captures; RADON_SYNTH_CAPTURES=captures build/tests/unit/unit_synth_paths
    tests/fuzz/capture_form.py captures inputs
    tests/fuzz/pack.py inputs tests/fuzz/synth.corpus
"""

import os
import struct
import sys

HEAD, STEP = 53, 31  # words
COUNT, REGS_BEFORE, REGS_AFTER, REGS = 3, 11, 31, 20  # COUNT: the number of steps in its lower half
RIP, BYTES, BEFORE, AFTER = 16, 20, 24, 26
CHOICES = 0x0f  # fuzz_synth.c: in this form, made to agree, one vCPU, read-only memory is given
MOST = 65535
ALL = (1 << 64) - 1


def subtract(words, others):
    return [(a - b) & ALL for a, b in zip(words, others)]


def words_of(differences):
    out = b""
    for number, difference in enumerate(differences):
        signed = difference - (difference >> 63 << 64)
        if signed:
            log = next(i for i in range(4) if -(1 << (8 << i) - 1) <= signed < 1 << (8 << i) - 1)
            out += bytes([number | log << 6]) + (difference & (1 << (8 << log)) - 1).to_bytes(1 << log, "little")
    return out


def steps_of(data):
    steps = [list(struct.unpack_from("<%dQ" % STEP, data, 8 * STEP * i)) for i in range(len(data) // (8 * STEP))]
    for step, after in zip(steps, steps[1:]):
        length = after[RIP] - step[RIP]
        if 0 < length < 16:  # what lies behind the instruction is not looked at
            code = struct.pack("<2Q", *step[BYTES:BYTES + 2])[:length].ljust(16, b"\0")
            step[BYTES:BYTES + 2] = struct.unpack("<2Q", code)
    for step in steps:
        step[AFTER:AFTER + 2] = subtract(step[AFTER:AFTER + 2], step[BEFORE:BEFORE + 2])
    return steps


def form(data):
    out, head, by = bytes([CHOICES]), [0] * HEAD, []
    while data:
        words = list(struct.unpack_from("<%dQ" % HEAD, data))
        steps = words[COUNT] & 0xffffffff
        words[COUNT] -= steps
        before = words[REGS_BEFORE:REGS_BEFORE + REGS]
        words[REGS_AFTER:REGS_AFTER + REGS] = subtract(words[REGS_AFTER:REGS_AFTER + REGS], before)
        out += words_of(subtract(words, head))
        head, data, step = words, data[8 * HEAD:], before + [0] * (STEP - REGS)
        for number, words in enumerate(steps_of(data[:8 * STEP * steps])):
            if number == len(by):
                by.append([0] * STEP)
            difference = subtract(words, step)
            out += b"\x3f" + words_of(subtract(difference, by[number]))
            by[number], step = difference, words
        data = data[8 * STEP * steps:]
        out += b"\x7f" if data else b""
    return out


def main(source, to):
    os.makedirs(to, exist_ok=True)
    for name in sorted(os.listdir(source)):
        with open(os.path.join(source, name), "rb") as file:
            made = form(file.read())
        if len(made) > MOST:
            sys.exit("%s: %d bytes" % (name, len(made)))
        with open(os.path.join(to, name), "wb") as file:
            file.write(made)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
