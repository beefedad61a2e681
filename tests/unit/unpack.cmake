# SPDX-License-Identifier: MIT
radon_unit_test(unpack
    SOURCES tests/unit/test_unpack.c tests/unit/pack.c hv/boot/bzimage.c hv/boot/unpack.c
            hv/boot/unpack_lzma.c hv/boot/unpack_text.c hv/boot/elfnote.c hv/boot/elfnote_xen.c
    LIBS lzma z zstd lz4)

# The same test over the object that the hypervisor links: Debian's static libraries with the shim.
radon_unit_test(unpack_object
    SOURCES tests/unit/test_unpack.c tests/unit/pack.c hv/boot/bzimage.c hv/boot/elfnote.c
            hv/boot/elfnote_xen.c
    LIBS ${CMAKE_BINARY_DIR}/hv/boot/unpack_libs.o lzma z zstd lz4)
add_dependencies(unit_unpack_object hv_image)
