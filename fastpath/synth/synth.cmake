# SPDX-License-Identifier: MIT
# Synthesis of fast handlers: the library, and radon-synth for captures in files.
set(synth_sources
    fastpath/synth/alias.c fastpath/synth/align.c fastpath/synth/apart.c fastpath/synth/assume.c fastpath/synth/blob.c fastpath/synth/concrete.c fastpath/synth/dead.c fastpath/synth/delay.c fastpath/synth/emit.c
    fastpath/synth/entry.c fastpath/synth/explain.c fastpath/synth/flags.c fastpath/synth/graph.c
    fastpath/synth/graph_fold.c fastpath/synth/hypercall.c fastpath/synth/imply.c fastpath/synth/insn_arith.c fastpath/synth/insn_flow.c
    fastpath/synth/insn_move.c fastpath/synth/insn_muldiv.c fastpath/synth/insn_shift.c
    fastpath/synth/insn_string.c fastpath/synth/known.c fastpath/synth/lift.c fastpath/synth/memory.c fastpath/synth/merge.c
    fastpath/synth/operands.c fastpath/synth/order.c fastpath/synth/path.c fastpath/synth/place.c fastpath/synth/record.c fastpath/synth/regs.c
    fastpath/synth/schedule.c fastpath/synth/synth.c fastpath/synth/witness.c)

# Its user links Zydis and the handler core.
add_library(radon_synth STATIC ${synth_sources})
target_include_directories(radon_synth PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/fastpath/core
    ${CMAKE_SOURCE_DIR}/fastpath/synth)
target_compile_options(radon_synth PRIVATE -std=gnu11 -Wall -Wextra -Werror)
set_target_properties(radon_synth PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fastpath)
if(COMMAND profile_program)
    profile_program(radon-synth fastpath/profile/synth_main.c fastpath/profile/kernel_image.c)
    target_link_libraries(radon-synth PRIVATE radon_synth radon_profile Zydis)
endif()
