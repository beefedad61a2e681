# SPDX-License-Identifier: MIT
"""Handlers written by hand in C: compiled against the guest kernel's offsets, loaded in domain 0, they
answer as the guest kernel does, whatever becomes of the state that they read (handlers.c)."""

import glob
import json
import os
import shutil
import subprocess
import unittest

from guest.machine import build, kernel
from guest.machine.paths import BUILD, ROOT

from . import common

EXAMPLES = ("getppid", "getuid", "umask")
FOLDER = os.path.join(BUILD, "tests", "handlers")
TOOL = os.path.join(BUILD, "fastpath", "radon-handler")
CLANG = shutil.which("clang") or shutil.which("clang-14")
LOOP = """#include "program.h"
RADON_SYSCALL(39) int loop(struct fast_ctx *ctx)
{
    uint64_t sum = 0;
    for (uint64_t at = ctx->rdi; at; at--)
        sum += radon_load64(at);
    ctx->rax = sum;
    return FAST_DONE;
}
"""


# umask, wrongly, and in 4 us.
SLOW = """#include "program.h"
RADON_SYSCALL(95) int slow(struct fast_ctx *ctx)
{
    uint64_t a = ctx->rdi | 1;
#pragma unroll
    for (int i = 0; i < 1900; i++)
        a = a * a + i;
    ctx->rax = a;
    return FAST_DONE;
}
"""


def compile_handler(source, target):
    subprocess.run([CLANG, "-O2", "-Wall", "-Wextra", "-Werror", "-target", "bpf", "-ffreestanding",
                    "-I" + os.path.join(ROOT, "fastpath", "core"), "-I" + FOLDER, "-c", source,
                    "-o", target], check=True)


def make_examples():
    """kernel.h of the guest's kernel, and an object of each example."""
    build.build_tree()
    os.makedirs(FOLDER, exist_ok=True)
    handlers = os.path.join(ROOT, "fastpath", "handlers", "examples")
    with open(os.path.join(FOLDER, "kernel.h"), "w", encoding="ascii") as header:
        subprocess.run([os.path.join(BUILD, "fastpath", "radon-btf"), "--from",
                        kernel.elf(kernel.newest()), "--list", os.path.join(handlers, "offsets.list")],
                       stdout=header, check=True)
    for name in (*EXAMPLES, "version"):
        compile_handler(os.path.join(handlers, name + ".c"), os.path.join(FOLDER, name + ".o"))
    with open(os.path.join(FOLDER, "loop.c"), "w", encoding="ascii") as file:
        file.write(LOOP)
    compile_handler(os.path.join(FOLDER, "loop.c"), os.path.join(FOLDER, "loop.o"))


