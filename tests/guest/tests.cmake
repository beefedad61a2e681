# SPDX-License-Identifier: MIT
# Test kernels: every folder with a main.c becomes build/tests/guest/<folder>.elf.
# Included by the top CMakeLists.txt; target guest-tests builds them all.

enable_language(ASM)
set(GUEST_KTEST_DIR ${CMAKE_SOURCE_DIR}/guest/ktest)
set(GUEST_TESTS_OUT ${CMAKE_BINARY_DIR}/tests/guest)
set(GUEST_TEST_FLAGS -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel
    -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-strict-aliasing
    -fno-asynchronous-unwind-tables -fcf-protection=none -fno-builtin-printf
    -Wall -Wextra -Werror -Wno-missing-field-initializers -I${GUEST_KTEST_DIR}
    -I${CMAKE_SOURCE_DIR}/hv/include -I${CMAKE_SOURCE_DIR}/fastpath/core)

file(GLOB GUEST_KTEST_SOURCES CONFIGURE_DEPENDS ${GUEST_KTEST_DIR}/*.c ${GUEST_KTEST_DIR}/*.S)
file(GLOB GUEST_TEST_MAINS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/guest/*/main.c)

add_library(ktest OBJECT EXCLUDE_FROM_ALL ${GUEST_KTEST_SOURCES})
target_compile_options(ktest PRIVATE $<$<COMPILE_LANGUAGE:C>:${GUEST_TEST_FLAGS}>
    $<$<COMPILE_LANGUAGE:ASM>:-g -I${GUEST_KTEST_DIR}>)

add_custom_target(guest-tests ALL)
foreach(main IN LISTS GUEST_TEST_MAINS)
    get_filename_component(folder ${main} DIRECTORY)
    get_filename_component(name ${folder} NAME)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c ${folder}/*.S)
    add_executable(guest-${name} EXCLUDE_FROM_ALL ${sources} $<TARGET_OBJECTS:ktest>)
    set_target_properties(guest-${name} PROPERTIES OUTPUT_NAME ${name}.elf
        RUNTIME_OUTPUT_DIRECTORY ${GUEST_TESTS_OUT} LINK_DEPENDS ${GUEST_KTEST_DIR}/ktest.lds)
    target_compile_options(guest-${name} PRIVATE $<$<COMPILE_LANGUAGE:C>:${GUEST_TEST_FLAGS}>
        $<$<COMPILE_LANGUAGE:ASM>:-g -I${GUEST_KTEST_DIR}>)
    target_link_options(guest-${name} PRIVATE -nostdlib -static
        -Wl,-T,${GUEST_KTEST_DIR}/ktest.lds -Wl,--build-id=none -Wl,-z,max-page-size=4096
        -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments)
    add_dependencies(guest-tests guest-${name})
endforeach()
