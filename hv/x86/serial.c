/* SPDX-License-Identifier: MIT */
/*
 * 16550A UART.  Registers by the National Semiconductor PC16550D data sheet, table II.
 */
#include "hv/serial.h"

#include "hv/asm.h"
#include "hv/console.h"
#include "hv/irq.h"
#include "hv/lib.h"

#define THR 0 /* write */
#define RBR 0 /* read */
#define DLL 0 /* with DLAB */
#define IER 1
#define DLM 1 /* with DLAB */
#define IIR 2 /* read */
#define FCR 2 /* write */
#define LCR 3
#define MCR 4
#define LSR 5
#define SCR 7
#define UART_REGS 8

#define IER_RX        0x01
#define FCR_ENABLE    0x07 /* FIFOs on, both emptied */
#define IIR_FIFO      0xc0
#define IIR_NONE      0x01
#define LCR_DLAB      0x80
#define LCR_8N1       0x03
#define MCR_DTR_RTS   0x03
#define MCR_OUT2      0x08 /* lets the interrupt through to the PC's interrupt controller */
#define LSR_DATA      0x01
#define LSR_THR_EMPTY 0x20

#define FIFO_BYTES 16

/* Looks at LSR before a line that takes nothing is left alone; each is some µs of port I/O. */
#define TX_PATIENCE 200000

static struct {
    uint16_t base;      /* 0 = none */
    uint8_t irq;
    uint8_t fifo;       /* bytes that may be written when the transmitter is empty */
    bool dead;          /* does not transmit: do not wait for it again */
    void (*rx)(char c);
} uart;

static uint8_t reg_in(unsigned int reg)
{
    return inb((uint16_t)(uart.base + reg));
}

static void reg_out(unsigned int reg, uint8_t value)
{
    outb((uint16_t)(uart.base + reg), value);
}

/* A port without a UART reads as ones, or does not keep what is written to the scratch register. */
static bool present(void)
{
    reg_out(SCR, 0x5a);
    if (reg_in(SCR) != 0x5a)
        return false;
    reg_out(SCR, 0xa5);
    return reg_in(SCR) == 0xa5;
}

uint8_t serial_format(unsigned int data_bits, unsigned int stop_bits, char parity)
{
    uint8_t lcr = (uint8_t)(((data_bits - 5) & 3) | (stop_bits == 2 ? 4 : 0));

    switch (parity) {
    case 'o':
        return lcr | 0x08;
    case 'e':
        return lcr | 0x18;
    case 'm':
        return lcr | 0x28;
    case 's':
        return lcr | 0x38;
    default:
        return lcr;
    }
}

void serial_configure(uint16_t base, uint32_t baud, uint32_t clock, uint8_t format, uint8_t irq)
{
    uart.base = base;
    uart.irq = irq;
    uart.dead = false;
    if (!base)
        return;
    if (!present()) {
        uart.base = 0;
        return;
    }
    reg_out(IER, 0);
    if (baud) {
        uint32_t divisor = MAX(clock / 16 / baud, 1u);

        reg_out(LCR, format | LCR_DLAB);
        reg_out(DLL, (uint8_t)divisor);
        reg_out(DLM, (uint8_t)(divisor >> 8));
        reg_out(LCR, format);
    }
    reg_out(FCR, FCR_ENABLE);
    reg_out(MCR, MCR_DTR_RTS);
    uart.fifo = (reg_in(IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_BYTES : 1;
}

void serial_early_init(void)
{
    serial_configure(0x3f8, 115200, 1843200, LCR_8N1, 4);
}

static bool wait_tx(void)
{
    if (uart.dead)
        return false;
    for (unsigned int i = 0; i < TX_PATIENCE; i++) {
        if (reg_in(LSR) & LSR_THR_EMPTY)
            return true;
        cpu_relax();
    }
    uart.dead = true;
    return false;
}

/* The empty transmitter takes a whole FIFO, so the status is read once for as many bytes. */
void serial_write(const char *s, size_t n)
{
    while (uart.base && n) {
        size_t burst = MIN(n, (size_t)uart.fifo);

        if (!wait_tx())
            return;
        n -= burst;
        while (burst--)
            reg_out(THR, (uint8_t)*s++);
    }
}

/* At most a FIFO or two at a time, lest a line that always has data keeps the CPU. */
static void rx_interrupt(void *arg)
{
    (void)arg;
    for (unsigned int i = 0; i < 4 * FIFO_BYTES && (reg_in(LSR) & LSR_DATA); i++)
        uart.rx((char)reg_in(RBR));
    (void)reg_in(IIR);
}

void serial_start_rx(void (*rx)(char c))
{
    if (!uart.base || !uart.irq)
        return;
    uart.rx = rx;
    if (irq_request_isa(uart.irq, rx_interrupt, NULL)) {
        hv_log(LOG_WARN, "serial: no interrupt %u, no input\n", uart.irq);
        return;
    }
    reg_out(MCR, MCR_DTR_RTS | MCR_OUT2);
    reg_out(IER, IER_RX);
    /* What came before is an edge that nobody saw. */
    rx_interrupt(NULL);
}

bool serial_owns_port(uint16_t port)
{
    return uart.base && port >= uart.base && port < uart.base + UART_REGS;
}
