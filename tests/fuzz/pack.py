#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A fuzzer's corpus as one file of the tree: each input behind its length (2 bytes, little-endian).

    tests/fuzz/pack.py FOLDER FILE         pack; the shortest first
    tests/fuzz/pack.py --unpack FILE FOLDER

To add what a run has found, keeping what adds coverage (edges alone: a few hundred inputs):
    tests/fuzz/pack.py --unpack tests/fuzz/fast.corpus old
    ./fuzz_fast -merge=1 -use_counters=0 new old corpus
    tests/fuzz/pack.py new tests/fuzz/fast.corpus
"""

import hashlib
import os
import struct
import sys


def pack(folder, path):
    found = []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            found.append(file.read())
    with open(path, "wb") as out:
        for data in sorted(found, key=lambda data: (len(data), data)):
            out.write(struct.pack("<H", len(data)) + data)
    return len(found)


def unpack(path, folder):
    os.makedirs(folder, exist_ok=True)
    with open(path, "rb") as file:
        rest, count = file.read(), 0
    while rest:
        size = struct.unpack("<H", rest[:2])[0]
        data, rest = rest[2:2 + size], rest[2 + size:]
        with open(os.path.join(folder, hashlib.sha1(data).hexdigest()), "wb") as file:
            file.write(data)
        count += 1
    return count


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--unpack":
        print(unpack(sys.argv[2], sys.argv[3]))
    elif len(sys.argv) == 3:
        print(pack(sys.argv[1], sys.argv[2]))
    else:
        sys.exit(__doc__)
