/* SPDX-License-Identifier: MIT */
/*
 * The image: linked at HV_IMAGE_BASE, loaded flat at HV_LOAD_PADDR.  What is only needed at boot
 * (.init*, with the payload unpackers) comes last, so that its memory can be given back.
 */
#include "hv/config.h"

OUTPUT_FORMAT(elf64-x86-64)
ENTRY(_start)

SECTIONS
{
    . = HV_IMAGE_BASE;
    __image_start = .;
    .text : {
        KEEP(*(.head))
        *(.head_data)
        . = ALIGN(4096);
        __text_start = .;
        *(.text .text.*)
    }
    . = ALIGN(4096);
    __rodata_start = .;
    .rodata : {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        __ex_table_start = .;
        KEEP(*(__ex_table))
        __ex_table_end = .;
        *(.symtab_hv)
    }
    .note : { *(.note.*) }
    . = ALIGN(4096);
    __data_start = .;
    .data : { *(.data .data.*) *(.got .got.*) }
    . = ALIGN(4096);
    __init_start = .;
    .init : {
        *(.init.text) *(.init.unpack.text*)
        . = ALIGN(4096);
        *(.init.data) *(.init.rodata) *(.init.unpack.*)
        . = ALIGN(4096);
    }
    __init_end = .;
    __load_end = .;
    .bss (NOLOAD) : {
        *(.bss.page_aligned)
        *(.bss .bss.*)
        *(COMMON)
        . = ALIGN(4096);
    }
    __image_end = .;
    /DISCARD/ : { *(.comment) *(.eh_frame*) *(.gnu.*) *(.interp) *(.dynamic) *(.dynsym) *(.dynstr) *(.hash) }
}
