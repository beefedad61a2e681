# SPDX-License-Identifier: MIT
# The benchmark programs: static, so that the same file runs on every column.

add_executable(rbench
    bench/src/main.c bench/src/report.c bench/src/sample.c bench/src/counters.c bench/src/net.c
    bench/src/machine.c bench/src/rows.c bench/src/rows_call.c bench/src/rows_signal.c bench/src/rows_process.c
    bench/src/rows_switch.c bench/src/rows_file.c bench/src/rows_memory.c
    bench/src/rows_bandwidth.c bench/src/rows_compute.c)
add_executable(rbench-tiny bench/src/tiny.c)

# The version and not the revision: a commit elsewhere must not change the program that measures.
target_compile_definitions(rbench PRIVATE _GNU_SOURCE RADON_VERSION="${PROJECT_VERSION}")
target_link_libraries(rbench PRIVATE pfm)
# Sets up what the rows of `--rows tracing` compare.
add_executable(rbench-sites bench/src/sites.c)
target_include_directories(rbench-sites PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/hv/include)
target_link_libraries(rbench-sites PRIVATE radon_xen)
foreach(program rbench rbench-tiny rbench-sites)
    target_compile_options(${program} PRIVATE -std=gnu11 -Wall -Wextra -Werror -O2)
    target_link_options(${program} PRIVATE -static -s)
    set_target_properties(${program} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endforeach()
