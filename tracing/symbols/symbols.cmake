# SPDX-License-Identifier: MIT
# Symbols of guests, programs and the hypervisor.
add_library(radon_symbols STATIC
    tracing/symbols/symtab.c tracing/symbols/kallsyms.c tracing/symbols/kallsyms_image.c
    tracing/symbols/elfsyms.c
    tracing/symbols/maps.c tracing/symbols/user.c tracing/symbols/hvsyms.c)
target_compile_options(radon_symbols PRIVATE -std=gnu11 -Wall -Wextra -Werror)
target_link_libraries(radon_symbols PUBLIC elf z)
set_target_properties(radon_symbols PROPERTIES
    ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tracing)
