# SPDX-License-Identifier: MIT
set(fast_core
    fastpath/core/disasm.c fastpath/core/emit_x86.c fastpath/core/helpers.c fastpath/core/interp.c
    fastpath/core/isa.c fastpath/core/isa_alu.c fastpath/core/jit_alu.c fastpath/core/jit_call.c fastpath/core/jit_compare.c fastpath/core/jit_flow.c fastpath/core/jit_guest.c fastpath/core/jit_lean.c fastpath/core/jit_lean_plan.c fastpath/core/jit_lean_take.c
    fastpath/core/jit_x86.c
    fastpath/core/program.c fastpath/core/refusal.c fastpath/core/run.c fastpath/core/text.c
    fastpath/core/verdict.c fastpath/core/verifier.c fastpath/core/verify_alu.c
    fastpath/core/verify_flow.c fastpath/core/verify_memory.c fastpath/core/verify_state.c)
set(fast_load fastpath/load/asm.c fastpath/load/object.c)
foreach(name engines guest verifier programs object)
    radon_unit_test(fast_${name}
        SOURCES tests/unit/test_fast_${name}.c tests/unit/fast_world.c tests/unit/fast_random.c
            tests/unit/real_memory.c
            ${fast_core} ${fast_load}
        INCLUDES fastpath/core fastpath/load)
endforeach()
