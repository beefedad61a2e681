# SPDX-License-Identifier: MIT
"""The babeltrace2 plugin on recordings with every event: counts, times, fields, losses, damage.

    python3 tests/tracing/test_babeltrace.py BUILD_DIR

What babeltrace2 gives is compared with what radon-trace reads, for the recording itself and for the CTF
that sink.ctf.fs makes of it.
"""
import collections
import csv
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = ""
LINE = re.compile(r"^\[(\d+\.\d+)\] \S+ (?:\S+ )?([\w.]+:[\w.]+): (.*)$")
EPOCH = 1700000000123456789
HZ = 2000000000


def run(*command, status=0):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if status is not None and done.returncode != status:
        raise AssertionError("%s: status %d\n%s" % (command, done.returncode, done.stderr))
    return done


def babeltrace(*args, status=0):
    return run("babeltrace2", "--plugin-path", os.path.join(BUILD, "tracing"), *args, status=status)


def source(*paths):
    return ("-c", "source.radon.trace", "-p", "inputs=[%s]" % ",".join('"%s"' % p for p in paths))


def events(text):
    """(time in seconds as text, name, fields) of each line."""
    found = [LINE.match(line) for line in text.splitlines()]
    return [m.groups() for m in found if m]


def names(text):
    return collections.Counter(name for _, name, _ in events(text))


def by_radon_trace(path):
    done = run(os.path.join(BUILD, "tracing", "radon-trace"), "report", "--csv", path, status=None)
    rows = csv.DictReader(io.StringIO(done.stdout))
    return collections.Counter({r["event"]: int(r["count"]) for r in rows if not r["domain"]})