@unittest.skipUnless(CLANG, "clang is not installed")
class Handler(common.Case):
    @classmethod
    def setUpClass(cls):
        make_examples()

    def guest(self, script, more=(), **settings):
        """The JSON documents and lines that the script prints, with the tool and the objects there."""
        module = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/xen-privcmd.ko"))[-1]
        adds = [(TOOL, "/bin/radon-handler"), (FOLDER, "/h"), (module, "/privcmd.ko"),
                (common.compile_program("handlers", "-pthread"), "/handlers"), *more]
        return self.run_ok("insmod /privcmd.ko && " + script, adds=adds, **settings)

    def rows(self, text):
        return {row["name"]: row for row in json.loads(text)["rows"]}

    def answers(self, cpus):
        load = "; ".join("radon-handler load --now /h/%s.o >&2" % name for name in EXAMPLES)
        text = self.guest("/handlers > /before && %s; /handlers > /after; echo ---; cat /before; "
                          "echo ---; cat /after; echo ---; radon-handler list --json" % load, cpus=cpus)
        _, before, after, listed = text.split("---\n")
        self.assertEqual(before.count(": right\n"), 8)
        self.assertNotIn("wrong", before)
        self.assertEqual(before, after)
        rows = self.rows(listed)
        for name in EXAMPLES:
            self.assertEqual(rows[name]["state"], "active")
            self.assertGreater(rows[name]["hits"], 1000, name)

    def test_answers_1_cpu(self):
        self.answers(1)

    def test_answers_2_cpus(self):
        self.answers(2)

    def test_managed(self):
        text = self.guest(
            "radon-handler load --now /h/getppid.o; radon-handler export 1 -o /tmp/x.o; "
            "radon-handler disable 1; radon-handler remove 1; radon-handler load --now /tmp/x.o; "
            "radon-handler dump 2 | grep -c 'call load'; echo ---; radon-handler list --json; "
            "echo ---; radon-handler off; radon-handler load --now /h/getuid.o; echo $?; "
            "radon-handler list --csv; radon-handler on; radon-handler load --now /h/getuid.o")
        first, listed, off = text.split("---\n")
        lines = first.split()
        self.assertEqual(lines[:2], ["1", "2"])
        self.assertGreater(int(lines[2]), 5)
        self.assertEqual([row["id"] for row in json.loads(listed)["rows"]], [2])
        self.assertEqual(self.rows(listed)["getppid"]["state"], "active")
        self.assertRegex(off, r"\A1\n(.*\n)2,Domain-0,syscall:getppid,getppid,retired,SWITCHED_OFF,"
                              r".*\n3\n\Z")

    def test_hypercall(self):
        """Attached to a hypercall: Linux sees the same of its hypervisor, events come, it is listed."""
        show = ("cd /sys/hypervisor; cat version/* properties/features type; ls -lR /sys >/dev/null; "
                "sleep 0.2")
        text = self.guest(
            "radon-handler load /h/version.o; echo $?; radon-handler verify /h/version.o >&2; "
            "radon-handler load --now --budget 500 /h/version.o; (%s); echo ---; radon-handler list --json; "
            "echo ---; radon-handler show 1 --json; radon-handler remove 1; echo ---; (%s)" % (show, show))
        before, listed, shown, after = text.split("---\n")
        self.assertEqual(before, "1\n1\n" + after)
        row = self.rows(listed)["version"]
        self.assertEqual((row["point"], row["state"]), ("hypercall:xen_version", "active"))
        self.assertGreater(row["hits"], 1)
        self.assertGreater(row["passes"], 1)
        values = {line["name"]: line["value"] for line in json.loads(shown)["rows"]}
        self.assertAlmostEqual(values["budget_ns"], 500000, delta=5000)
        self.assertLess(values["longest_run_ns"], 500000)

    def test_budget(self):
        """A handler that overruns its budget is retired, and the guest goes on as if it had passed."""
        with open(os.path.join(FOLDER, "slow.c"), "w", encoding="ascii") as file:
            file.write(SLOW)
        compile_handler(os.path.join(FOLDER, "slow.c"), os.path.join(FOLDER, "slow.o"))
        text = self.guest("radon-handler load --now --budget 1 /h/slow.o; umask 22; umask 22; umask 27; "
                          "umask; umask 35; umask; radon-handler list --json", clock="instr")
        first, second, third, listed = text.split("\n", 3)
        self.assertEqual((first, second, third), ("1", "0027", "0035"))
        row = self.rows(listed)["slow"]
        self.assertEqual((row["state"], row["reason"]), ("retired", "BUDGET"))
        self.assertEqual((row["hits"], row["passes"]), (2, 1))

    def test_events(self):
        """radon-trace shows hits, passes and states by name, with handler and attach point."""
        module = sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/xen-evtchn.ko"))[-1]
        text = self.guest(
            "insmod /evtchn.ko; radon-trace record -e 'fast:*' -o /t -- /bin/sh -c '"
            "radon-handler load --now /h/umask.o; umask 22; umask 27; radon-handler remove 1' >/dev/null; "
            "radon-trace dump /t", more=[(module, "/evtchn.ko"),
                                         (os.path.join(BUILD, "tracing", "radon-trace"), "/bin/radon-trace")])
        lines = [line for line in text.splitlines() if "fast:" in line]
        self.assertRegex(lines[0], r"fast:install .*handler=1 .*kind=syscall number=95 ")
        self.assertRegex(lines[1], r"fast:state .*handler=1 kind=syscall number=95 .*now=active")
        hits = [line for line in lines if "fast:hit" in line]
        self.assertGreater(len(hits), 3)
        self.assertRegex(hits[0], r"handler=1 kind=syscall number=95 address=0x?0* cycles=[1-9]")
        self.assertRegex(lines[-1], r"fast:state .*was=active now=retired reason=removed")

    def test_refused(self):
        result = self.boot("insmod /privcmd.ko; radon-handler load --now /h/loop.o; echo $?; "
                           "head -c 100 /h/getppid.o > /cut.o; radon-handler load /cut.o; echo $?; "
                           "radon-handler load /nosuch; echo $?; radon-handler show 5; echo $?; "
                           "radon-handler enable x; echo $?; radon-handler; echo $?; "
                           "radon-handler list",
                           adds=[(TOOL, "/bin/radon-handler"), (FOLDER, "/h"),
                                 (sorted(glob.glob("/lib/modules/*-amd64/kernel/drivers/xen/"
                                                   "xen-privcmd.ko"))[-1], "/privcmd.ko")])
        self.assertEqual(result.stdout.decode().split("\n"),
                         ["4", "1", "1", "1", "1", "2", "no handlers", ""], result.stderr)
        self.assertRegex(result.stderr.decode(), r"flow: the jump goes backward.*\[JUMP_BACK\]\n"
                                                 r"  where: instruction \d+.*\n(.*\n)*  to do: ")

    def test_verify_on_the_host(self):
        def verify(name, *options):
            return subprocess.run([TOOL, "verify", os.path.join(FOLDER, name), *options],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

        done = verify("umask.o", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rows(done.stdout)["umask"]["verdict"], "accepted")
        done = verify("loop.o", "--json")
        self.assertEqual(done.returncode, 4)
        self.assertEqual(self.rows(done.stdout)["loop"]["reason"], "JUMP_BACK")
        self.assertEqual(verify("loop.c").returncode, 4)
        self.assertEqual(verify("nosuch").returncode, 1)
