/* SPDX-License-Identifier: MIT */
/*
 * The console: output of the hypervisor and of guests (console_io), input for domain 0 and for the
 * debug console.
 */
#include "hv/console.h"

#include "hv/domain.h"
#include "hv/event.h"
#include "hv/guest.h"
#include "hv/hypercall.h"
#include "hv/lib.h"
#include "hv/serial.h"
#include "hv/spinlock.h"

/* ------------------------------------------------------------------ output */

/* Some tens of milliseconds: longer than anybody holds the lock who has not died with it. */
#define LOCK_PATIENCE 1000000

static spinlock_t output_lock;

static bool lock_output(void)
{
    for (unsigned int i = 0; i < LOCK_PATIENCE; i++) {
        if (spin_trylock(&output_lock))
            return true;
        __builtin_ia32_pause();
    }
    return false;
}

/* Output lock held (or broken). */
static void put_lines(const char *s, size_t n)
{
    while (n) {
        size_t len = 0;

        while (len < n && s[len] != '\n')
            len++;
        serial_write(s, len);
        if (len < n) {
            serial_write("\r\n", 2);
            len++;
        }
        s += len;
        n -= len;
    }
}

void console_write(const char *s, size_t n)
{
    bool locked = lock_output();

    put_lines(s, n);
    if (locked)
        spin_unlock(&output_lock);
}

/* ------------------------------------------------------------------ other domains' output */

#define GUEST_LINE  120
#define GUEST_LINES 8

/* Lines that domains have begun; one is free when it is empty. */
static struct {
    uint16_t domid;
    uint16_t len;
    char text[GUEST_LINE];
} guest_line[GUEST_LINES];

/* Output lock held. */
static void flush_guest_line(unsigned int i)
{
    char prefix[16];
    int n = snprintf(prefix, sizeof(prefix), "(d%u) ", guest_line[i].domid);

    put_lines(prefix, (size_t)n);
    put_lines(guest_line[i].text, guest_line[i].len);
    put_lines("\n", 1);
    guest_line[i].len = 0;
}

static unsigned int guest_line_of(uint16_t domid)
{
    unsigned int slot = domid % GUEST_LINES;

    for (unsigned int i = 0; i < GUEST_LINES; i++) {
        if (guest_line[i].len && guest_line[i].domid == domid)
            return i;
        if (!guest_line[i].len)
            slot = i;
    }
    if (guest_line[slot].len)
        flush_guest_line(slot);
    guest_line[slot].domid = domid;
    return slot;
}

static bool printable(char c)
{
    return (c >= ' ' && c <= '~') || c == '\t';
}

/* Whole lines, each with the domain's number; what could upset a terminal is left out. */
static void write_guest(uint16_t domid, const char *s, size_t n)
{
    bool locked = lock_output();

    for (size_t at = 0; at < n; at++) {
        unsigned int i = guest_line_of(domid);

        if (printable(s[at]))
            guest_line[i].text[guest_line[i].len++] = s[at];
        if (s[at] == '\n' || guest_line[i].len == GUEST_LINE)
            flush_guest_line(i);
    }
    if (locked)
        spin_unlock(&output_lock);
}

/* ------------------------------------------------------------------ input */

#define INPUT_BYTES 1024 /* a power of two */

static struct {
    spinlock_t lock;
    uint32_t produced, consumed; /* run freely; the difference is what is there */
    char ring[INPUT_BYTES];
} input;

#define SWITCH_KEY   1 /* Ctrl-A */
#define SWITCH_TIMES 3

static bool input_to_hv;
static unsigned int switch_seen;

static void input_put(char c)
{
    spin_lock(&input.lock);
    if (input.produced - input.consumed < INPUT_BYTES)
        input.ring[input.produced++ % INPUT_BYTES] = c;
    spin_unlock(&input.lock);
    evtchn_send_global_virq(dom0, VIRQ_CONSOLE);
}

static size_t input_take(char *to, size_t n)
{
    size_t taken = 0;

    spin_lock(&input.lock);
    while (taken < n && input.consumed != input.produced)
        to[taken++] = input.ring[input.consumed++ % INPUT_BYTES];
    spin_unlock(&input.lock);
    return taken;
}

static void switch_input(void)
{
    input_to_hv = !input_to_hv;
    printk("\n");
    printk("input goes to %s (Ctrl-A three times to switch%s)\n",
           input_to_hv ? "the hypervisor" : "domain 0", input_to_hv ? ", h for help" : "");
}

/* Ctrl-A is passed on to domain 0 when another key follows before the third. */
static void receive(char c)
{
    if (c == SWITCH_KEY) {
        if (++switch_seen == SWITCH_TIMES) {
            switch_seen = 0;
            switch_input();
        }
        return;
    }
    for (; switch_seen; switch_seen--) {
        if (!input_to_hv)
            input_put(SWITCH_KEY);
    }
    if (input_to_hv)
        debug_key(c);
    else
        input_put(c);
}

void console_init(void)
{
    serial_start_rx(receive);
}

/* ------------------------------------------------------------------ console_io */

#define CHUNK 256

static long io_write(struct domain *d, uint64_t va, size_t count)
{
    char chunk[CHUNK];

    while (count) {
        size_t n = MIN(count, (size_t)CHUNK);

        if (copy_from_guest_va(chunk, va, n))
            return -XEN_EFAULT;
        if (d->privileged)
            console_write(chunk, n);
        else
            write_guest(d->id, chunk, n);
        va += n;
        count -= n;
        if (count)
            preempt_point();
    }
    return 0;
}

/* What cannot be stored is lost, as the guest's address was wrong. */
static long io_read(struct domain *d, uint64_t va, size_t count)
{
    char chunk[CHUNK];
    long done = 0;

    if (!d->privileged)
        return -XEN_EPERM;
    while (count) {
        size_t n = input_take(chunk, MIN(count, (size_t)CHUNK));

        if (!n)
            break;
        if (copy_to_guest_va(va, chunk, n))
            return -XEN_EFAULT;
        va += n;
        count -= n;
        done += (long)n;
    }
    return done;
}

long do_console_io(HCALL_ARGS3(cmd, count, va))
{
    struct domain *d = current()->domain;

    if ((int)count < 0)
        return -XEN_EINVAL;
    switch ((unsigned int)cmd) {
    case CONSOLEIO_write:
        return io_write(d, va, (unsigned int)count);
    case CONSOLEIO_read:
        return io_read(d, va, (unsigned int)count);
    default:
        return -XEN_ENOSYS;
    }
}
