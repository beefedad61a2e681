# SPDX-License-Identifier: MIT
#
# radon_unpack_object(OUTVAR): build rules for one relocatable object with the kernel unpackers.
#
# hv/boot/unpack*.c and what they use of Debian's static libraries become unpack_libs.o; its full
# path is stored in OUTVAR, to be listed among what the hypervisor is linked from. Only unpack_* is
# global in it, its sections are .init.unpack.{text,rodata,data,bss}, and it needs memcpy, memmove,
# memset and memcmp. Every build checks that; see hv/boot/unpack.h for the rest of the contract.
#
# The file is also a script (cmake -P) that performs the check.

if(CMAKE_SCRIPT_MODE_FILE)
    # -DOBJECT= -DNM= -DREADELF= -DLD=: fails with a message when OBJECT is not fit to be linked in.
    function(tool_output var)
        execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE out RESULT_VARIABLE status)
        if(NOT status EQUAL 0)
            message(FATAL_ERROR "unpackers: failed: ${ARGN}")
        endif()
        set(${var} "${out}" PARENT_SCOPE)
    endfunction()

    # Any line of text that matches the expression is an offence.
    function(refuse what text expression)
        string(REGEX MATCHALL "[^\n]*(${expression})[^\n]*" found "${text}")
        if(found)
            string(REPLACE ";" "\n" found "${found}")
            message(FATAL_ERROR "unpackers: ${what}:\n${found}")
        endif()
    endfunction()

    set(needed memcpy memmove memset memcmp)
    tool_output(undefined ${NM} -u --format=posix ${OBJECT})
    string(REGEX REPLACE "(^|\n)(memcpy|memmove|memset|memcmp|_GLOBAL_OFFSET_TABLE_) [^\n]*" "\\1"
           undefined "${undefined}")
    refuse("undefined symbols" "${undefined}" "[A-Za-z_]")

    tool_output(globals ${NM} -g --defined-only --format=posix ${OBJECT})
    string(REGEX REPLACE "(^|\n)unpack_[^\n]*" "\\1" globals "${globals}")
    refuse("global symbols that are not unpack_*" "${globals}" "[A-Za-z_]")

    tool_output(symbols ${READELF} -sW ${OBJECT})
    refuse("thread-local or indirect symbols" "${symbols}" " (TLS|IFUNC) ")

    # A static link at the hypervisor's address must not need anything below 2 GiB or above -2 GiB.
    tool_output(relocations ${READELF} -rW ${OBJECT})
    refuse("relocations that do not reach a high address" "${relocations}"
           "R_X86_64_(8|16|32|32S|TPOFF|DTPMOD|GOTTPOFF|TLSGD|TLSLD)[^A-Za-z0-9]")

    tool_output(sections ${READELF} -SW ${OBJECT})
    string(REGEX REPLACE "\n[^\n]* \\.init\\.unpack\\.[^\n]*" "" sections "${sections}")
    refuse("loaded sections that keep their names" "${sections}"
           "(PROGBITS|NOBITS|INIT_ARRAY|FINI_ARRAY)[^\n]* [A-Z]*A[A-Z]* ")

    set(defines "")
    foreach(name IN LISTS needed)
        list(APPEND defines --defsym=${name}=0xffff82d080000000)
    endforeach()
    tool_output(ignored ${LD} -static -nostdlib -e unpack_payload ${defines}
                -Ttext-segment=0xffff82d080000000 -o ${OBJECT}.linked ${OBJECT})
    file(REMOVE ${OBJECT}.linked)
    return()
endif()

set(RADON_UNPACK_DIR ${CMAKE_CURRENT_LIST_DIR})

function(radon_unpack_object OUTVAR)
    set(dir ${CMAKE_BINARY_DIR}/hv/boot)
    file(MAKE_DIRECTORY ${dir})
    set(archives "")
    foreach(library lzma z zstd lz4)
        find_library(RADON_STATIC_${library} NAMES lib${library}.a REQUIRED)
        list(APPEND archives ${RADON_STATIC_${library}})
    endforeach()

    # GNU ld, also where CMake has chosen lld: the check needs its options.
    find_program(RADON_GNU_LD NAMES ld.bfd REQUIRED)

    set(headers unpack.h unpack_job.h unpack_arena.h bytes.h)
    list(TRANSFORM headers PREPEND ${RADON_UNPACK_DIR}/)
    set(objects "")
    foreach(name unpack unpack_lzma unpack_text unpack_shim)
        set(source ${RADON_UNPACK_DIR}/${name}.c)
        set(object ${dir}/${name}.o)
        # Compiled here only, even where a target of the directory globs all sources.
        set_source_files_properties(${source} PROPERTIES HEADER_FILE_ONLY TRUE)
        add_custom_command(OUTPUT ${object}
            COMMAND ${CMAKE_C_COMPILER} -std=gnu11 -ffreestanding -fpie -mcmodel=small
                    -fvisibility=hidden -mno-red-zone -mgeneral-regs-only -fno-stack-protector
                    -fno-strict-aliasing -O2 -fcf-protection=none -fno-asynchronous-unwind-tables
                    -Wall -Wextra -Werror -c ${source} -o ${object}
            DEPENDS ${source} ${headers} COMMENT "Building ${name} for the unpackers" VERBATIM)
        list(APPEND objects ${object})
    endforeach()

    set(script ${RADON_UNPACK_DIR}/unpack.lds)
    set(result ${dir}/unpack_libs.o)
    add_custom_command(OUTPUT ${result}
        COMMAND ${RADON_GNU_LD} -r -T ${script} -o ${result}.all ${objects} ${archives}
        COMMAND ${CMAKE_OBJCOPY} --strip-debug -w --keep-global-symbol=unpack_* ${result}.all
                ${result}.new
        COMMAND ${CMAKE_COMMAND} -DOBJECT=${result}.new -DNM=${CMAKE_NM}
                -DREADELF=${CMAKE_READELF} -DLD=${RADON_GNU_LD}
                -P ${RADON_UNPACK_DIR}/unpack.cmake
        COMMAND ${CMAKE_COMMAND} -E rename ${result}.new ${result}
        DEPENDS ${objects} ${script} ${archives} ${RADON_UNPACK_DIR}/unpack.cmake
        COMMENT "Linking the unpackers and checking that they run freestanding" VERBATIM)
    set(${OUTVAR} ${result} PARENT_SCOPE)
endfunction()
