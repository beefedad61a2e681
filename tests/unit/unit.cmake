# SPDX-License-Identifier: MIT
# Host unit tests: cmocka, address and undefined-behaviour sanitizers.
#
#   radon_unit_test(NAME SOURCES file... [LIBS lib...] [DEFINES def...] [INCLUDES dir...])
#
# Paths are relative to the root of the tree.  Every tests/unit/*.cmake is a fragment with calls.
option(RADON_UNIT_PLAIN "Compile the unit tests for their warnings, not to be run: in half the time" OFF)
set(RADON_UNIT_FLAGS -Wall -Wextra -Werror)
if(NOT RADON_UNIT_PLAIN)
    list(APPEND RADON_UNIT_FLAGS -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
endif()

function(radon_unit_test name)
    cmake_parse_arguments(T "" "" "SOURCES;LIBS;DEFINES;INCLUDES" ${ARGN})
    list(TRANSFORM T_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/)
    list(TRANSFORM T_INCLUDES PREPEND ${CMAKE_SOURCE_DIR}/)
    add_executable(unit_${name} ${T_SOURCES})
    target_include_directories(unit_${name} PRIVATE
        ${CMAKE_SOURCE_DIR}/hv/include ${CMAKE_SOURCE_DIR}/hv ${CMAKE_SOURCE_DIR}/tests/unit
        ${T_INCLUDES})
    target_compile_definitions(unit_${name} PRIVATE HV_UNIT_TEST=1 ${T_DEFINES})
    target_compile_options(unit_${name} PRIVATE ${RADON_UNIT_FLAGS})
    target_link_options(unit_${name} PRIVATE -fsanitize=address,undefined)
    target_link_libraries(unit_${name} PRIVATE cmocka ${T_LIBS})
    set_target_properties(unit_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
    add_test(NAME unit_${name} COMMAND unit_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(unit_${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()

file(GLOB unit_fragments CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*.cmake)
foreach(fragment ${unit_fragments})
    if(NOT fragment STREQUAL ${CMAKE_CURRENT_LIST_FILE})
        include(${fragment})
    endif()
endforeach()
