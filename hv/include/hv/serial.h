/* SPDX-License-Identifier: MIT */
/*
 * The 16550 serial port of the hypervisor (hv/x86/serial.c).
 */
#ifndef HV_SERIAL_H
#define HV_SERIAL_H

#include "hv/types.h"

/* See hv/console.h for serial_early_init(). */

/*
 * Take another port or speed: base 0 is no port at all, baud 0 leaves the line as it is; format is
 * the value of the line control register (data bits, stop bits, parity).  clock in Hz.
 */
void serial_configure(uint16_t base, uint32_t baud, uint32_t clock, uint8_t format, uint8_t irq);
/* Line control value for 5-8 data bits, 1-2 stop bits and parity 'n', 'o', 'e', 'm' or 's'. */
uint8_t serial_format(unsigned int data_bits, unsigned int stop_bits, char parity);

/* Bytes as they are.  Waits for the line; gives up on one that takes nothing for long. */
void serial_write(const char *s, size_t n);

/*
 * Receive by interrupt from now on; each byte goes to rx in interrupt context.  After irq_init().
 */
void serial_start_rx(void (*rx)(char c));

/* Whether the port is one of the registers of the hypervisor's line. */
bool serial_owns_port(uint16_t port);

#endif
