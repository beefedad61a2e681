# SPDX-License-Identifier: MIT
# hv/mm on the host: tests/unit/mm_shim.h stands in for the machine.
set(MM_SOURCES tests/unit/mm_shim.c tests/unit/trace_shim.c hv/mm/heap.c hv/mm/hv_alloc.c hv/mm/frames.c
    hv/mm/domain_pages.c hv/mm/refs.c hv/mm/tlb.c hv/mm/flush.c hv/mm/tables.c hv/mm/update.c
    hv/mm/walk.c hv/mm/va_mapping.c hv/mm/mmuext.c hv/mm/memory_op.c hv/mm/reservation.c
    hv/grant/table.c hv/grant/access.c hv/grant/map.c hv/grant/copy.c)

function(radon_mm_test name)
    radon_unit_test(${name} SOURCES ${ARGN} ${MM_SOURCES})
    target_compile_options(unit_${name} PRIVATE
        -include ${CMAKE_SOURCE_DIR}/tests/unit/mm_shim.h)
endfunction()

radon_mm_test(pagetype tests/unit/test_pagetype.c tests/unit/pagetype_model.c)
radon_mm_test(mm_alloc tests/unit/test_alloc.c)
radon_mm_test(grant tests/unit/test_grant.c)
