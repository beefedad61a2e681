# SPDX-License-Identifier: MIT
# radon-btf, static: it runs in any domain 0 and on the host.  The examples are compiled against the
# offsets of one kernel and so are no part of the build: docs/handlers-tutorial.md.
add_executable(radon-btf fastpath/handlers/btf_main.c fastpath/handlers/btf.c)
add_dependencies(radon-btf hv_revision)
target_include_directories(radon-btf PRIVATE ${CMAKE_BINARY_DIR}/hv/include)
target_compile_options(radon-btf PRIVATE -std=gnu11 -Wall -Wextra -Werror)
target_link_options(radon-btf PRIVATE -static)
set_target_properties(radon-btf PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fastpath)
