# SPDX-License-Identifier: MIT
"""radon-profile in domain 0: it sees a program that knows where its time went, there."""

import csv
import io
import json
import math
import re
import subprocess
import tempfile
import unittest
import xml.dom.minidom

from guest.machine import tools

from . import common, test_handler
from .tools import ToolCase

FLAGS = ("-fno-omit-frame-pointer", "-fno-optimize-sibling-calls")
NAME = "where_time_goes"
# The syscall instruction's time belongs to where it is made from, and to all that it leads to.
KERNEL, HYPERVISOR = "_[k]", "_[h]"


def share_error(share, samples):
    """How far a share of so many samples may be off: four standard deviations, and a sample or two."""
    return 4 * math.sqrt(share * (1 - share) / samples) + 2 / samples


class Folded:
    """{(frame, ...): samples} of a recording, by radon-profile on this host."""

    def __init__(self, text):
        self.stacks = {}
        for line in text.splitlines():
            stack, _, number = line.rpartition(" ")
            self.stacks[tuple(stack.split(";"))] = int(number)

    def count(self, *frames):
        """Samples whose stack has all of these frames."""
        return sum(n for stack, n in self.stacks.items() if all(f in stack for f in frames))

    def matching(self, test):
        return sum(n for stack, n in self.stacks.items() if test(stack))


