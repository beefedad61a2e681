# SPDX-License-Identifier: MIT
radon_unit_test(bench
    SOURCES tests/unit/test_bench.c bench/src/rows.c bench/src/report.c bench/src/sample.c
        bench/src/counters.c bench/src/net.c bench/src/machine.c bench/src/rows_call.c bench/src/rows_signal.c
        bench/src/rows_process.c bench/src/rows_switch.c bench/src/rows_file.c
        bench/src/rows_memory.c bench/src/rows_bandwidth.c bench/src/rows_compute.c
    LIBS pfm
    DEFINES _GNU_SOURCE RADON_VERSION="test"
    INCLUDES bench/src)
