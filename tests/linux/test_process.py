# SPDX-License-Identifier: MIT
"""Kinds of processes and clocks: 32-bit code, the vDSO, CPUs that go and come."""

from . import common


class Process(common.Case):
    def test_32_bit(self):
        program = common.compile_program("process32", "-m32", "-nostdlib", "-ffreestanding",
                                         "-fno-pic", "-no-pie", "-fno-stack-protector",
                                         "-mgeneral-regs-only", "-Wno-array-bounds")
        text = self.run_ok("/process32; test $? = 5", adds=[(program, "/process32")])
        self.assertEqual(text, "int80 vdso fork fault end\n")

    def test_breakpoint_on_what_the_hypervisor_reads(self):
        program = common.compile_program("data_breakpoint")
        self.assertEqual(self.run_ok("/data_breakpoint", adds=[(program, "/data_breakpoint")]),
                         "signal\n")

    def test_ports_of_a_process(self):
        program = common.compile_program("ioperm")
        self.assertEqual(self.run_ok("/ioperm", adds=[(program, "/ioperm")]),
                         "80 refused\n80 open\n81 refused\n81 open\n")

    def test_local_descriptor_tables(self):
        program = common.compile_program("ldt", "-static", "-no-pie")
        self.assertEqual(self.run_ok("/ldt", adds=[(program, "/ldt")]),
                         "11111111 22222222\nchild 0, 11111111\n")

    def test_clock_without_system_calls(self):
        program = common.compile_program("vdso_clock")
        strict = "" if common.ON == "xen" else "strict"  # Xen: only where it calls the TSC stable
        for cpus in (1, 4):
            self.run_ok("cat /sys/devices/system/clocksource/clocksource0/current_clocksource; "
                        "/vdso_clock " + strict, cpus=cpus, adds=[(program, "/vdso_clock")])

    def test_sleep_takes_its_time(self):
        text = self.run_ok("a=$(cut -d' ' -f1 /proc/uptime); sleep 2; b=$(cut -d' ' -f1 /proc/uptime); "
                           "echo $a $b", clock="instr")
        before, after = (float(word) for word in text.split())
        self.assertTrue(2.0 <= after - before < 2.2, text)

    def test_wall_clock(self):
        text = self.run_ok("date +%s", clock="instr")
        self.assertTrue(0 <= int(text) - 1767225600 < 120, text)  # 2026-01-01, where the RTC starts

    def test_cpus_go_and_come(self):
        text = self.run_ok(
            "cd /sys/devices/system/cpu; for round in 1 2 3; do "
            "for c in 1 2 3; do echo 0 > cpu$c/online || exit 1; done; nproc; "
            "for c in 3 1 2; do echo 1 > cpu$c/online || exit 1; done; nproc; done; "
            "for c in 1 2 3; do taskset $((1 << c)) sh -c ':' || exit 1; done; "
            "dmesg | grep -E 'WARNING|BUG|Oops|Call Trace' && exit 1; exit 0", cpus=4)
        self.assertEqual(text.split(), ["1", "4"] * 3)

    def test_cpu_goes_under_load(self):
        self.run_ok("(while :; do :; done) & (while :; do ls -lR /sys > /dev/null; done) & "
                    "for round in 1 2 3; do echo 0 > /sys/devices/system/cpu/cpu1/online || exit 1; "
                    "sleep 0.5; echo 1 > /sys/devices/system/cpu/cpu1/online || exit 1; sleep 0.5; "
                    "done; ! dmesg | grep -E 'WARNING|BUG|Oops|Call Trace'", cpus=2)