@unittest.skipUnless(common.ON == "radon", "of Radon's own samples")
class Profile(ToolCase):
    def on_host(self, *arguments, recording, status=0):
        with tempfile.NamedTemporaryFile() as file:
            file.write(recording.encode())
            file.flush()
            words = [file.name if word == "FILE" else word for word in arguments]
            done = subprocess.run([tools.program("profile"), *words], capture_output=True,
                                  text=True, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def record(self, options="", rounds=200, processes=1, before="", adds=(), **settings):
        """(ns spent spinning, ns spent in calls), the recording"""
        program = common.compile_program(NAME, *FLAGS)
        text = self.tool(["profile"], before + "radon-profile record %s -o /p -- /%s %d %d >/k && "
                         "cat /k /p" % (options, NAME, rounds, processes),
                         more_adds=[(program, "/" + NAME), *adds], **settings)
        found = re.findall(r"^spent (\d+) (\d+)$", text, re.M)
        self.assertEqual(len(found), processes, text[:2000])
        return ([sum(int(pair[i]) for pair in found) for i in (0, 1)],
                text[text.index("radon-profile 1\n"):])

    def check_shares(self, spent, recording, slack=0.0):
        folded = Folded(self.on_host("fold", "FILE", recording=recording))
        spin, calls = folded.count(NAME, "spin_here"), folded.count(NAME, "call_kernel")
        self.assertGreater(spin + calls, 200)
        share = spent[0] / sum(spent)
        self.assertLess(abs(spin / (spin + calls) - share), share_error(share, spin + calls) + slack,
                        (spin, calls, spent))
        return folded, calls

    def check_calls(self, folded, calls):
        """What a system call is made of: user, kernel with its whole stack, hypervisor."""
        whole = folded.count("main", "work", "call_kernel")
        self.assertGreaterEqual(whole, 0.97 * calls, folded.stacks)
        kernel = folded.count("call_kernel", "entry_SYSCALL_64_after_hwframe" + KERNEL)
        self.assertGreater(kernel, 0.4 * calls)
        below = folded.count("call_kernel", "do_syscall_64" + KERNEL, "__do_sys_getppid" + KERNEL)
        self.assertGreater(below, 0.08 * calls)
        # The lean paths are 73 of some 395 instructions.
        hypervisor = folded.matching(lambda s: "call_kernel" in s and s[-1].endswith(HYPERVISOR))
        self.assertLess(abs(hypervisor / calls - 73 / 395), share_error(73 / 395, calls) + 0.04,
                        folded.stacks)

    def check_head(self, recording):
        meta = dict(line.split("\t")[1:3] for line in recording.splitlines()
                    if line.startswith("meta\t") and "\tstacks\t" not in line)
        self.assertEqual(meta["lost_records"], "0")
        stacks = {line.split("\t")[2].split(" ", 1)[1]: int(line.split("\t")[2].split()[0])
                  for line in recording.splitlines() if line.startswith("meta\tstacks\t")}
        orc = stacks.get("kernel stack by ORC tables", 0)
        worse = sum(n for name, n in stacks.items() if name.startswith("kernel")) - orc
        self.assertLess(worse, 0.05 * orc + 5, stacks)
        return meta

    def test_nmi(self):
        spent, recording = self.record("--hz 4999")
        folded, calls = self.check_shares(spent, recording)
        self.check_calls(folded, calls)
        self.assertIn("NMIs", self.check_head(recording)["sampled by"])
        self.assertGreater(folded.count("call_kernel", "hypercall:iret" + HYPERVISOR), 0)
        self.check_outputs(recording)

    @unittest.skipUnless(test_handler.CLANG, "clang is not installed")
    def test_fast_handlers(self):
        test_handler.make_examples()
        handler = "handler:getppid_[f]"
        spent, recording = self.record(
            "--hz 9973", rounds=400, before="radon-handler load --now /h/getppid.o >&2; ",
            adds=[(test_handler.TOOL, "/bin/radon-handler"), (test_handler.FOLDER, "/h")])
        folded, calls = self.check_shares(spent, recording)
        # Some 80 instructions of 200 are the handler's own; the guest kernel is not asked.
        self.assertGreater(folded.count("call_kernel", handler), 0.15 * calls, folded.stacks)
        self.assertLess(folded.count("call_kernel", "__do_sys_getppid" + KERNEL), 0.05 * calls + 1)
        for stack in folded.stacks:
            if handler in stack:
                self.assertEqual(stack[-2:], ("bounce:syscall" + HYPERVISOR, handler))

    def test_two_cpus(self):
        spent, recording = self.record("--hz 1999", processes=2, cpus=2)
        # QEMU runs the processors in turn, and says ticks to those that do not run when they do.
        self.check_shares(spent, recording, slack=0.08)
        cpus = {line.split("\t")[2] for line in recording.splitlines()
                if line.startswith("sample\t")}
        self.assertEqual(cpus, {"0", "1"})
        self.check_head(recording)

    def test_a_kernel_that_hides_its_symbols(self):
        spent, recording = self.record("--hz 4999", before="echo 2 > /proc/sys/kernel/kptr_restrict; "
                                       "grep -q '^0* T do_syscall_64' /proc/kallsyms || exit 9; ")
        folded, calls = self.check_shares(spent, recording)
        self.check_calls(folded, calls)
        self.assertIn("in its memory", self.check_head(recording)["symbols"])

    def test_timer(self):
        spent, recording = self.record("--timer --hz 4999")
        folded, _ = self.check_shares(spent, recording)
        self.assertIn("timer", self.check_head(recording)["sampled by"])
        # What was due in the bounce fires at the guest kernel's callback.
        self.assertGreater(folded.count("call_kernel", "bounce:syscall" + HYPERVISOR), 0)

    def check_outputs(self, recording):
        """Every output of one recording says the same, in well-formed documents."""
        folded = Folded(self.on_host("fold", "FILE", recording=recording))
        samples = sum(folded.stacks.values())
        document = json.loads(self.on_host("report", "FILE", "--json", recording=recording))
        self.assertEqual((document["schema"], document["samples"], document["complete"]),
                         ("radon.profile", samples, True))
        self.assertEqual(sum(row["self_samples"] for row in document["functions"]), samples)
        rows = csv.DictReader(io.StringIO(self.on_host("report", "FILE", "--csv",
                                                       recording=recording)))
        spin = [row for row in rows if row["function"] == "spin_here"]
        self.assertEqual(int(spin[0]["total_samples"]), folded.count("spin_here"))
        scope = json.loads(self.on_host("fold", "FILE", "--json", recording=recording))
        self.assertEqual(sum(scope["profiles"][0]["weights"]), samples)
        self.assertEqual(len(scope["profiles"][0]["samples"]),
                         len(scope["profiles"][0]["weights"]))
        for command in (("flame", "FILE"), ("diff", "FILE", "FILE", "-o", "-")):
            picture = xml.dom.minidom.parseString(self.on_host(*command, recording=recording))
            titles = [t.firstChild.data for t in picture.getElementsByTagName("title")]
            self.assertTrue(any(t.startswith("spin_here [%s]" % NAME) for t in titles), titles)
        self.on_host("report", "FILE", recording=recording[:len(recording) // 2], status=5)
        self.on_host("report", "FILE", recording="", status=1)

    def test_a_killed_recorder_leaves_nothing_in_the_way(self):
        text = self.tool(["profile"],
                         "radon-profile record -o /p1 & sleep 1; kill -9 $!; wait $! 2>/dev/null; "
                         "radon-profile record -o /p2 --seconds 0.2; echo status $?; "
                         "radon-profile record -o /p3 -- sh -c 'exit 7'; echo status $?; "
                         "radon-profile record -o /p4 -- /nosuch; echo status $?",
                         clock="tcg")
        self.assertEqual(re.findall(r"status (\d+)", text), ["0", "7", "127"])

    def test_an_event(self):
        """Counters that are believed in and never overflow: what is asked for, said, and ended again."""
        text = self.tool(["profile"],
                         "radon-profile record --event RETIRED_INSTRUCTIONS:u -o /p1 & sleep 1; "
                         "kill -9 $!; wait $! 2>/dev/null; "
                         "radon-profile record --event RETIRED_INSTRUCTIONS:u --period 20011 -o /p2 "
                         "-- sh -c 'exit 7' 2>&1; echo status $?; radon-profile report /p2; "
                         "radon-profile record -o /p3 --seconds 0.2 2>&1", clock="tcg", cpus=2,
                         hv_cmdline="pmu_trust")
        self.assertIn("status 7", text)
        self.assertRegex(text, r"# sampled by: amd64_k8\w*::RETIRED_INSTRUCTIONS:k=0:u=1\S*, "
                               "every 20011 on each CPU\n")
        self.assertRegex(text, r"\n# 0 samples")
        self.assertRegex(text, r"[1-9]\d* samples, 0 records lost, in /p3")

    def test_events_that_cannot_be_had(self):
        """Of another processor; of this one, which has no counter; of no processor; used wrongly."""
        events = ("INST_RETIRED", "RETIRED_INSTRUCTIONS", "RETIRED_INSTRUCTIONS:k",
                  "CPU_CLK_UNHALTED:nonsense", "NONSENSE", "RETIRED_INSTRUCTIONS --timer",
                  "RETIRED_INSTRUCTIONS --period 9999")
        text = self.tool(["profile"], "".join(
            "radon-profile record --event %s -- true 2>&1; echo status $?; " % event
            for event in events) + "radon-profile record -o /p --seconds 0.2 2>&1; echo status $?",
                         clock="tcg")
        parts = re.findall(r"(.*?)status (\d+)\n", text, re.S)
        self.assertEqual([status for _, status in parts],
                         ["1", "1", "1", "2", "2", "2", "2", "0"], text)
        for said, _ in parts[:3]:
            self.assertIn("not supported on this machine", said)
        for said, _ in parts[1:3]:
            self.assertIn("the hypervisor finds no performance counter", said)
        self.assertIn("CPU_CLK_UNHALTED:nonsense", parts[3][0])
        self.assertIn("knows no event NONSENSE", parts[4][0])
        self.assertRegex(parts[-1][0], r"[1-9]\d* samples, 0 records lost")
