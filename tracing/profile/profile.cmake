# SPDX-License-Identifier: MIT
# radon-profile, static so that it runs in any domain 0.
add_library(radon_profile_data STATIC
    tracing/profile/profile.c tracing/profile/file.c tracing/profile/tree.c tracing/profile/flame.c
    tracing/profile/report.c)
target_compile_options(radon_profile_data PRIVATE -std=gnu11 -Wall -Wextra -Werror)
set_target_properties(radon_profile_data PROPERTIES
    ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)

add_executable(radon-profile tracing/profile/main.c tracing/profile/record.c
    tracing/profile/collect.c tracing/profile/kernel.c tracing/profile/orc.c
    tracing/profile/kcore.c tracing/profile/btf.c tracing/profile/pmu.c)
target_include_directories(radon-profile PRIVATE ${CMAKE_SOURCE_DIR}/hv/include
    ${CMAKE_BINARY_DIR}/hv/include)
target_compile_options(radon-profile PRIVATE -std=gnu11 -Wall -Wextra -Werror)
target_link_libraries(radon-profile PRIVATE radon_profile_data radon_symbols radon_trace_reader
    radon_xen pfm m)
target_link_options(radon-profile PRIVATE -static)
add_dependencies(radon-profile hv_revision)
set_target_properties(radon-profile PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)
