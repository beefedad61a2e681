# SPDX-License-Identifier: MIT
"""radon-relay: a live stream becomes LTTng-UST events with the records' times; babeltrace2 merges them.

    python3 tests/tracing/test_lttng.py BUILD_DIR

A session daemon of its own, in a home of its own; as root it runs as nobody, since root's is the
system's.
"""
import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from test_babeltrace import by_radon_trace

import test_babeltrace

BUILD = ""
NOBODY = 65534
# "[seconds] (+delta) host radon:grant_map: { cpu_id = 1 }, { on_cpu = 0, ..., name = "grant:map", ... }"
LINE = re.compile(r'^\[(\d+)\.(\d+)\] .*? radon:(\w+): .*?on_cpu = (\d+).*?tsc = (\d+), name = "([^"]+)"(.*)$')


def demoted():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


class Lttng(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="radon-lttng-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.chmod(self.dir, 0o777)
        self.env = dict(os.environ, LTTNG_HOME=self.dir, HOME=self.dir)
        pid_file = os.path.join(self.dir, "pid")
        self.start_daemon("lttng-sessiond", "--daemonize", "--no-kernel", "--pidfile", pid_file)
        with open(pid_file, encoding="ascii") as file:
            self.addCleanup(self.stop, int(file.read()))

    def stop(self, pid):
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            if not os.path.exists("/proc/%d" % pid):
                return
            time.sleep(0.1)

    def start_daemon(self, *command):
        """Not with a pipe: a daemon that keeps its output open would never let that end."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            done = subprocess.run(command, env=self.env, preexec_fn=demoted, stdout=said,
                                  stderr=subprocess.STDOUT, check=False, timeout=60)
            said.seek(0)
            self.assertEqual(done.returncode, 0, "%s: %s" % (command, said.read()))

    def run_as(self, *command):
        done = subprocess.run(command, env=self.env, preexec_fn=demoted, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, "%s: %s" % (command, done.stdout))
        return done.stdout

    def start_session(self):
        out = os.path.join(self.dir, "out")
        self.run_as("lttng", "create", "s", "--output", out)
        self.run_as("lttng", "enable-channel", "-u", "c", "--subbuf-size", "4M", "--num-subbuf", "8")
        self.run_as("lttng", "enable-event", "-u", "-c", "c", "radon:*")
        self.run_as("lttng", "start")
        return out

    def relay(self, path, **more):
        return subprocess.Popen([os.path.join(BUILD, "tracing", "radon-relay"), "--window", "200", path],
                                env=self.env, preexec_fn=demoted, stderr=subprocess.PIPE, text=True, **more)

    def read_back(self, out):
        done = subprocess.run(["babeltrace2", "--clock-seconds", out], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stderr)
        return [m.groups() for m in map(LINE.match, done.stdout.splitlines()) if m]

    def test_live(self):
        out = self.start_session()
        fifo, copy = os.path.join(self.dir, "fifo"), os.path.join(self.dir, "copy.bin")
        os.mkfifo(fifo, 0o666)
        os.chmod(fifo, 0o666)
        relay = self.relay(fifo)
        with open(copy, "wb") as file, open(fifo, "wb") as sink:
            maker = subprocess.Popen([os.path.join(BUILD, "tests", "unit", "make_recording"), "/dev/stdout",
                                      "--rounds", "40", "--pace", "5000000"], stdout=subprocess.PIPE)
            for block in iter(lambda: maker.stdout.read1(65536), b""):
                file.write(block)
                sink.write(block)
                sink.flush()
            maker.stdout.close()
            self.assertEqual(maker.wait(), 0)
        errors = relay.communicate(timeout=60)[1]
        self.assertEqual(relay.returncode, 0, errors)
        self.assertIn(" 0 of them late, 400 lost before", errors)
        self.run_as("lttng", "destroy")
        events = self.read_back(out)

        # Every record, once, by the name that radon-trace has for it.
        self.assertEqual(collections.Counter(e[5] for e in events), by_radon_trace(copy))
        # In order, and at the time of the record: TSC 0 was when the maker began.
        stamps = [int(s) * 10**9 + int(ns) for s, ns, *_ in events]
        self.assertEqual(stamps, sorted(stamps))
        offsets = [stamp - int(e[4]) // 2 for stamp, e in zip(stamps, events)]
        self.assertLess(max(offsets) - min(offsets), 200000, "ns")
        self.assertLess(abs(max(offsets) / 1e9 - os.stat(fifo).st_mtime), 60)
        # Values: those of the first round.
        grant = next(e for e in events if e[2] == "grant_map" and e[3] == "1")
        self.assertIn("granter = 1, ref = 2, mfn = 0x3, flags = 0x4", grant[6])
        page = next(e for e in events if e[2] == "page_type_change")
        self.assertIn('was = "l2", now = "l3"', page[6])
        call = next(e for e in events if e[5] == "hypercall:mmu_update")
        self.assertIn("values = [ [0] = 0x0, [1] = 0xFFFF800100000001, [2] = 0x2, [3] = 0xFFFF800300000003 ]",
                      call[6])
        self.check_merge(out, copy, events)

    def check_merge(self, out, copy, events):
        """The LTTng trace and the recording in one output: an event and its record lie side by side."""
        done = subprocess.run(["babeltrace2", "--plugin-path", os.path.join(BUILD, "tracing"),
                               "--clock-seconds", out, copy], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("discarded 5 events"), 80)
        self.assertEqual(len(done.stdout.splitlines()), 2 * len(events))
        times = [float(line[1:line.index("]")]) for line in done.stdout.splitlines()]
        self.assertEqual(times, sorted(times))

    def test_file(self):
        """Of a file, events come when they are relayed."""
        out = self.start_session()
        path = os.path.join(self.dir, "a.bin")
        subprocess.run([os.path.join(BUILD, "tests", "unit", "make_recording"), path, "--rounds", "5",
                        "--epoch", "1000000000000000000", "--lost-behind", "77"], check=True)
        relay = self.relay(path)
        errors = relay.communicate(timeout=60)[1]
        self.assertEqual(relay.returncode, 0, errors)
        self.run_as("lttng", "destroy")
        events = self.read_back(out)
        # Losses that only the header knows are an event of their own.
        self.assertEqual((events[-1][5], events[-1][6].split("}")[0]), ("tool:lost", ", cpu = 4294967295, records = 77 "))
        self.assertEqual(collections.Counter(e[5] for e in events[:-1]), by_radon_trace(path))
        self.assertLess(abs(int(events[0][0]) - time.time()), 60)

    def test_bad_input(self):
        path = os.path.join(self.dir, "foreign")
        with open(path, "w", encoding="ascii") as file:
            file.write("x" * 5000)
        relay = self.relay(path)
        errors = relay.communicate(timeout=60)[1]
        self.assertEqual(relay.returncode, 1, errors)
        self.assertIn("offset 0", errors)


if __name__ == "__main__":
    BUILD = test_babeltrace.BUILD = os.path.abspath(sys.argv.pop(1))
    if not all(map(shutil.which, ("babeltrace2", "lttng", "lttng-sessiond"))) or \
            not os.path.exists(os.path.join(BUILD, "tracing", "libradon-lttng.so")):
        print("skipped: lttng-tools, babeltrace2 or the provider is not there")
        sys.exit(77)
    unittest.main()
