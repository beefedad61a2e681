/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor wants to know from the firmware's static ACPI tables (ACPI specification 6.5,
 * chapter 5.2).  Pure functions: memory is read through a callback, nothing is changed.
 */
#ifndef HV_ACPI_H
#define HV_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_MAX_CPUS      64
#define ACPI_MAX_IOAPICS   8
#define ACPI_MAX_OVERRIDES 16

struct acpi_cpu {
    uint32_t apic_id;
    uint32_t acpi_id;  /* processor UID */
    bool enabled;      /* else it may only be plugged in later */
};

struct acpi_ioapic {
    uint64_t address;
    uint32_t gsi_base;
    uint8_t id;
};

/* An ISA interrupt that is not the GSI of its number, or not edge-triggered and active-high. */
struct acpi_override {
    uint8_t isa_irq;
    uint32_t gsi;
    bool level, active_low;
};

/* A register: of I/O space, or of memory. */
struct acpi_register {
    uint64_t address;  /* 0: there is none */
    bool memory;
    uint8_t bits;      /* width; 0: not said */
};

struct acpi_info {
    uint64_t rsdp;     /* where it is; 0: only the loader's copy of it is known */
    uint64_t lapic_address;
    struct acpi_cpu cpu[ACPI_MAX_CPUS];
    uint32_t nr_cpus;
    struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
    uint32_t nr_ioapics;
    struct acpi_override override[ACPI_MAX_OVERRIDES];
    uint32_t nr_overrides;
    uint32_t dropped;  /* entries that did not fit into these arrays */
    bool has_madt, has_fadt, has_8259;
    uint16_t sci_irq;
    struct acpi_register pm1a_cnt, pm1b_cnt, pm_timer, reset;
    bool pm_timer_32;  /* the PM timer has 32 bits, not 24 */
    uint8_t reset_value;
    uint64_t hpet_address;
    uint64_t mmcfg_address; /* of segment 0 */
    uint8_t mmcfg_start, mmcfg_end;
};

/* Copy [pa, pa+len) to buf; false if there is no such memory. */
typedef bool (*acpi_read_fn)(void *ctx, uint64_t pa, void *buf, size_t len);

/*
 * Search the places of the BIOS (EBDA and 0xe0000-0xfffff) for the root pointer; its address or 0.
 */
uint64_t acpi_find_rsdp(acpi_read_fn read, void *ctx);
/*
 * Search [from, to) for the root pointer that rsdp is a copy of (length bytes); its address or 0.
 */
uint64_t acpi_find_copied(acpi_read_fn read, void *ctx, const uint8_t *rsdp, size_t length,
                          uint64_t from, uint64_t to);
/*
 * Read all tables from the root pointer at rsdp.  false: there is no valid root pointer or root
 * table, and *info holds nothing but zeroes.  A table with a wrong checksum or length is skipped.
 */
bool acpi_parse(acpi_read_fn read, void *ctx, uint64_t rsdp, struct acpi_info *info);
/* The same from a copy of the root pointer: length bytes (20 of revision 0, 36 of later ones). */
bool acpi_parse_copy(acpi_read_fn read, void *ctx, const uint8_t *rsdp, size_t length,
                     struct acpi_info *info);

/* The machine's, filled at boot by acpi_init(). */
extern struct acpi_info acpi;
/*
 * Parse the tables of this machine.  rsdp: the loader's copy of the root pointer, length bytes of
 * it; without one (length 0), or when it is damaged, the BIOS's places are searched, which do not
 * exist on a UEFI machine.  false: there are no tables.  Needs ioremap().
 */
bool acpi_init(const uint8_t *rsdp, size_t length);
/* After acpi_init() with a copy: if its original lies in [from, to), acpi.rsdp tells where. */
void acpi_locate(const uint8_t *rsdp, size_t length, uint64_t from, uint64_t to);

#endif
