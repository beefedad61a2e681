/* SPDX-License-Identifier: MIT */
/* Bounds of the image, from the linker script. */
#ifndef HV_IMAGE_H
#define HV_IMAGE_H

extern char __image_start[], __text_start[], __rodata_start[], __data_start[], __init_start[],
    __init_end[], __load_end[], __image_end[];

#endif
