# SPDX-License-Identifier: MIT
set(profile_lib
    fastpath/profile/ops.c fastpath/profile/names.c fastpath/profile/table.c fastpath/profile/log.c
    fastpath/profile/policy.c fastpath/profile/handler_file.c fastpath/core/program.c
    fastpath/core/refusal.c fastpath/load/object.c)
foreach(name prof_rank prof_record prof_watch prof_explain)
    radon_unit_test(${name} SOURCES tests/unit/test_${name}.c tests/unit/prof_daemon.c
            tests/unit/prof_fake.c fastpath/profile/prof.c
            fastpath/profile/rank.c fastpath/profile/record.c fastpath/profile/make.c
            fastpath/profile/watch.c fastpath/profile/keep.c fastpath/profile/explain.c
            ${profile_lib}
        INCLUDES . fastpath/core DEFINES _GNU_SOURCE)
endforeach()
radon_unit_test(profile_files SOURCES tests/unit/test_profile_files.c ${profile_lib}
    INCLUDES . fastpath/core DEFINES _GNU_SOURCE)
foreach(name prof_rank prof_record prof_watch prof_explain profile_files)
    target_include_directories(unit_${name} PRIVATE ${CMAKE_BINARY_DIR}/hv/include
        ${CMAKE_BINARY_DIR}/fastpath/include)
    add_dependencies(unit_${name} radon_profile)
endforeach()