class Babeltrace(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="radon-babeltrace-")
        self.addCleanup(shutil.rmtree, self.dir)

    def recording(self, *options, name="a.bin"):
        path = os.path.join(self.dir, name)
        run(os.path.join(BUILD, "tests", "unit", "make_recording"), path, *options)
        return path

    def ctf(self, path):
        out = os.path.join(self.dir, "ctf")
        babeltrace(*source(path), "-c", "sink.ctf.fs", "-p", 'path="%s"' % out)
        return out

    def test_counts(self):
        path = self.recording("--rounds", "50")
        ours = by_radon_trace(path)
        self.assertGreater(len(ours), 100)
        self.assertEqual(ours["grant:map"], 100)
        self.assertEqual(ours["trace:lost_records"], 100)
        self.assertEqual(names(babeltrace("--clock-seconds", *source(path)).stdout), ours)
        self.assertEqual(names(run("babeltrace2", "--clock-seconds", self.ctf(path)).stdout), ours)

    def test_order_and_times(self):
        path = self.recording("--rounds", "3", "--epoch", str(EPOCH))
        text = babeltrace("--clock-seconds", *source(path)).stdout
        times = [float(t) for t, _, _ in events(text)]
        self.assertEqual(times, sorted(times))
        # The first record of CPU 0 has TSC 1010: 505 ns after the header's moment.
        seconds, ns = divmod(EPOCH + 1010 * 1000000000 // HZ, 1000000000)
        self.assertEqual(events(text)[0][0], "%d.%09d" % (seconds, ns))
        # CTF keeps them to the nanosecond.
        again = run("babeltrace2", "--clock-seconds", self.ctf(path)).stdout
        self.assertEqual([e[0] for e in events(again)], [e[0] for e in events(text)])

    def test_fields(self):
        text = babeltrace("--clock-seconds", *source(self.recording())).stdout
        fields = {name: rest for _, name, rest in events(text) if "cpu_id = 0" in rest}
        self.assertIn("{ granter = 1, ref = 2, mfn = 0x3, flags = 0x4 }", fields["grant:map"])
        self.assertIn("on_domain = 7, on_vcpu = 0", fields["grant:map"])
        self.assertIn('was = ( "l2" : container = 2 ), now = ( "l3" : container = 3 )',
                      fields["page:type_change"])
        self.assertIn("{ req = 0x0, count = 0xFFFF800100000001, done = 0x2, domain = 0xFFFF800300000003, "
                      "recorded = 0xF }", fields["hypercall:mmu_update"])
        self.assertIn("result = 2", fields["exit:hypercall"])
        self.assertIn("domain = 7, vcpu = 0, was = ( \"runnable\" : container = 1 )",
                      fields["runstate:running"])
        self.assertIn("number = 0x81001, words = [ [0] = 0x70000 ]", fields["event:unknown"])

    def test_losses(self):
        path = self.recording("--rounds", "4")
        done = babeltrace(*source(path), "-c", "sink.text.details", "-p", "color=never")
        discarded = re.findall(r"Discarded events \((\d+) events\)", done.stdout)
        self.assertEqual(discarded, ["5"] * 8)
        again = babeltrace("-c", "source.ctf.fs", "-p", 'inputs=["%s/a.bin"]' % self.ctf(path),
                           "-c", "sink.text.details", "-p", "color=never")
        self.assertEqual(re.findall(r"Discarded events \((\d+) events\)", again.stdout), ["5"] * 8)

    def test_no_header(self):
        path = self.recording("--no-header")
        done = babeltrace("--clock-seconds", *source(path))
        self.assertEqual(names(done.stdout), by_radon_trace(path))
        self.assertIn("frequency is not known", done.stderr)
        self.assertEqual(events(done.stdout)[0][0], "0.000001010")
        done = babeltrace("--clock-seconds", "-c", "source.radon.trace", "-p",
                          'inputs=["%s"], tsc-hz=2000000000' % path)
        self.assertNotIn("not known", done.stderr)
        self.assertEqual(events(done.stdout)[0][0], "0.000000505")

    def test_found_by_itself(self):
        path = self.recording()
        self.assertEqual(names(babeltrace("--clock-seconds", path).stdout), by_radon_trace(path))

    def test_two_files(self):
        a, b = self.recording("--rounds", "2", name="a.bin"), self.recording("--rounds", "3", name="b.bin")
        self.assertEqual(names(babeltrace("--clock-seconds", *source(a, b)).stdout),
                         by_radon_trace(a) + by_radon_trace(b))

    def test_truncated(self):
        path = self.recording("--rounds", "5")
        size = os.path.getsize(path)
        for cut in range(400, size, size // 23):
            with open(path, "rb") as file:
                data = file.read(cut | 1)  # not between two chunks
            short = os.path.join(self.dir, "short.bin")
            with open(short, "wb") as file:
                file.write(data)
            done = babeltrace("--clock-seconds", *source(short))
            self.assertEqual(names(done.stdout), by_radon_trace(short), cut)
            self.assertIn("the file ends inside a chunk", done.stderr)

    def test_damaged(self):
        path = self.recording("--rounds", "5")
        with open(path, "rb") as file:
            data = bytearray(file.read())
        for i in range(600, len(data), 4099):
            data[i] ^= 0xff
        with open(path, "wb") as file:
            file.write(data)
        done = babeltrace("--clock-seconds", *source(path))
        self.assertEqual(names(done.stdout), by_radon_trace(path))
        self.assertIn("offset", done.stderr)
        times = [float(t) for t, _, _ in events(done.stdout)]
        self.assertEqual(times, sorted(times))
        # A stamp that is far ahead does not take what follows with it.
        self.assertLess(times[-1], 1)

    def test_foreign(self):
        path = os.path.join(self.dir, "foreign")
        with open(path, "w", encoding="utf-8") as file:
            file.write("hello " * 1000)
        done = babeltrace(*source(path), status=1)
        self.assertIn("no records in it", done.stderr)
        done = babeltrace(*source(os.path.join(self.dir, "absent")), status=1)
        self.assertIn("No such file", done.stderr)
        done = babeltrace("-c", "source.radon.trace", "-p", "inputs=3", status=1)
        self.assertIn("parameters: inputs=", done.stderr)


if __name__ == "__main__":
    BUILD = os.path.abspath(sys.argv.pop(1))
    if not shutil.which("babeltrace2") or \
            not os.path.exists(os.path.join(BUILD, "tracing", "babeltrace-plugin-radon.so")):
        print("skipped: babeltrace2 or the plugin is not there")
        sys.exit(77)
    unittest.main()
