# SPDX-License-Identifier: MIT
"""radon-trace reads two million records a second of one core's time, at least; so does radon-stat.

    python3 tests/tracing/test_speed.py BUILD_DIR
"""
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import unittest

BUILD = ""
RECORDS, IN_CHUNK = 2000000, 2500
LEAST = 2e6  # a second
CHUNK, EXIT_HYPERCALL, MMU_UPDATE = 0x2001f003, 0x1001001, 1


def recording(path):
    """Ends of hypercalls, one after the other, on two CPUs by turns."""
    record = struct.Struct("<IQIq")
    head = EXIT_HYPERCALL | 3 << 28 | 1 << 31  # three words of data, a time stamp
    with open(path, "wb") as file:
        for first in range(0, RECORDS, IN_CHUNK):
            data = b"".join(record.pack(head, 1000 * i, MMU_UPDATE, 0)
                            for i in range(first, first + IN_CHUNK))
            file.write(struct.pack("<III", CHUNK, first // IN_CHUNK % 2, len(data)) + data)


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Speed(unittest.TestCase):
    def read(self, *words):
        """The JSON that the program prints; it must not have taken too long."""
        before = children_s()
        text = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout
        rate = RECORDS / (children_s() - before)
        print("%s: %.1f million records a second" % (os.path.basename(words[0]), rate / 1e6), file=sys.stderr)
        self.assertGreater(rate, LEAST)
        return json.loads(text)

    def test_reading(self):
        with tempfile.TemporaryDirectory(prefix="radon-speed-") as directory:
            path = os.path.join(directory, "a.bin")
            recording(path)
            report = self.read(os.path.join(BUILD, "tracing", "radon-trace"), "report", "--json", path)
            self.assertEqual((report["records"], report["defects"]), (RECORDS, 0))
            self.assertEqual({row["count"] for row in report["rows"] if row["event"] == "exit:hypercall"},
                             {RECORDS})
            self.read(os.path.join(BUILD, "tracing", "radon-stat"), "report", "--json", path)


if __name__ == "__main__":
    BUILD = sys.argv.pop(1)
    unittest.main()
