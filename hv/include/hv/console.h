/* SPDX-License-Identifier: MIT */
/*
 * The console: where messages go (hv/lib/console.c over hv/x86/serial.c).
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include "hv/types.h"

/* Polled output from the first instruction on: 0x3f8, 115200, 8n1. */
void serial_early_init(void);

/*
 * Write n bytes; "\n" becomes "\r\n".  Any context, also NMI and panic: a lock whose holder does not
 * let go of it for long is ignored.
 */
void console_write(const char *s, size_t n);

/* Input from here on, for domain 0 and the debug console.  After irq_init(). */
void console_init(void);

/* hv/debug/keys.c: a key typed while the hypervisor has the input.  Interrupt context. */
void debug_key(char key);

#endif
