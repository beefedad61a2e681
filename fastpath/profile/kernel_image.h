/* SPDX-License-Identifier: MIT */
/* A kernel's ELF file and its System.map, for work on captures away from the machine. */
#ifndef PROFILE_KERNEL_IMAGE_H
#define PROFILE_KERNEL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_image;

/* Either path may be NULL. NULL with the reason in error. */
struct kernel_image *kernel_image_open(const char *elf, const char *map, char *error, size_t size);
void kernel_image_close(struct kernel_image *k);

/* Text and read-only data (of a file: as linked); false for all else. As synth_input.ro_read. */
bool kernel_image_read(void *image, uint64_t address, void *buffer, size_t n);
/* As synth_input.symbol. */
const char *kernel_image_symbol(void *image, uint64_t address, uint64_t *offset);
/* The value of a symbol; false: there is none of that name. */
bool kernel_image_value(const struct kernel_image *k, const char *name, uint64_t *value);

#endif
